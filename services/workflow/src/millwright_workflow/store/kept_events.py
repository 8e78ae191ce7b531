"""Events that are kept for those who will listen soon, in Postgres. Nothing is here unless a setting says so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

from millwright_runtime.json import JsonObject, from_text, to_text
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain import cloud_events


async def insert(connection: Connection, tenant: str, events: Sequence[tuple[JsonObject, Collection[bytes]]]) -> None:
    """Keep events, each with its routes; one that is kept already is left as it is."""
    ordered = sorted(((cloud_events.key(event), event, routes) for event, routes in events), key=lambda entry: entry[0])
    for key, event, routes in ordered:
        await connection.execute(_INSERT, tenant, key, list(routes), to_text(event))


async def find(connection: Connection, routes: Collection[bytes], age: timedelta, limit: int) -> list[JsonObject]:
    """Give at most `limit` events of one of `routes` that are not older than `age`, in the order they came in."""
    rows = await connection.fetch(_FIND, list(routes), age, limit)
    return [from_text(row["event"]) for row in rows]


async def forget(connection: Connection, age: timedelta, limit: int) -> int:
    """Remove at most `limit` events older than `age`; give how many."""
    return int(await connection.fetchval(_FORGET, age, limit))


_INSERT = """
INSERT INTO workflow.kept_event (tenant, event_key, routes, event) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_FIND = f"""
SELECT event FROM workflow.kept_event
WHERE tenant = {TENANT} AND routes && $1::bytea[] AND receive_time >= clock_timestamp() - $2::interval
ORDER BY receive_time, event_key LIMIT $3
"""
_FORGET = """
WITH old AS (
    SELECT tenant, event_key FROM workflow.kept_event WHERE receive_time < clock_timestamp() - $1::interval
    ORDER BY receive_time LIMIT $2 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM workflow.kept_event USING old
    WHERE kept_event.tenant = old.tenant AND kept_event.event_key = old.event_key RETURNING 1
)
SELECT count(*) FROM gone
"""
