"""The relay: takes committed events from the outbox to JetStream, in order, at least once.

NATS away means that the outbox grows and drains later: nothing waits for it and nothing is lost. One replica relays
at a time, under an advisory lock that ends with its transaction, so the events of a resource keep their order.
"""

from __future__ import annotations

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
            await connection.execute(_TAKE_TIME)
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
_TAKE_TIME = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('relay:' || $1, 0))"
# The oldest events not yet acknowledged, in the order of publication.
_TAKE = """
SELECT position, event.tenant, event.resource, event.sequence, kind, type, data, traceparent, event_time
FROM {schema}.outbox JOIN {schema}.event USING (tenant, resource, sequence)
ORDER BY position LIMIT $1
"""
_REMOVE = "DELETE FROM {schema}.outbox WHERE position = ANY ($1::bigint[])"
_PENDING = "SELECT count(*) FROM (SELECT FROM {schema}.outbox LIMIT 10000) AS waiting"
