"""Events that workflows emit, in Postgres: as they were first published, and those that JetStream has not taken yet."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from millwright_runtime.json import JsonObject, from_text, to_text
from millwright_runtime.postgres.database import Connection

OUTGOING = "workflow:outgoing_event"
"""The queue of events that JetStream has not taken yet, by the name under which replicas take turns."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way out."""

    position: int
    tenant: str
    event: JsonObject


async def find(connection: Connection, tenant: str, instance: uuid.UUID, reference: str) -> JsonObject | None:
    """Give the event that a task emitted, if it has."""
    text = await connection.fetchval(_FIND, tenant, instance, reference)
    return from_text(text) if text is not None else None


async def insert(
    connection: Connection, tenant: str, instance: uuid.UUID, reference: str, pointer: str, event: JsonObject
) -> bool:
    """Keep an event that a task emits, and queue it for publication; False, and nothing changes, if it is there."""
    text = to_text(event)
    if not await connection.fetchval(_INSERT, tenant, instance, reference, pointer, text):
        return False
    await connection.execute(_QUEUE, tenant, text)
    return True


async def oldest(connection: Connection, limit: int) -> Sequence[Outgoing]:
    """Give at most `limit` events that wait, in the order in which they were emitted."""
    rows = await connection.fetch(_OLDEST, limit)
    return [Outgoing(row["position"], row["tenant"], from_text(row["event"])) for row in rows]


async def published(connection: Connection, events: Sequence[Outgoing]) -> None:
    """Remove events that JetStream has acknowledged."""
    await connection.execute(_REMOVE, [event.position for event in events])


_FIND = "SELECT event FROM workflow.emission WHERE tenant = $1 AND instance = $2 AND reference = $3"
_INSERT = """
INSERT INTO workflow.emission (tenant, instance, reference, pointer, event) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true
"""
_QUEUE = "INSERT INTO workflow.outgoing_event (tenant, event) VALUES ($1, $2)"
_OLDEST = "SELECT position, tenant, event FROM workflow.outgoing_event ORDER BY position LIMIT $1"
_REMOVE = "DELETE FROM workflow.outgoing_event WHERE position = ANY ($1::bigint[])"
