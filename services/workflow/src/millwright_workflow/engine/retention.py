"""Retention: instances that ended long ago are removed, a batch at a time; then their day's partitions may go.

An instance that is there has all its checkpoints and events, for its row is what holds back the partitions of its day.
So there is no half: it can be read, watched, retried and forked from, or it is not found.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from millwright_runtime import metrics
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_workflow.store import retention

BATCH = 1000
_PAUSE_SECONDS = 600.0


class Retention:
    """Removes the ended instances of every tenant. Of all replicas one works at a time."""

    name = "retention"

    def __init__(self, database: Database, age: timedelta) -> None:
        """Keep instances for `age` after their end."""
        self._database = database
        self._age = age

    async def run(self) -> None:
        """Remove until cancelled, every ten minutes."""
        while True:
            while await self.run_once() == BATCH:
                pass
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand: a batch is one transaction."""

    async def run_once(self) -> int:
        """Remove a batch; give its size, 0 while another replica is at it."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            if not await retention.take_turn(connection):
                return 0
            removed = await retention.remove(connection, self._age, BATCH)
        metrics.ROWS_REMOVED.labels("instance").inc(removed)
        return removed
