"""The units of experiments that ended long ago are removed; how many there were is kept. Any replica may do it."""

from __future__ import annotations

import asyncio

from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_judgment.store import experiments

_PAUSE_SECONDS = 600.0
_BATCH = 10_000


class Units:
    """Removes units that nobody counts any more."""

    name = "units"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Remove until cancelled, every ten minutes."""
        while True:
            while await self.run_once():
                pass
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: each batch is one transaction."""

    async def run_once(self) -> int:
        """Remove a batch; give how many units were removed."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await experiments.forget_units(connection, _BATCH)
