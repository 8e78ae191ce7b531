"""Outlets: what waits in a table of Postgres goes to JetStream, in the order in which it waits, at least once.

NATS away means that the table grows and drains later: nothing waits for it and nothing is lost. One replica publishes
at a time, under an advisory lock that ends with its transaction, so what is published keeps its order.

Knows nothing of what the messages say.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

import asyncpg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from millwright_runtime.errors import Unavailable
from millwright_runtime.events.signals import Listener
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database

_AWAY = (Unavailable, OSError, NatsError, JetStreamError, asyncpg.PostgresError, asyncpg.InterfaceError)
BATCH = 256
_IDLE_SECONDS = 0.5
_GATHER_SECONDS = 0.02
"""So long after a pass the next one begins: a busy service publishes what has come meanwhile together."""
_log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")


class Outlet(ABC, Generic[ItemT]):
    """The way out of one queue; a subclass has its statements, and sends."""

    def __init__(self, database: Database, queue: str) -> None:
        """Take turns with other replicas by the name of the `queue`, which logs tell, too."""
        self._database = database
        self._queue = queue
        self._is_away = False

    @abstractmethod
    async def _oldest(self, connection: Connection, limit: int) -> Sequence[ItemT]:
        """Give at most `limit` items that wait, in the order of publication."""

    @abstractmethod
    async def _send(self, items: Sequence[ItemT]) -> None:
        """Publish in order, and return once JetStream has acknowledged all."""

    @abstractmethod
    async def _remove(self, connection: Connection, items: Sequence[ItemT]) -> None:
        """Take items that were sent out of the queue."""

    async def keep_publishing(self, listener: Listener) -> None:
        """Publish until cancelled, whenever there is something or `listener` hears that there is."""
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

        Raises what NATS or Postgres raise; then every item of the batch is still in the queue.
        """
        async with self._database.transaction(ALL_TENANTS) as connection:
            if not await connection.fetchval(_TAKE_TURN, self._queue):
                return 0
            items = await self._oldest(connection, BATCH)
            if items:
                await self._send(items)
                await self._remove(connection, items)
        return len(items)

    async def _pass(self) -> int:
        extra = {"queue": self._queue}
        try:
            count = await self.run_once()
        except _AWAY as error:
            if not self._is_away:
                _log.warning("events wait in the outbox", extra={**extra, "fault": repr(error)})
            self._is_away = True
            return 0
        if self._is_away:
            _log.info("events flow again", extra=extra)
            self._is_away = False
        return count


# Acknowledgements may take their time; meanwhile nothing is asked of Postgres. A limit of the transaction that runs
# already does not move: it is taken away first.
_TAKE_TURN = """
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS has_turn,
       set_config('idle_in_transaction_session_timeout', '60s', true),
       set_config('transaction_timeout', '0', true), set_config('transaction_timeout', '90s', true)
"""
