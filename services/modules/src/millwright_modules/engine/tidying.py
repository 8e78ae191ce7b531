"""Tidying: what nobody needs any more goes: old uploads, surplus versions, blobs that nothing names, old operations.

Any replica may do it; each step is a transaction of its own, and doing it twice does no harm.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_modules.blobs.keeper import Keeper
from millwright_modules.store import chunks, operations, uploads, versions

GRACE = timedelta(hours=1)
"""For so long a blob is left alone that nothing names yet: what names it may be on its way."""

_PAUSE_SECONDS = 300.0
_BATCH = 1000


class Tidying:
    """Removes what is older, or more, than what is kept."""

    name = "tidying"

    def __init__(self, database: Database, keeper: Keeper, versions_kept: int, operation_days: int) -> None:
        self._database = database
        self._keeper = keeper
        self._versions_kept = versions_kept
        self._operation_age = timedelta(days=operation_days)

    async def run(self) -> None:
        """Tidy until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand: each step is one transaction."""

    async def run_once(self, grace: timedelta = GRACE) -> None:
        """Remove what may go now."""
        while await self._forget_operations():
            pass
        await self._remove_versions()
        while await self._remove_upload():
            pass
        while await self._keeper.remove_one(grace):
            pass

    async def _forget_operations(self) -> int:
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await operations.forget(connection, self._operation_age, _BATCH)

    async def _remove_versions(self) -> None:
        async with self._database.transaction(ALL_TENANTS) as connection:
            surplus = await versions.surplus(connection, self._versions_kept)
        for tenant, code, version in surplus:
            async with self._database.transaction(tenant) as connection:
                await versions.remove_unless_live(connection, code, version)

    async def _remove_upload(self) -> bool:
        async with self._database.transaction(ALL_TENANTS) as connection:
            removed = await uploads.remove_old(connection)
            if removed is None:
                return False
            await chunks.remove_left(connection, *removed)  # those of a whole one go with the blob
        return True
