"""The tables that the runtime keeps in each service's schema, as DDL for that service's migrations.

A function here is frozen once a release has run it: a change is a new function and a new migration. `schema` and
`role` are put into the SQL as they are: quoted, where they need it.
"""

from __future__ import annotations


def tenant_policy(table: str) -> str:
    """Hold every row of `table` to the transaction's tenant, for reading and writing, its owner included."""
    tenant = "current_setting('millwright.tenant', true)"
    return f"""
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING ({tenant} = tenant OR {tenant} = '*');
"""


def events(schema: str, role: str) -> str:
    """The log of events, and the outbox of those that JetStream has not acknowledged yet."""
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
    PRIMARY KEY (tenant, resource, sequence)
);
COMMENT ON TABLE {schema}.event IS 'What happened, by resource and dense sequence; watch streams read it.';
CREATE TABLE {schema}.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    resource text NOT NULL,
    sequence bigint NOT NULL,
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
