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
    canary_version integer,
    canary_revision bigint,
    canary_weight_bp integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, workflow, channel),
    FOREIGN KEY (tenant, workflow, version) REFERENCES workflow.version,
    FOREIGN KEY (tenant, workflow, canary_version) REFERENCES workflow.version
);
COMMENT ON COLUMN workflow.channel.canary_version IS 'NULL without a canary; claims lock the row and read no other';

CREATE TABLE workflow.canary (
    tenant text NOT NULL,
    workflow text NOT NULL,
    channel text NOT NULL,
    revision bigint NOT NULL,
    steps text NOT NULL,
    promote_at_end boolean NOT NULL,
    step integer NOT NULL,
    state text NOT NULL,
    gates text NOT NULL,
    start_time timestamptz NOT NULL,
    step_time timestamptz NOT NULL,
    look_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, workflow, channel),
    FOREIGN KEY (tenant, workflow, channel) REFERENCES workflow.channel
);
CREATE INDEX canary_looked_at ON workflow.canary (look_time);
COMMENT ON TABLE workflow.canary IS 'The canary of a channel, there while it is under way';
COMMENT ON COLUMN workflow.canary.look_time IS 'when its gates were looked at last, on the clock of the database';

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
    canary_version integer,
    canary_weight_bp integer NOT NULL,
    evidence text NOT NULL,
    run_job uuid,
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
CREATE TABLE workflow.run_job (
    tenant text NOT NULL,
    run_job uuid NOT NULL,
    workflow text NOT NULL,
    channel text NOT NULL,
    version integer NOT NULL,
    target_version integer NOT NULL,
    revision bigint NOT NULL,
    run_policy text NOT NULL,
    state text NOT NULL,
    total bigint NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (tenant, run_job),
    UNIQUE (tenant, workflow, revision)
);
CREATE INDEX run_job_running ON workflow.run_job (create_time) WHERE state = 'RUNNING';
CREATE TABLE workflow.run_job_outcome (
    tenant text NOT NULL,
    run_job uuid NOT NULL,
    instance uuid NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    successor uuid,
    outcome_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, run_job, instance),
    FOREIGN KEY (tenant, run_job) REFERENCES workflow.run_job
);
CREATE INDEX run_job_outcome_in_order ON workflow.run_job_outcome (tenant, run_job, outcome_time, instance);
COMMENT ON TABLE workflow.run_job IS 'A rollback''s run policy that is carried out instance by instance';
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
    pause_reason text,
    finished_tasks bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL,
    step bigint NOT NULL DEFAULT 0,
    is_resumed boolean NOT NULL DEFAULT false,
    has_attachments boolean NOT NULL DEFAULT false,
    parent uuid,
    parent_task text,
    depth smallint NOT NULL DEFAULT 0,
    creator text NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    create_time timestamptz NOT NULL,
    day date NOT NULL GENERATED ALWAYS AS ((create_time AT TIME ZONE 'UTC')::date) STORED,
    start_time timestamptz,
    end_time timestamptz,
    seal_nonce uuid NOT NULL DEFAULT gen_random_uuid(),
    routing_key text,
    canary_revision bigint,
    bind_time timestamptz,
    settle_time timestamptz,
    held_revision bigint,
    compensation text,
    compensation_cause text,
    PRIMARY KEY (tenant, instance),
    FOREIGN KEY (tenant, workflow) REFERENCES workflow.workflow
) WITH (fillfactor = 70);
CREATE INDEX instance_listed ON workflow.instance (tenant, create_time DESC, instance DESC);
CREATE INDEX instance_of_version ON workflow.instance (tenant, workflow, version, create_time DESC, instance DESC);
CREATE INDEX instance_pending ON workflow.instance (part, create_time) WHERE state = 'PENDING';
CREATE INDEX instance_running ON workflow.instance (part) WHERE state IN ('RUNNING', 'COMPENSATING');
CREATE INDEX instance_resumed ON workflow.instance (part) WHERE is_resumed;
CREATE INDEX instance_stopping ON workflow.instance (part)
    WHERE state = 'RUNNING' AND (cancel_reason IS NOT NULL OR pause_reason IS NOT NULL);
CREATE INDEX instance_stopping_undo ON workflow.instance (part)
    WHERE state = 'COMPENSATING' AND compensation = 'STOPPING';
CREATE INDEX instance_to_cancel ON workflow.instance (instance) WHERE state = 'PAUSED' AND cancel_reason IS NOT NULL;
CREATE INDEX instance_parent ON workflow.instance (tenant, parent, create_time DESC, instance DESC)
    WHERE parent IS NOT NULL;
CREATE INDEX instance_bound ON workflow.instance (tenant, workflow, channel, version)
    WHERE state IN ('RUNNING', 'PAUSED');
CREATE INDEX instance_held ON workflow.instance (tenant, workflow, held_revision) WHERE held_revision IS NOT NULL;
COMMENT ON COLUMN workflow.instance.held_revision IS 'the rollback whose run job has stopped it and is to deal with it';
CREATE INDEX instance_of_canary ON workflow.instance (tenant, workflow, channel, canary_revision, version, settle_time)
    WHERE settle_time IS NOT NULL;
CREATE INDEX instance_of_day ON workflow.instance USING brin (day) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX instance_ended ON workflow.instance (end_time) WHERE end_time IS NOT NULL;
COMMENT ON COLUMN workflow.instance.day IS 'when it was made (UTC); what it leaves is kept by this day';
COMMENT ON COLUMN workflow.instance.routing_key IS 'NULL: its id';
COMMENT ON COLUMN workflow.instance.canary_revision IS
    'which canary was under way in its channel when it began, on whichever version; NULL if none was';
COMMENT ON COLUMN workflow.instance.settle_time IS
    'when it ended, as bind_time when it began: on the clock of the database, and only where a canary measures it';
COMMENT ON COLUMN workflow.instance.version IS 'bound when the instance begins, unless it was started on a version';
COMMENT ON COLUMN workflow.instance.sequence IS 'of its newest event';
COMMENT ON COLUMN workflow.instance.step IS 'how often its worker wrote: what a checkpoint is compared by';
COMMENT ON COLUMN workflow.instance.seal_nonce IS 'what the seals of its secrets are known by; nobody is told';
COMMENT ON COLUMN workflow.instance.part IS 'the partition whose owner runs it';
COMMENT ON COLUMN workflow.instance.has_attachments IS
    'it may have rows in subscription, emission or child, which go with its results';
COMMENT ON COLUMN workflow.instance.depth IS 'how many instances it was started by, one above the other';
COMMENT ON COLUMN workflow.instance.is_resumed IS 'it is to go on, or to be undone, and no worker has taken it yet';
COMMENT ON COLUMN workflow.instance.compensation IS 'how far it is undone; NULL: nobody wants that';
COMMENT ON COLUMN workflow.instance.compensation_cause IS 'the error for which it is undone, and that it ends with';

CREATE TABLE workflow.task_result (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    task_hash bytea NOT NULL,
    output bytea STORAGE EXTERNAL NOT NULL,
    context bytea STORAGE EXTERNAL NOT NULL,
    next text NOT NULL,
    is_skipped boolean NOT NULL,
    step bigint NOT NULL,
    finish_time timestamptz NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (tenant, instance, reference, day)
) PARTITION BY RANGE (day);
COMMENT ON COLUMN workflow.task_result.day IS 'of its instance';
COMMENT ON COLUMN workflow.task_result.step IS 'which of the instance''s steps wrote it: the order of commits';
CREATE TABLE workflow.task_progress (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    key text NOT NULL,
    begin_time timestamptz NOT NULL,
    due_time timestamptz,
    failure text,
    day date NOT NULL,
    PRIMARY KEY (tenant, instance, key, day)
) PARTITION BY RANGE (day);
INSERT INTO workflow.partitioned (name, span) VALUES ('task_result', 'day'), ('task_progress', 'day');
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


WORK = """
CREATE TABLE workflow.work_item (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    part smallint NOT NULL,
    id uuid NOT NULL,
    queue text NOT NULL,
    input text NOT NULL,
    heartbeat interval NOT NULL,
    max_failures integer NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    worker text,
    due_time timestamptz NOT NULL,
    percent double precision,
    saved bytea,
    saved_attempt integer,
    saved_stamp bigint,
    output text,
    error text,
    is_news boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, instance, reference),
    UNIQUE (tenant, id)
) WITH (fillfactor = 70);
CREATE INDEX work_item_queued ON workflow.work_item (tenant, queue, due_time) WHERE state = 'QUEUED';
CREATE INDEX work_item_taken ON workflow.work_item (due_time) WHERE state IN ('OFFERED', 'ACTIVE');
CREATE INDEX work_item_of_worker ON workflow.work_item (tenant, worker) WHERE state IN ('OFFERED', 'ACTIVE');
CREATE INDEX work_item_news ON workflow.work_item (part) WHERE is_news;
COMMENT ON TABLE workflow.work_item IS 'What tasks ask of workers outside: a row a task, which its attempts share';
COMMENT ON COLUMN workflow.work_item.id IS 'of the attempt: what workers know it by';
COMMENT ON COLUMN workflow.work_item.due_time IS
    'when it may be taken; once it is taken, when it is not its worker''s any more unless it hears of it';
COMMENT ON COLUMN workflow.work_item.saved IS 'what its worker saved last, and in which attempt and when';
COMMENT ON COLUMN workflow.work_item.is_news IS 'its instance has not noticed the last change yet';

CREATE TABLE workflow.approval (
    tenant text NOT NULL,
    id uuid NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    round integer NOT NULL,
    part smallint NOT NULL,
    title text NOT NULL,
    details text NOT NULL,
    role text NOT NULL,
    state text NOT NULL,
    decider text,
    comment text,
    sequence bigint NOT NULL,
    create_time timestamptz NOT NULL,
    escalate_time timestamptz,
    escalate_role text,
    expire_time timestamptz,
    decide_time timestamptz,
    is_over boolean NOT NULL DEFAULT false,
    is_news boolean NOT NULL DEFAULT false,
    revision bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, instance, reference, round)
);
CREATE INDEX approval_listed ON workflow.approval (tenant, state, create_time, id);
CREATE INDEX approval_due ON workflow.approval (least(escalate_time, expire_time)) WHERE state = 'WAITING';
CREATE INDEX approval_news ON workflow.approval (part) WHERE is_news;
COMMENT ON TABLE workflow.approval IS 'Decisions that tasks wait for a person to make; they stay, once made';
COMMENT ON COLUMN workflow.approval.round IS 'grows where an instance that has ended is retried and asks anew';
COMMENT ON COLUMN workflow.approval.is_over IS 'its instance has ended: asked again, it is another approval';
"""

EVENTS = """
CREATE TABLE workflow.subscription (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    pointer text NOT NULL,
    subscription text NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, instance, reference)
);
COMMENT ON TABLE workflow.subscription IS
    'Who listens for events: a task of an instance, or the schedule of a workflow.';
COMMENT ON COLUMN workflow.subscription.received IS 'how many deliveries it was given: the place of the next';

CREATE TABLE workflow.topic (
    tenant text NOT NULL,
    route bytea NOT NULL,
    template bytea NOT NULL,
    value bytea NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    template_text text NOT NULL,
    PRIMARY KEY (tenant, route, template, value, instance, reference),
    FOREIGN KEY (tenant, instance, reference) REFERENCES workflow.subscription ON DELETE CASCADE
);
CREATE INDEX topic_subscription ON workflow.topic (tenant, instance, reference);
COMMENT ON TABLE workflow.topic IS
    'What a subscription is found by: digests of type and source, and of one expected key, or empty';

CREATE TABLE workflow.delivery (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    position bigint NOT NULL,
    event_key text NOT NULL,
    delivery text NOT NULL,
    receive_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, instance, reference, position),
    UNIQUE (tenant, instance, reference, event_key),
    FOREIGN KEY (tenant, instance, reference) REFERENCES workflow.subscription ON DELETE CASCADE
);
COMMENT ON TABLE workflow.delivery IS 'The inboxes of subscriptions: an event by its place, from 0 without a gap.';

CREATE TABLE workflow.kept_event (
    tenant text NOT NULL,
    event_key text NOT NULL,
    routes bytea[] NOT NULL,
    event text NOT NULL,
    receive_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, event_key)
);
CREATE INDEX kept_event_time ON workflow.kept_event (receive_time);
CREATE INDEX kept_event_routes ON workflow.kept_event USING gin (routes);
COMMENT ON TABLE workflow.kept_event IS 'Events kept for those who will listen soon; empty unless a setting says so.';

CREATE TABLE workflow.emission (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    pointer text NOT NULL,
    event text NOT NULL,
    PRIMARY KEY (tenant, instance, reference)
);
COMMENT ON TABLE workflow.emission IS
    'What a task that has not finished has emitted, so that it emits that and no other.';

CREATE TABLE workflow.outgoing_event (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    event text NOT NULL
);
COMMENT ON TABLE workflow.outgoing_event IS 'Emitted events that JetStream has not acknowledged yet.';

CREATE TABLE workflow.child (
    tenant text NOT NULL,
    instance uuid NOT NULL,
    reference text NOT NULL,
    pointer text NOT NULL,
    child uuid NOT NULL,
    is_abandoned boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, instance, reference)
);
CREATE INDEX child_awaited ON workflow.child (tenant, child);
CREATE INDEX child_abandoned ON workflow.child (tenant, instance) WHERE is_abandoned;
COMMENT ON TABLE workflow.child IS 'Which child a task awaits; abandoned, it is to be cancelled unless it has ended.';

CREATE TABLE workflow.schedule (
    tenant text NOT NULL,
    workflow text NOT NULL,
    version integer NOT NULL,
    schedule text NOT NULL,
    begin_time timestamptz NOT NULL,
    next_time timestamptz,
    last_time timestamptz,
    last_instance uuid,
    owner uuid NOT NULL,
    is_following boolean NOT NULL,
    is_triggered boolean NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    looked bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, workflow),
    FOREIGN KEY (tenant, workflow) REFERENCES workflow.workflow
);
CREATE INDEX schedule_due ON workflow.schedule (next_time) WHERE next_time IS NOT NULL;
COMMENT ON TABLE workflow.schedule IS
    'Schedules in force: of each workflow that of the version channel prod points to.';
COMMENT ON COLUMN workflow.schedule.owner IS 'the instance in subscription that its events come to';
COMMENT ON COLUMN workflow.schedule.is_following IS 'it starts when the last instance has ended';
COMMENT ON COLUMN workflow.schedule.looked IS 'how many of its deliveries it has looked at';
"""


STEPS = """
CREATE TYPE workflow.step AS (
    tenant text,
    instance uuid,
    number bigint,
    sequence bigint,
    step_time timestamptz,
    reference text,
    task_hash bytea,
    output bytea,
    context bytea,
    next text,
    is_skipped boolean,
    progress_key text,
    begin_time timestamptz,
    due_time timestamptz,
    failure text,
    state text,
    instance_output text,
    error text,
    end_time timestamptz,
    compensation text,
    kind text,
    type text,
    data text,
    traceparent text
);
COMMENT ON TYPE workflow.step IS
    'One advance of an instance: the result of the task `reference`, progress, a state to leave with, and an event';
COMMENT ON COLUMN workflow.step.error IS 'what it ends with; with COMPENSATING, for what it is undone';

CREATE FUNCTION workflow.write_steps(
    worker uuid, parts smallint[], epochs bigint[], steps workflow.step[], is_alone boolean
) RETURNS TABLE (tenant text, instance uuid, is_held boolean, has_attachments boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    tenants text[];
    instances uuid[];
    days date[];
    holds boolean[];
    attachments boolean[];
BEGIN
    PERFORM set_config('millwright.tenant', '*', true); -- until the transaction ends, as SET LOCAL

    IF is_alone AND EXISTS (
        SELECT FROM unnest(steps) AS step WHERE (
            SELECT has_attachments FROM workflow.instance
            WHERE instance.tenant = step.tenant AND instance.instance = step.instance
        )
    ) THEN
        RETURN;
    END IF;

    WITH tenure AS (
        SELECT part FROM workflow.partition
        WHERE owner = worker AND (part, epoch) IN (SELECT * FROM unnest(parts, epochs))
        ORDER BY part FOR SHARE
    ), advance AS (
        SELECT tenant, instance, min(number) AS first, max(number) AS last, max(sequence) AS sequence,
               count(*) FILTER (WHERE NOT is_skipped) AS finished, max(state) AS state,
               max(instance_output) AS output, max(error) AS error, max(end_time) AS end_time,
               max(compensation) AS compensation, coalesce(max(state) = 'COMPENSATING', false) AS is_undone
        FROM unnest(steps) GROUP BY tenant, instance
    ), advanced AS (
        UPDATE workflow.instance AS instance
        SET step = advance.last, sequence = advance.sequence, finished_tasks = finished_tasks + advance.finished,
            state = coalesce(advance.state, instance.state),
            pause_reason = CASE WHEN advance.state IS NULL THEN pause_reason END,
            output = advance.output, end_time = advance.end_time,
            error = CASE WHEN NOT is_undone THEN advance.error END,
            compensation_cause = CASE WHEN is_undone THEN advance.error ELSE compensation_cause END,
            is_resumed = is_resumed OR is_undone,
            compensation = CASE
                WHEN advance.compensation IS NOT NULL THEN advance.compensation
                WHEN advance.end_time IS NULL THEN instance.compensation
            END,
            settle_time = CASE
                WHEN canary_revision IS NOT NULL AND advance.end_time IS NOT NULL THEN clock_timestamp()
            END,
            held_revision = CASE WHEN advance.state = 'PAUSED' AND pause_reason IS NULL THEN (
                SELECT revision FROM workflow.hold
                WHERE hold.tenant = instance.tenant AND hold.workflow = instance.workflow
                  AND hold.channel = instance.channel AND hold.version = instance.version
                  AND hold.revision > bound_revision
                  AND run_policy NOT IN ('PAUSE', 'CANCEL', 'CANCEL_COMPENSATE')
            ) END
        FROM advance
        WHERE instance.tenant = advance.tenant AND instance.instance = advance.instance
          AND instance.state IN ('RUNNING', 'COMPENSATING') AND instance.step = advance.first - 1
          AND instance.part IN (SELECT part FROM tenure) AND NOT (is_alone AND has_attachments)
        RETURNING instance.tenant, instance.instance, day, has_attachments, instance.state <> 'COMPENSATING' AND (
            pause_reason IS NOT NULL OR EXISTS (
                SELECT FROM workflow.hold
                WHERE hold.tenant = instance.tenant AND hold.workflow = instance.workflow
                  AND hold.channel = instance.channel AND hold.version = instance.version
                  AND hold.revision > bound_revision
                  AND run_policy IN ('PAUSE', 'MIGRATE_COMPATIBLE', 'FORK_FROM_COMMON')
            )
        ) AS is_held
    )
    SELECT array_agg(tenant), array_agg(instance), array_agg(day), array_agg(is_held), array_agg(has_attachments)
    INTO tenants, instances, days, holds, attachments FROM advanced;

    INSERT INTO workflow.task_result
        (tenant, instance, reference, task_hash, output, context, next, is_skipped, step, finish_time, day)
    SELECT tenant, instance, reference, task_hash, output, context, next, is_skipped, number, step_time, day
    FROM unnest(steps) JOIN unnest(tenants, instances, days) AS written (tenant, instance, day) USING (tenant, instance)
    WHERE reference IS NOT NULL;

    INSERT INTO workflow.task_progress (tenant, instance, key, begin_time, due_time, failure, day)
    SELECT tenant, instance, progress_key, begin_time, due_time, failure, day
    FROM unnest(steps) JOIN unnest(tenants, instances, days) AS written (tenant, instance, day) USING (tenant, instance)
    WHERE progress_key IS NOT NULL
    ON CONFLICT (tenant, instance, key, day) DO UPDATE SET due_time = excluded.due_time, failure = excluded.failure;

    INSERT INTO workflow.event (tenant, resource, sequence, kind, type, data, traceparent, event_time, day)
    SELECT tenant, 'instances/' || instance, sequence, kind, type, data, traceparent, step_time, day
    FROM unnest(steps) JOIN unnest(tenants, instances, days) AS written (tenant, instance, day) USING (tenant, instance)
    WHERE kind IS NOT NULL;

    INSERT INTO workflow.outbox (tenant, resource, sequence, day)
    SELECT tenant, 'instances/' || instance, sequence, day
    FROM unnest(steps) JOIN unnest(tenants, instances, days) AS written (tenant, instance, day) USING (tenant, instance)
    WHERE kind IS NOT NULL ORDER BY sequence;

    RETURN QUERY SELECT * FROM unnest(tenants, instances, holds, attachments);
END $$;
"""

NEEDED = """
EXISTS (
    SELECT FROM workflow.instance
    WHERE day >= (lower_time AT TIME ZONE 'UTC')::date AND day < (upper_time AT TIME ZONE 'UTC')::date
)
"""
"""What instances of a day have left is needed while one of them is there."""


TENANTED = (
    "workflow",
    "version",
    "channel",
    "canary",
    "run_job",
    "run_job_outcome",
    "release",
    "hold",
    "instance",
    "task_result",
    "task_progress",
    "work_item",
    "approval",
    "subscription",
    "topic",
    "delivery",
    "kept_event",
    "emission",
    "outgoing_event",
    "child",
    "schedule",
)

GRANTS = """
GRANT USAGE ON SCHEMA workflow TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA workflow TO {role};
GRANT INSERT, UPDATE (latest_version, latest_revision, update_time) ON workflow.workflow TO {role};
GRANT INSERT, UPDATE (bad_reason) ON workflow.version TO {role};
GRANT INSERT, UPDATE ON workflow.channel, workflow.hold TO {role};
GRANT INSERT ON workflow.release TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.canary TO {role};
GRANT INSERT, UPDATE (state, end_time) ON workflow.run_job TO {role};
GRANT INSERT ON workflow.run_job_outcome TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.instance TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.task_progress TO {role};
GRANT INSERT ON workflow.task_result TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.work_item TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.approval TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.worker TO {role};
GRANT UPDATE ON workflow.partition TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.subscription, workflow.child, workflow.schedule TO {role};
GRANT INSERT, UPDATE, DELETE ON workflow.kept_event TO {role};
GRANT INSERT ON workflow.topic TO {role};
GRANT INSERT, DELETE ON workflow.delivery, workflow.emission, workflow.outgoing_event TO {role};
REVOKE ALL ON FUNCTION workflow.write_steps FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workflow.write_steps TO {role};
"""


def upgrade() -> None:
    """Make everything, and let the service's role do no more than it needs."""
    role = service_role()
    execute(tables.partitions("workflow", role, f"{tables.events_needed('workflow')} OR {NEEDED}"))
    for part in (WORKFLOWS, RELEASES, INSTANCES, WORK, EVENTS):
        execute(part)
    for runtime_tables in (tables.events, tables.requests, tables.inbox, tables.audit):
        execute(runtime_tables("workflow", role))
    for table in TENANTED:
        execute(tables.tenant_policy(f"workflow.{table}"))
    execute(STEPS)
    execute(GRANTS.format(role=role))
