"""Workflows, versions, channels, the release log, and instances with their results.

Revision ID: 0001
"""

from __future__ import annotations

from millwright_runtime.postgres import tables
from millwright_runtime.postgres.migrations import execute, service_role

revision = "0001"
down_revision = None

WORKFLOWS = """
CREATE TABLE workflow.workflow (
    tenant text NOT NULL,
    workflow text NOT NULL,
    latest_version integer NOT NULL,
    latest_revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, workflow)
);
COMMENT ON COLUMN workflow.workflow.workflow IS 'namespace.name; the row is locked by every decision about releases';

CREATE TABLE workflow.version (
    tenant text NOT NULL,
    workflow text NOT NULL,
    number integer NOT NULL,
    semver text NOT NULL,
    content_hash bytea NOT NULL,
    definition text NOT NULL,
    canonical text NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL,
    bad_reason text,
    PRIMARY KEY (tenant, workflow, number),
    UNIQUE (tenant, workflow, content_hash),
    UNIQUE (tenant, workflow, semver),
    FOREIGN KEY (tenant, workflow) REFERENCES workflow.workflow
);
COMMENT ON COLUMN workflow.version.definition IS 'as it was published; canonical is what runs';
COMMENT ON COLUMN workflow.version.bad_reason IS 'NULL while the version is good';
"""

RELEASES = """
CREATE TABLE workflow.channel (
    tenant text NOT NULL,
    workflow text NOT NULL,
    channel text NOT NULL,
    version integer NOT NULL,
    revision bigint NOT NULL,
    freeze_time timestamptz,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, workflow, channel),
    FOREIGN KEY (tenant, workflow, version) REFERENCES workflow.version
);

CREATE TABLE workflow.release (
    tenant text NOT NULL,
    workflow text NOT NULL,
    revision bigint NOT NULL,
    operation text NOT NULL,
    channel text,
    from_version integer,
    to_version integer NOT NULL,
    marked_bad boolean NOT NULL,
    run_policy text,
    reason text NOT NULL,
    actor text NOT NULL,
    automatic boolean NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, workflow, revision),
    FOREIGN KEY (tenant, workflow) REFERENCES workflow.workflow
);
CREATE INDEX release_channel ON workflow.release (tenant, workflow, channel, revision) WHERE channel IS NOT NULL;
COMMENT ON TABLE workflow.release IS 'The release log: rows are added and nothing else.';

CREATE FUNCTION workflow.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the release log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON workflow.release
    FOR EACH ROW EXECUTE FUNCTION workflow.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON workflow.release
    FOR EACH STATEMENT EXECUTE FUNCTION workflow.refuse_change();

CREATE TABLE workflow.hold (
    tenant text NOT NULL,
    workflow text NOT NULL,
    channel text NOT NULL,
    version integer NOT NULL,
    revision bigint NOT NULL,
    run_policy text NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, workflow, channel, version)
);
COMMENT ON TABLE workflow.hold IS
    'What a rollback wants of the instances bound to the version through the channel before the revision';
"""

INSTANCES = """
CREATE TABLE workflow.instance (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    part smallint NOT NULL,
    workflow text NOT NULL,
    channel text,
    version integer,
    bound_revision bigint,
    state text NOT NULL,
    input text NOT NULL,
    output text,
    error text,
    cancel_reason text,
    finished_tasks bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL,
    step bigint NOT NULL DEFAULT 0,
    is_resumed boolean NOT NULL DEFAULT false,
    creator text NOT NULL,
    create_time timestamptz NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    PRIMARY KEY (tenant, instance),
    FOREIGN KEY (tenant, workflow) REFERENCES workflow.workflow
) WITH (fillfactor = 70);
CREATE INDEX instance_listed ON workflow.instance (tenant, create_time DESC, instance DESC);
CREATE INDEX instance_of_version ON workflow.instance (tenant, workflow, version, create_time DESC, instance DESC);
CREATE INDEX instance_pending ON workflow.instance (part, create_time) WHERE state = 'PENDING';
CREATE INDEX instance_running ON workflow.instance (part) WHERE state = 'RUNNING';
CREATE INDEX instance_resumed ON workflow.instance (part) WHERE is_resumed;
CREATE INDEX instance_cancelling ON workflow.instance (part) WHERE state = 'RUNNING' AND cancel_reason IS NOT NULL;
CREATE INDEX instance_to_cancel ON workflow.instance (instance) WHERE state = 'PAUSED' AND cancel_reason IS NOT NULL;
CREATE INDEX instance_bound ON workflow.instance (tenant, workflow, channel, version)
    WHERE state IN ('RUNNING', 'PAUSED');
COMMENT ON COLUMN workflow.instance.version IS 'bound when the instance begins, unless it was started on a version';
COMMENT ON COLUMN workflow.instance.sequence IS 'of its newest event';
COMMENT ON COLUMN workflow.instance.step IS 'how often its worker wrote: what a checkpoint is compared by';
COMMENT ON COLUMN workflow.instance.part IS 'the partition whose owner runs it';
COMMENT ON COLUMN workflow.instance.is_resumed IS 'it was paused, is to go on, and no worker has taken it yet';

CREATE TABLE workflow.task_result (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    task_hash bytea NOT NULL,
    output text NOT NULL,
    context text NOT NULL,
    next text NOT NULL,
    is_skipped boolean NOT NULL,
    step bigint NOT NULL,
    finish_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, instance, reference)
);
COMMENT ON COLUMN workflow.task_result.step IS 'which of the instance''s steps wrote it: the order of commits';
CREATE TABLE workflow.task_progress (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    key text NOT NULL,
    begin_time timestamptz NOT NULL,
    due_time timestamptz,
    failure text,
    PRIMARY KEY (tenant, instance, key)
);
COMMENT ON TABLE workflow.task_progress IS
    'Of tasks that wait, are retried or have a time limit: since when, until when, and the latest failure';

CREATE TABLE workflow.worker (
    worker uuid PRIMARY KEY,
    lease_time timestamptz NOT NULL
);
COMMENT ON TABLE workflow.worker IS 'Processes that run instances; past its lease_time one counts as dead.';

CREATE TABLE workflow.partition (
    part smallint PRIMARY KEY,
    owner uuid,
    epoch bigint NOT NULL DEFAULT 0
);
INSERT INTO workflow.partition (part) SELECT generate_series(0, 63);
COMMENT ON TABLE workflow.partition IS
    'Who runs the instances of a partition; the epoch grows with each owner, and a write names it';
"""


TENANTED = ("workflow", "version", "channel", "release", "hold", "instance", "task_result", "task_progress")

GRANTS = """
GRANT USAGE ON SCHEMA workflow TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA workflow TO {role};
GRANT INSERT, UPDATE (latest_version, latest_revision, update_time) ON workflow.workflow TO {role};
GRANT INSERT, UPDATE (bad_reason) ON workflow.version TO {role};
GRANT INSERT, UPDATE ON workflow.channel, workflow.hold TO {role};
GRANT INSERT ON workflow.release TO {role};
GRANT INSERT, UPDATE ON workflow.instance, workflow.task_progress TO {role};
GRANT INSERT ON workflow.task_result TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.worker TO {role};
GRANT UPDATE ON workflow.partition TO {role};
"""


def upgrade() -> None:
    """Make everything, and let the service's role do no more than it needs."""
    role = service_role()
    for part in (WORKFLOWS, RELEASES, INSTANCES):
        execute(part)
    for runtime_tables in (tables.events, tables.requests, tables.inbox):
        execute(runtime_tables("workflow", role))
    for table in TENANTED:
        execute(tables.tenant_policy(f"workflow.{table}"))
    execute(GRANTS.format(role=role))
