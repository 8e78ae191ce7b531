"""The tables that the runtime keeps in each service's schema, as DDL for that service's migrations.

A function here is frozen once a release has run it: a change is a new function and a new migration. `schema` and
`role` are put into the SQL as they are: quoted, where they need it.
"""

from __future__ import annotations

AUDIT_LEAST_DAYS = 90
"""The database keeps the audit log for so long even from a service that asks for less."""


def tenant_policy(table: str) -> str:
    """Hold every row of `table` to the transaction's tenant, for reading and writing, its owner included.

    Reads ask for the tenant once a statement, by a subquery: once a row it cost a scan some three tenths of its time.
    Writes ask once a row: no gain was seen there.
    """
    tenant = "current_setting('millwright.tenant', true)"
    return f"""
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table}
    USING ((SELECT {tenant}) = tenant OR (SELECT {tenant}) = '*')
    WITH CHECK ({tenant} = tenant OR {tenant} = '*');
"""


def partitions(schema: str, role: str, needed: str = "false") -> str:
    """What keeps tables by the day or the month: a register of them, and the owner's functions that the role may call.

    A migration makes a table with `PARTITION BY RANGE` on a `date` or a `timestamptz`, registers it, and grants rights
    on it alone: a partition has no policy, so that nobody but its table reads or writes it. `needed` is SQL that tells
    whether something needs what is between `lower_time` and `upper_time` (timestamptz). It is asked for every table
    of the schema, and sees the rows of every tenant.

    The functions do what they do to registered tables and their own partitions only, drop nothing that a day from now
    still falls into, and look names up in no path that a caller could set.
    """
    return f"""
CREATE TABLE {schema}.partitioned (
    name text PRIMARY KEY,
    span text NOT NULL CHECK (span IN ('day', 'month')),
    least_days integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE {schema}.partitioned IS 'The tables that are kept by the day or the month (UTC).';
COMMENT ON COLUMN {schema}.partitioned.least_days IS 'for so long nothing is dropped, whatever the service asks for';
GRANT SELECT ON {schema}.partitioned TO {role};

CREATE FUNCTION {schema}.make_partitions(ahead_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    kind record;
    lower_time timestamp;
    child text;
    today timestamp := date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC');
BEGIN
    FOR kind IN SELECT name, span, ('1 ' || span)::interval AS step FROM {schema}.partitioned ORDER BY name LOOP
        FOR lower_time IN SELECT generate_series(
            date_trunc(kind.span, today - interval '1 day'),
            today + least(greatest(ahead_days, 1), 366) * interval '1 day',
            kind.step
        ) LOOP
            child := kind.name || to_char(lower_time, CASE kind.span WHEN 'day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END);
            CONTINUE WHEN to_regclass(format('{schema}.%I', child)) IS NOT NULL;
            EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.%I INCLUDING ALL)', child, kind.name);
            EXECUTE format('ALTER TABLE {schema}.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', child);
            EXECUTE format(
                'ALTER TABLE {schema}.%I ATTACH PARTITION {schema}.%I FOR VALUES FROM (%L) TO (%L)',
                kind.name, child, lower_time AT TIME ZONE 'UTC', (lower_time + kind.step) AT TIME ZONE 'UTC'
            );
            RETURN NEXT child;
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION {schema}.is_span_needed(lower_time timestamptz, upper_time timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    RETURN {needed};
END $$;

CREATE FUNCTION {schema}.drop_partition(family text, keep_days integer) RETURNS TABLE (name text, is_dropped boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
    kind record;
    lower_time timestamptz;
    upper_time timestamptz;
    cutoff timestamptz;
    tenant text := current_setting('millwright.tenant', true);
BEGIN
    SELECT partitioned.name, span, least_days, ('1 ' || span)::interval AS step INTO STRICT kind
    FROM {schema}.partitioned WHERE partitioned.name = family;
    cutoff := clock_timestamp() - greatest(keep_days, kind.least_days, 1) * interval '1 day';
    PERFORM set_config('millwright.tenant', '*', true);
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = format('{schema}.%I', family)::regclass AND relname ~ ('^' || family || '_[0-9]+$')
        ORDER BY relname
    LOOP
        lower_time := to_timestamp(
            right(name, CASE kind.span WHEN 'day' THEN 8 ELSE 6 END) || CASE kind.span WHEN 'day' THEN '' ELSE '01' END,
            'YYYYMMDD'
        )::timestamp AT TIME ZONE 'UTC';
        upper_time := (lower_time AT TIME ZONE 'UTC' + kind.step) AT TIME ZONE 'UTC';
        EXIT WHEN upper_time > cutoff;
        is_dropped := NOT {schema}.is_span_needed(lower_time, upper_time);
        IF is_dropped THEN
            EXECUTE format('LOCK TABLE {schema}.%I IN ACCESS EXCLUSIVE MODE', family);
            is_dropped := NOT {schema}.is_span_needed(lower_time, upper_time);
        END IF;
        IF is_dropped THEN
            EXECUTE format('DROP TABLE {schema}.%I', name);
        END IF;
        RETURN NEXT;
        EXIT WHEN is_dropped;
    END LOOP;
    PERFORM set_config('millwright.tenant', coalesce(tenant, ''), true);
END $$;

REVOKE ALL ON FUNCTION {schema}.make_partitions, {schema}.drop_partition, {schema}.is_span_needed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {schema}.make_partitions, {schema}.drop_partition TO {role};
"""


def events(schema: str, role: str) -> str:
    """The log of events, by the day, and the outbox of those that JetStream has not acknowledged yet.

    It needs `partitions`. There, what still waits in the outbox is to be needed: `events_needed` tells.
    """
    return f"""
CREATE TABLE {schema}.event (
    tenant text NOT NULL,
    resource text NOT NULL,
    sequence bigint NOT NULL,
    kind text NOT NULL,
    type text NOT NULL,
    data text NOT NULL,
    traceparent text,
    event_time timestamptz NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (tenant, resource, sequence, day)
) PARTITION BY RANGE (day);
COMMENT ON TABLE {schema}.event IS 'What happened, by resource and dense sequence; watch streams read it.';
COMMENT ON COLUMN {schema}.event.day IS 'with which it goes: of its resource''s beginning if that ends, else its own';
INSERT INTO {schema}.partitioned (name, span) VALUES ('event', 'day');
CREATE TABLE {schema}.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    resource text NOT NULL,
    sequence bigint NOT NULL,
    day date NOT NULL,
    is_urgent boolean NOT NULL DEFAULT false
);
CREATE INDEX outbox_urgent ON {schema}.outbox (position) WHERE is_urgent;
COMMENT ON TABLE {schema}.outbox IS
    'Events that JetStream has not acknowledged yet: the urgent ones first, then in the order of their positions.';
{tenant_policy(f"{schema}.event")}
{tenant_policy(f"{schema}.outbox")}
GRANT SELECT, INSERT ON {schema}.event TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.outbox TO {role};
"""


def events_needed(schema: str) -> str:
    """Give SQL that tells whether events of a span still wait in the outbox, for `partitions`."""
    span = "day >= (lower_time AT TIME ZONE 'UTC')::date AND day < (upper_time AT TIME ZONE 'UTC')::date"
    return f"EXISTS (SELECT FROM {schema}.outbox WHERE {span})"


def requests(schema: str, role: str) -> str:
    """The answers that were given under a request_id, so that the same id gives the same answer."""
    return f"""
CREATE TABLE {schema}.request (
    tenant text NOT NULL,
    method text NOT NULL,
    request_id uuid NOT NULL,
    digest bytea NOT NULL,
    response bytea,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, method, request_id)
);
CREATE INDEX request_create_time ON {schema}.request (create_time);
{tenant_policy(f"{schema}.request")}
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.request TO {role};
"""


def inbox(schema: str, role: str) -> str:
    """The messages of other services that were taken in, so that a message delivered twice has its effect once."""
    return f"""
CREATE TABLE {schema}.inbox (
    consumer text NOT NULL,
    message_id text NOT NULL,
    receive_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, message_id)
);
CREATE INDEX inbox_receive_time ON {schema}.inbox (consumer, receive_time);
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.inbox TO {role};
"""


def audit(schema: str, role: str) -> str:
    """Who did what, by the month. The role adds and reads entries, and can change or remove none.

    It needs `partitions`; no partition of it is dropped before `AUDIT_LEAST_DAYS` have passed.
    """
    return f"""
CREATE TABLE {schema}.audit_entry (
    tenant text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    subject text NOT NULL,
    roles text[] NOT NULL,
    method text NOT NULL,
    resources text[] NOT NULL,
    request_id uuid,
    code text NOT NULL,
    reason text NOT NULL,
    trace_id text NOT NULL,
    peer text NOT NULL,
    PRIMARY KEY (tenant, create_time, id)
) PARTITION BY RANGE (create_time);
COMMENT ON TABLE {schema}.audit_entry IS 'A row for each call that changed something, or was refused to';
INSERT INTO {schema}.partitioned (name, span, least_days) VALUES ('audit_entry', 'month', {AUDIT_LEAST_DAYS});
{tenant_policy(f"{schema}.audit_entry")}
GRANT SELECT, INSERT ON {schema}.audit_entry TO {role};
"""
