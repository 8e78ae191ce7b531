"""Rulesets, versions, drafts, channels, the release log; executions; replays and data sets; experiments.

Revision ID: 0001
"""

from __future__ import annotations

from millwright_runtime.postgres import tables
from millwright_runtime.postgres.migrations import execute, service_role

revision = "0001"
down_revision = None

RULESETS = """
CREATE TABLE judgment.ruleset (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    titles text NOT NULL,
    latest_version integer NOT NULL,
    latest_revision bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, ruleset)
);
COMMENT ON COLUMN judgment.ruleset.ruleset IS 'namespace.name; the row is locked by every decision about releases';

CREATE TABLE judgment.version (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    number integer NOT NULL,
    semver text NOT NULL,
    content_hash bytea NOT NULL,
    document text NOT NULL,
    canonical text NOT NULL,
    gate_report text NOT NULL,
    state text NOT NULL DEFAULT 'PUBLISHED',
    state_reason text NOT NULL DEFAULT '',
    creator text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, ruleset, number),
    UNIQUE (tenant, ruleset, content_hash),
    UNIQUE (tenant, ruleset, semver),
    FOREIGN KEY (tenant, ruleset) REFERENCES judgment.ruleset
);
COMMENT ON COLUMN judgment.version.document IS 'as it was published; canonical is what judges';

CREATE TABLE judgment.draft (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    draft text NOT NULL,
    document text NOT NULL,
    state text NOT NULL DEFAULT 'DRAFT',
    gate_report text NOT NULL DEFAULT '',
    revision bigint NOT NULL DEFAULT 1,
    updater text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, ruleset, draft)
);
CREATE INDEX draft_published ON judgment.draft (update_time) WHERE state = 'PUBLISHED';
COMMENT ON TABLE judgment.draft IS 'Documents that are worked on; the ruleset need not exist';
"""

RELEASES = """
CREATE TABLE judgment.channel (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    channel text NOT NULL,
    version integer NOT NULL,
    revision bigint NOT NULL,
    freeze_time timestamptz,
    update_time timestamptz NOT NULL,
    experiment text,
    trial_versions integer[],
    planned_version integer,
    planned_time timestamptz,
    planned_reason text,
    planned_actor text,
    PRIMARY KEY (tenant, ruleset, channel),
    FOREIGN KEY (tenant, ruleset, version) REFERENCES judgment.version
);
CREATE INDEX channel_planned_time ON judgment.channel (planned_time) WHERE planned_time IS NOT NULL;
COMMENT ON COLUMN judgment.channel.experiment IS 'NULL without one; trial_versions are those of its arms on trial';

CREATE TABLE judgment.release (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    revision bigint NOT NULL,
    operation text NOT NULL,
    channel text,
    from_version integer,
    to_version integer NOT NULL,
    marked_bad boolean NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    automatic boolean NOT NULL,
    create_time timestamptz NOT NULL,
    experiment text,
    evidence text NOT NULL,
    planned_time timestamptz,
    PRIMARY KEY (tenant, ruleset, revision),
    FOREIGN KEY (tenant, ruleset) REFERENCES judgment.ruleset
);
CREATE INDEX release_channel ON judgment.release (tenant, ruleset, channel, revision) WHERE channel IS NOT NULL;
COMMENT ON TABLE judgment.release IS 'The release log: rows are added and nothing else.';

CREATE FUNCTION judgment.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the release log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON judgment.release
    FOR EACH ROW EXECUTE FUNCTION judgment.refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON judgment.release
    FOR EACH STATEMENT EXECUTE FUNCTION judgment.refuse_change();
"""

HOLDS = """
CREATE FUNCTION judgment.hold_bucket(tenant text, ruleset text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtext(tenant || '/' || ruleset) & 63
$$;

CREATE FUNCTION judgment.hold_releases(tenant text, ruleset text) RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(7415, judgment.hold_bucket(tenant, ruleset))
$$;
COMMENT ON FUNCTION judgment.hold_releases IS
    'Waits until no transaction stores judgments of the ruleset, and keeps others from it: taken to move its channels';

CREATE FUNCTION judgment.hold_judgments(tenants text[], rulesets text[], channels text[], numbers integer[])
RETURNS TABLE (revision bigint, trial_revision bigint, state text) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7415, sorted.bucket) FROM (
        SELECT DISTINCT judgment.hold_bucket(asked.tenant, asked.ruleset) AS bucket
        FROM unnest(tenants, rulesets) AS asked (tenant, ruleset) ORDER BY bucket
    ) AS sorted;
    RETURN QUERY
    SELECT channel.revision, experiment.revision, version.state
    FROM unnest(tenants, rulesets, channels, numbers) WITH ORDINALITY AS asked (tenant, ruleset, channel, number, place)
    LEFT JOIN judgment.channel
        ON (channel.tenant, channel.ruleset, channel.channel) = (asked.tenant, asked.ruleset, asked.channel)
    LEFT JOIN judgment.experiment
        ON (experiment.tenant, experiment.experiment) = (asked.tenant, channel.experiment)
    LEFT JOIN judgment.version
        ON (version.tenant, version.ruleset, version.number) = (asked.tenant, asked.ruleset, asked.number)
    ORDER BY asked.place;
END $$;
COMMENT ON FUNCTION judgment.hold_judgments IS
    'Keeps the channels where they are until the judgments are stored, and says where that is: read after the wait';
"""

EXECUTIONS = """
CREATE TABLE judgment.execution (
    tenant text NOT NULL,
    execution uuid NOT NULL,
    judge_time timestamptz NOT NULL,
    ruleset text NOT NULL,
    version integer NOT NULL,
    channel text,
    input text NOT NULL,
    input_hash bytea NOT NULL,
    status smallint NOT NULL,
    outcome text,
    confidence double precision NOT NULL,
    winning_rule text,
    matched bytea NOT NULL,
    outputs text NOT NULL,
    actions text,
    line text,
    product text,
    shift text,
    unit text,
    event_time timestamptz NOT NULL,
    caller text NOT NULL,
    experiment text,
    arm text,
    engine_version text NOT NULL,
    PRIMARY KEY (tenant, judge_time, execution)
) PARTITION BY RANGE (judge_time);
INSERT INTO judgment.partitioned (name, span) VALUES ('execution', 'day');
CREATE INDEX execution_ruleset ON judgment.execution (tenant, ruleset, judge_time);
COMMENT ON TABLE judgment.execution IS 'Judgments that were made: rows are added and nothing else; a partition a day.';
COMMENT ON COLUMN judgment.execution.judge_time IS 'to the millisecond that the execution, a UUID of version 7, holds';
COMMENT ON COLUMN judgment.execution.actions IS 'what was recommended: codes and priorities as JSON; NULL for nothing';
COMMENT ON COLUMN judgment.execution.matched IS 'a bit for each rule of the version, in the order of the tables';

CREATE TABLE judgment.execution_key (
    tenant text NOT NULL,
    idempotency_key text NOT NULL,
    digest bytea NOT NULL,
    execution uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, idempotency_key)
);
CREATE INDEX execution_key_create_time ON judgment.execution_key (create_time);
COMMENT ON TABLE judgment.execution_key IS 'Which execution a key gave, for 25 hours';

CREATE TABLE judgment.column_file (
    tenant text NOT NULL,
    ruleset text NOT NULL,
    day date NOT NULL,
    part integer NOT NULL,
    rows bigint NOT NULL,
    first_execution uuid NOT NULL,
    last_execution uuid NOT NULL,
    digest bytea NOT NULL,
    content bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, ruleset, day, part)
);
ALTER TABLE judgment.column_file ALTER COLUMN content SET STORAGE EXTERNAL;
COMMENT ON TABLE judgment.column_file IS 'Executions of closed days as Parquet, for replays: copies, never the truth';
COMMENT ON COLUMN judgment.column_file.part IS 'from 0, the newest executions first';
"""

REPLAYS = """
CREATE TABLE judgment.replay (
    tenant text NOT NULL,
    replay uuid NOT NULL,
    ruleset text NOT NULL,
    request text NOT NULL,
    state text NOT NULL,
    progress text NOT NULL,
    error text NOT NULL DEFAULT '',
    creator text NOT NULL,
    sequence bigint NOT NULL,
    owner uuid,
    lease_time timestamptz,
    create_time timestamptz NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    content bytea,
    PRIMARY KEY (tenant, replay)
);
CREATE INDEX replay_open ON judgment.replay (lease_time) WHERE state IN ('PENDING', 'RUNNING');
CREATE INDEX replay_create_time ON judgment.replay (tenant, create_time);
CREATE INDEX replay_ended ON judgment.replay (end_time) WHERE end_time IS NOT NULL;
COMMENT ON COLUMN judgment.replay.request IS 'what was asked for, every target resolved, as JSON';
COMMENT ON COLUMN judgment.replay.content IS 'of a replay of a data set: what it reads';
COMMENT ON COLUMN judgment.replay.owner IS 'who may write until lease_time, on the database''s clock';

CREATE TABLE judgment.replay_tally (
    tenant text NOT NULL,
    replay uuid NOT NULL,
    tally text NOT NULL,
    PRIMARY KEY (tenant, replay),
    FOREIGN KEY (tenant, replay) REFERENCES judgment.replay ON DELETE CASCADE
);
COMMENT ON TABLE judgment.replay_tally IS 'What is counted so far and where to go on; the report is made of it';

CREATE TABLE judgment.replay_difference (
    tenant text NOT NULL,
    replay uuid NOT NULL,
    target smallint NOT NULL,
    execution text NOT NULL,
    change smallint NOT NULL,
    from_outcome text NOT NULL,
    to_outcome text NOT NULL,
    from_rule text NOT NULL,
    to_rule text NOT NULL,
    cause integer NOT NULL,
    PRIMARY KEY (tenant, replay, target, execution),
    FOREIGN KEY (tenant, replay) REFERENCES judgment.replay ON DELETE CASCADE
);

CREATE TABLE judgment.dataset_content (
    tenant text NOT NULL,
    content bytea NOT NULL,
    about text NOT NULL,
    rows bigint NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, content)
);
COMMENT ON COLUMN judgment.dataset_content.about IS 'what the file was, and why rows of it were left out, as JSON';
CREATE TABLE judgment.dataset_part (
    tenant text NOT NULL,
    content bytea NOT NULL,
    last_row bigint NOT NULL,
    rows bigint NOT NULL,
    octets bytea NOT NULL,
    PRIMARY KEY (tenant, content, last_row),
    FOREIGN KEY (tenant, content) REFERENCES judgment.dataset_content ON DELETE CASCADE
);
ALTER TABLE judgment.dataset_part ALTER COLUMN octets SET STORAGE EXTERNAL;
CREATE TABLE judgment.dataset (
    tenant text NOT NULL,
    dataset text NOT NULL,
    ruleset text NOT NULL,
    content bytea NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, dataset),
    FOREIGN KEY (tenant, content) REFERENCES judgment.dataset_content
);
CREATE INDEX dataset_by_content ON judgment.dataset (tenant, content);
CREATE INDEX dataset_create_time ON judgment.dataset (create_time);
COMMENT ON TABLE judgment.dataset IS 'Names of contents: the same file is one content, however often it is sent';
"""

EXPERIMENTS = """
CREATE TABLE judgment.experiment (
    tenant text NOT NULL,
    experiment text NOT NULL,
    ruleset text NOT NULL,
    channel text NOT NULL,
    mode text NOT NULL,
    plan text NOT NULL,
    enrolment_bp integer NOT NULL,
    step integer NOT NULL DEFAULT 0,
    state text NOT NULL,
    end_reason text NOT NULL DEFAULT '',
    creator text NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    start_time timestamptz NOT NULL,
    step_time timestamptz NOT NULL,
    look_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (tenant, experiment),
    FOREIGN KEY (tenant, ruleset) REFERENCES judgment.ruleset
);
CREATE INDEX experiment_looked_at ON judgment.experiment (look_time) WHERE state = 'RUNNING';
CREATE INDEX experiment_started ON judgment.experiment (tenant, start_time, experiment);
COMMENT ON COLUMN judgment.experiment.plan IS 'arms, guardrails and steps, as JSON: they never change';
COMMENT ON COLUMN judgment.experiment.revision IS 'raised by its changes, and by bad marks on what it tries';

CREATE TABLE judgment.experiment_count (
    tenant text NOT NULL,
    experiment text NOT NULL,
    step integer NOT NULL,
    arm text NOT NULL,
    outcome text NOT NULL,
    executions bigint NOT NULL,
    PRIMARY KEY (tenant, experiment, step, arm, outcome),
    FOREIGN KEY (tenant, experiment) REFERENCES judgment.experiment
);
COMMENT ON TABLE judgment.experiment_count IS 'Judgments of an arm by outcome, written with the executions';

CREATE TABLE judgment.experiment_pair (
    tenant text NOT NULL,
    experiment text NOT NULL,
    arm text NOT NULL,
    control_outcome text NOT NULL,
    arm_outcome text NOT NULL,
    executions bigint NOT NULL,
    PRIMARY KEY (tenant, experiment, arm, control_outcome, arm_outcome),
    FOREIGN KEY (tenant, experiment) REFERENCES judgment.experiment
);
COMMENT ON TABLE judgment.experiment_pair IS 'With shadow mode: what an arm said where the control said what';

CREATE TABLE judgment.experiment_unit (
    tenant text NOT NULL,
    experiment text NOT NULL,
    unit_hash bigint NOT NULL,
    step integer NOT NULL,
    arm text NOT NULL,
    PRIMARY KEY (tenant, experiment, unit_hash),
    FOREIGN KEY (tenant, experiment) REFERENCES judgment.experiment
);
COMMENT ON TABLE judgment.experiment_unit IS 'The units seen, with their first arms, until 30 days after the end';

CREATE TABLE judgment.experiment_tally (
    tenant text NOT NULL,
    experiment text NOT NULL,
    step integer NOT NULL,
    unit_hash bigint NOT NULL,
    arm text NOT NULL,
    control_outcome text NOT NULL,
    outcome text NOT NULL,
    executions bigint NOT NULL,
    PRIMARY KEY (tenant, experiment, step, unit_hash, arm, control_outcome, outcome),
    FOREIGN KEY (tenant, experiment) REFERENCES judgment.experiment
);
COMMENT ON TABLE judgment.experiment_tally IS 'Judgments of a unit by outcome: how alike are they? Kept as units are';
COMMENT ON COLUMN judgment.experiment_tally.control_outcome IS 'what the control said, in shadow mode; empty otherwise';

CREATE TABLE judgment.experiment_split (
    tenant text NOT NULL,
    experiment text NOT NULL,
    step integer NOT NULL,
    arm text NOT NULL,
    units bigint NOT NULL,
    PRIMARY KEY (tenant, experiment, step, arm),
    FOREIGN KEY (tenant, experiment) REFERENCES judgment.experiment
);
COMMENT ON TABLE judgment.experiment_split IS 'How many units of an arm were first seen at a step: is it as planned?';

CREATE TABLE judgment.experiment_mark (
    tenant text NOT NULL,
    mark uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, mark)
);
CREATE INDEX experiment_mark_create_time ON judgment.experiment_mark (create_time);
COMMENT ON TABLE judgment.experiment_mark IS 'Requests of which refused inputs, which leave no row, were counted';
"""

TENANTED = (
    "ruleset",
    "version",
    "draft",
    "channel",
    "release",
    "execution",
    "execution_key",
    "column_file",
    "replay",
    "replay_tally",
    "replay_difference",
    "dataset",
    "dataset_content",
    "dataset_part",
    "experiment",
    "experiment_count",
    "experiment_pair",
    "experiment_unit",
    "experiment_split",
    "experiment_tally",
    "experiment_mark",
)

GRANTS = """
GRANT USAGE ON SCHEMA judgment TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA judgment TO {role};
GRANT INSERT, UPDATE (titles, latest_version, latest_revision, update_time) ON judgment.ruleset TO {role};
GRANT INSERT, UPDATE (state, state_reason) ON judgment.version TO {role};
GRANT INSERT, UPDATE, DELETE ON judgment.draft TO {role};
GRANT INSERT, UPDATE ON judgment.channel TO {role};
GRANT INSERT ON judgment.release TO {role};
GRANT INSERT ON judgment.execution TO {role};
GRANT INSERT, DELETE ON judgment.execution_key, judgment.column_file TO {role};
GRANT INSERT, UPDATE, DELETE ON judgment.replay, judgment.replay_tally, judgment.replay_difference TO {role};
GRANT INSERT, UPDATE, DELETE ON judgment.dataset TO {role};
GRANT INSERT, UPDATE (create_time), DELETE ON judgment.dataset_content TO {role};
GRANT INSERT, DELETE ON judgment.dataset_part TO {role};
GRANT INSERT, UPDATE ON judgment.experiment, judgment.experiment_count, judgment.experiment_pair TO {role};
GRANT INSERT, UPDATE ON judgment.experiment_split TO {role};
GRANT INSERT, DELETE ON judgment.experiment_unit, judgment.experiment_mark TO {role};
GRANT INSERT, UPDATE, DELETE ON judgment.experiment_tally TO {role};
"""


def upgrade() -> None:
    """Make everything, and let the service's role do no more than it needs."""
    role = service_role()
    execute(tables.partitions("judgment", role, tables.events_needed("judgment")))
    for part in (RULESETS, RELEASES, EXECUTIONS, REPLAYS, EXPERIMENTS, HOLDS):
        execute(part)
    for runtime_tables in (tables.events, tables.requests, tables.audit):
        execute(runtime_tables("judgment", role))
    for table in TENANTED:
        execute(tables.tenant_policy(f"judgment.{table}"))
    execute(GRANTS.format(role=role))
