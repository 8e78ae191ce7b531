"""Making months of facts ahead, so that no window has to. Any replica may do it, at any time."""

from __future__ import annotations

import asyncio
import logging

import asyncpg
from millwright_runtime import metrics
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_etl.store import months

_PAUSE_SECONDS = 600.0
_log = logging.getLogger(__name__)


class Months:
    """A loop that makes the partitions of facts from the last month to some months ahead."""

    name = "months"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Make what is missing until cancelled, every ten minutes."""
        while True:
            await self.run_once()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: each month is made in a transaction of its own."""

    async def run_once(self) -> int:
        """Make what is missing; give how many partitions there were. What is in use is left to the next pass."""
        made = 0
        async with self._database.snapshot(ALL_TENANTS) as connection:
            near = await months.near(connection)
        for month in near:
            try:
                async with self._database.transaction(ALL_TENANTS) as connection:
                    made += await months.ensure(connection, month)
            except asyncpg.LockNotAvailableError:
                _log.info("a month is made later: its dimensions are in use", extra={"month": str(month)})
        metrics.PARTITIONS_MADE.inc(made)
        return made
