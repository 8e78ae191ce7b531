"""Forgetting: streams of rows with which nobody goes on any more are removed. Any replica may do it."""

from __future__ import annotations

import asyncio

from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_etl.store import ingest_streams

_PAUSE_SECONDS = 3600.0


class Forgetting:
    """Removes what is older than what is promised."""

    name = "forgetting"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Remove until cancelled."""
        while True:
            while await self.run_once():
                pass
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: each batch is one transaction."""

    async def run_once(self) -> int:
        """Remove a batch; give how many streams it had."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await ingest_streams.forget(connection)
