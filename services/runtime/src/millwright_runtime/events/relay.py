"""The relay: takes committed events from the outbox to JetStream, in order, at least once, urgent ones first.

NATS away means that the outbox grows and drains later: nothing waits for it and nothing is lost. One replica relays
at a time, under an advisory lock that ends with its transaction, so the events of a resource keep their order.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import asyncpg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from millwright_runtime import metrics
from millwright_runtime.errors import Unavailable
from millwright_runtime.events.jetstream import Outgoing, Publish
from millwright_runtime.events.signals import Listener
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database

_AWAY = (Unavailable, OSError, NatsError, JetStreamError, asyncpg.PostgresError, asyncpg.InterfaceError)
BATCH = 256
_IDLE_SECONDS = 0.5
_GATHER_SECONDS = 0.02
"""So long after a pass the next one begins: a busy service publishes what has come meanwhile together."""
_log = logging.getLogger(__name__)


class Relay:
    """Publishes the outbox of `schema`."""

    name = "relay"

    def __init__(self, database: Database, publish: Publish, schema: str) -> None:
        self._database = database
        self._publish = publish
        self._schema = schema
        self._is_away = False

    async def run(self, listener: Listener) -> None:
        """Relay until cancelled, whenever there is something or `listener` hears that there is."""
        while True:
            if await self._pass() < BATCH:
                await asyncio.sleep(_GATHER_SECONDS)
                await listener.wait(_IDLE_SECONDS)

    async def flush(self) -> None:
        """Publish what is there; give up at the first fault."""
        while await self._pass() == BATCH:
            pass

    async def run_once(self) -> int:
        """Publish one batch and give its size; 0 if there is nothing or another replica is at it.

        Raises what NATS or Postgres raise; then every event of the batch is still in the outbox.
        """
        async with self._database.transaction(ALL_TENANTS) as connection:
            if not await connection.fetchval(_TAKE_TURN, self._schema):
                return 0
            rows = await connection.fetch(_TAKE.format(schema=self._schema), BATCH)
            if not rows:
                return 0
            await self._publish([Outgoing(*tuple(row)[1:]) for row in rows])
            await self._remove(connection, rows)
        return len(rows)

    async def pending(self) -> int:
        """Count the events that wait; beyond 10,000 it is no use to know how many."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return int(await connection.fetchval(_PENDING.format(schema=self._schema)))

    async def _remove(self, connection: Connection, rows: list[asyncpg.Record]) -> None:
        await connection.execute(_REMOVE.format(schema=self._schema), [row["position"] for row in rows])
        now = datetime.now(UTC)
        for row in rows:
            metrics.EVENT_DELAY_SECONDS.observe(max(0.0, (now - row["event_time"]).total_seconds()))
        metrics.EVENTS_PUBLISHED.inc(len(rows))

    async def _pass(self) -> int:
        try:
            count = await self.run_once()
        except _AWAY as error:
            if not self._is_away:
                _log.warning("events wait in the outbox", extra={"fault": repr(error)})
            self._is_away = True
            return 0
        if self._is_away:
            _log.info("events flow again")
            self._is_away = False
        return count


# Acknowledgements may take their time; meanwhile nothing is asked of Postgres.
_TAKE_TURN = """
SELECT pg_try_advisory_xact_lock(hashtextextended('relay:' || $1, 0)) AS has_turn,
       set_config('idle_in_transaction_session_timeout', '60s', true),
       set_config('transaction_timeout', '90s', true)
"""
# The events to publish next, in the order of publication. Each is looked up by itself: a plan that was made while the
# log was empty would read the whole of it.
_TAKE = """
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
