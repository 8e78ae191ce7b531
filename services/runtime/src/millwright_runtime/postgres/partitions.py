"""Partitions: tables that grow for ever are kept by the day or the month, made ahead and dropped when they are old.

The service's role owns no table, so it makes and drops none: `tables.partitions` gives its schema two functions of
the owner that do just this, to the tables that a migration has registered and to no other. What is old is told by the
database's clock, and what is still needed by the condition that the migration gave: it is asked once more under the
lock under which a partition is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from millwright_runtime import metrics
from millwright_runtime.postgres.database import ALL_TENANTS, Database

AHEAD_DAYS = 7
"""How far ahead partitions are made: for so long a service may be unable to make any before it must stop writing."""

_PAUSE_SECONDS = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a pass has done."""

    made: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    """Old enough to go, and still needed."""
    busy: tuple[str, ...] = ()
    """Tables that somebody used for too long to wait for: their turn comes with the next pass."""


class Partitions:
    """The partitioned tables of one schema. Of all replicas one works at a time."""

    name = "partitions"

    def __init__(self, database: Database, schema: str, keep_days: Mapping[str, int]) -> None:
        """Keep of each table what is not older than so many days; of one that is not named, everything."""
        self._database = database
        self._schema = schema
        self._keep_days = keep_days

    async def run(self) -> None:
        """Make and drop until cancelled, every ten minutes."""
        while True:
            await self.run_once()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand: each partition is made or dropped in a transaction of its own."""

    async def make(self) -> tuple[str, ...]:
        """Make what is missing from yesterday to AHEAD_DAYS from now, waiting for whoever is at it; give the names."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            await connection.execute(_WAIT_TURN, self._schema)
            rows = await connection.fetch(_MAKE.format(schema=self._schema), AHEAD_DAYS)
        made = tuple(row["name"] for row in rows)
        metrics.PARTITIONS_MADE.inc(len(made))
        return made

    async def run_once(self) -> Kept:
        """Make what is missing, drop what is old and not needed; does nothing while another replica is at it."""
        made = await self.make()
        dropped: list[str] = []
        held: list[str] = []
        busy: list[str] = []
        for table, days in self._keep_days.items():
            try:
                while (found := await self._drop(table, days)).dropped:
                    dropped += found.dropped
                held += found.held
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                busy.append(table)
                _log.info("a partition is dropped later: its table is in use", extra={"table": table})
        metrics.PARTITIONS_HELD.set(len(held))
        return Kept(made, tuple(dropped), tuple(held), tuple(busy))

    async def _drop(self, table: str, days: int) -> Kept:
        """Drop the oldest partition that may go: one a transaction, so that the lock is held for a moment only."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            if not await connection.fetchval(_TAKE_TURN, self._schema):
                return Kept()
            rows = await connection.fetch(_DROP.format(schema=self._schema), table, days)
        dropped = tuple(row["name"] for row in rows if row["is_dropped"])
        for partition in dropped:
            _log.info("a partition is dropped", extra={"partition": partition})
        metrics.PARTITIONS_DROPPED.inc(len(dropped))
        return Kept(dropped=dropped, held=tuple(row["name"] for row in rows if not row["is_dropped"]))


_WAIT_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('partitions:' || $1, 0))"
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('partitions:' || $1, 0))"
_MAKE = "SELECT name FROM {schema}.make_partitions($1) AS made (name)"
_DROP = "SELECT name, is_dropped FROM {schema}.drop_partition($1, $2)"
