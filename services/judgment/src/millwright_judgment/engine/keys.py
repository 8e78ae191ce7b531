"""Idempotency keys that are older than what is promised are removed. Any replica may do it, at any time."""

from __future__ import annotations

import asyncio

from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_judgment.store import executions

_PAUSE_SECONDS = 600.0


class Keys:
    """Removes old keys."""

    name = "keys"

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
        """Remove a batch; give how many keys were removed."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await executions.forget_keys(connection)
