"""The relay: takes committed events from the outbox of a service to JetStream, urgent ones first.

The events of a resource keep their order. How they go out is that of every `Outlet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from millwright_runtime import metrics
from millwright_runtime.events.jetstream import Outgoing, Publish
from millwright_runtime.events.outlet import Outlet
from millwright_runtime.events.signals import Listener
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database


class Relay(Outlet[asyncpg.Record]):
    """Publishes the outbox of `schema`."""

    name = "relay"

    def __init__(self, database: Database, publish: Publish, schema: str) -> None:
        super().__init__(database, f"relay:{schema}")
        self._publish = publish
        self._schema = schema

    async def run(self, listener: Listener) -> None:
        """Relay until cancelled, whenever there is something or `listener` hears that there is."""
        await self.keep_publishing(listener)

    async def pending(self) -> int:
        """Count the events that wait; beyond 10,000 it is no use to know how many."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return int(await connection.fetchval(_PENDING.format(schema=self._schema)))

    async def _oldest(self, connection: Connection, limit: int) -> Sequence[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(_OLDEST.format(schema=self._schema), limit)
        return rows

    async def _send(self, items: Sequence[asyncpg.Record]) -> None:
        await self._publish([Outgoing(*tuple(row)[1:]) for row in items])

    async def _remove(self, connection: Connection, items: Sequence[asyncpg.Record]) -> None:
        await connection.execute(_REMOVE.format(schema=self._schema), [row["position"] for row in items])
        now = datetime.now(UTC)
        for row in items:
            metrics.EVENT_DELAY_SECONDS.observe(max(0.0, (now - row["event_time"]).total_seconds()))
        metrics.EVENTS_PUBLISHED.inc(len(items))


# The events to publish next, in the order of publication. Each is looked up by itself: a plan that was made while the
# log was empty would read the whole of it.
_OLDEST = """
SELECT position, tenant, resource, sequence, kind, type, data, traceparent, event_time
FROM (
    (SELECT * FROM {schema}.outbox WHERE is_urgent ORDER BY position LIMIT $1)
    UNION ALL
    (SELECT * FROM {schema}.outbox WHERE NOT is_urgent ORDER BY position LIMIT $1)
    ORDER BY is_urgent DESC, position LIMIT $1
) AS next
CROSS JOIN LATERAL (
    SELECT kind, type, data, traceparent, event_time FROM {schema}.event
    WHERE event.tenant = next.tenant AND event.resource = next.resource AND event.sequence = next.sequence
      AND event.day = next.day LIMIT 1
) AS event
ORDER BY is_urgent DESC, position
"""
_REMOVE = "DELETE FROM {schema}.outbox WHERE position = ANY ($1::bigint[])"
_PENDING = "SELECT count(*) FROM (SELECT FROM {schema}.outbox LIMIT 10000) AS waiting"
