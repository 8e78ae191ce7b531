"""The event log and outbox of a service: an event is written in the transaction of the change that it tells of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

import orjson

from millwright_runtime import tracing
from millwright_runtime.postgres.database import TENANT, Connection

Kind = Literal["rollback", "checkpoint", "progress", "lifecycle"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource."""

    tenant: str
    resource: str
    """Its name, such as `workflows/quality.defect-alert`."""
    sequence: int
    """Dense and rising per resource."""
    kind: Kind
    type: str
    """The CloudEvents type."""
    data: dict[str, Any]
    """The body, in protobuf's JSON mapping."""
    event_time: datetime
    is_urgent: bool = False
    """It is published before those that are not. It is the same for all events of a resource, which keep their order.
    """
    day: date | None = None
    """The day with which it goes: where the resource ends, that of its beginning (UTC), the same for all its events.

    None: the day on which it is written, for resources that last.
    """
    traceparent: str | None = field(default_factory=lambda: t.traceparent if (t := tracing.current()) else None)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the log gives it back."""

    sequence: int
    type: str
    data: dict[str, Any]
    event_time: datetime


class EventLog:
    """The tables `event` and `outbox` of one schema."""

    def __init__(self, schema: str) -> None:
        self._append = _APPEND.format(schema=schema)
        self._after = _AFTER.format(schema=schema, on_day="")
        self._after_on_day = _AFTER.format(schema=schema, on_day="AND day = $4")

    async def append(self, connection: Connection, events: Sequence[Event]) -> None:
        """Write `events` in the caller's transaction; they are published once it has committed."""
        if events:
            await connection.execute(
                self._append,
                [event.tenant for event in events],
                [event.resource for event in events],
                [event.sequence for event in events],
                [event.kind for event in events],
                [event.type for event in events],
                [orjson.dumps(event.data).decode() for event in events],
                [event.traceparent for event in events],
                [event.event_time for event in events],
                [event.is_urgent for event in events],
                [event.day for event in events],
            )

    async def after(
        self, connection: Connection, resource: str, sequence: int, limit: int, day: date | None = None
    ) -> list[LoggedEvent]:
        """Give at most `limit` events of `resource` after `sequence`, in order.

        To tell the day of events that have one spares looking into every other day's partition.
        """
        if day is None:
            rows = await connection.fetch(self._after, resource, sequence, limit)
        else:
            rows = await connection.fetch(self._after_on_day, resource, sequence, limit, day)
        return [LoggedEvent(row["sequence"], row["type"], orjson.loads(row["data"]), row["event_time"]) for row in rows]


# Log the events and queue them for publication, in the order given.
_APPEND = """
WITH given AS (
    SELECT tenant, resource, sequence, kind, type, data, traceparent, event_time, is_urgent,
           coalesce(day, (clock_timestamp() AT TIME ZONE 'UTC')::date) AS day, place
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::timestamptz[], $9::boolean[], $10::date[]) WITH ORDINALITY
        AS event (tenant, resource, sequence, kind, type, data, traceparent, event_time, is_urgent, day, place)
), logged AS (
    INSERT INTO {schema}.event (tenant, resource, sequence, kind, type, data, traceparent, event_time, day)
    SELECT tenant, resource, sequence, kind, type, data, traceparent, event_time, day FROM given
)
INSERT INTO {schema}.outbox (tenant, resource, sequence, is_urgent, day)
SELECT tenant, resource, sequence, is_urgent, day FROM given ORDER BY place
"""
_AFTER = f"""
SELECT sequence, type, data, event_time FROM {{schema}}.event
WHERE tenant = {TENANT} AND resource = $1 AND sequence > $2 {{on_day}} ORDER BY sequence LIMIT $3
"""
