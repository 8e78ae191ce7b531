"""Gathering: blobs that lie elsewhere are brought to where new ones go, one after another, while all of it serves.

Any replica may do it, at any time: what lies twice for a while goes by tidying.
"""

from __future__ import annotations

import asyncio
import logging

from millwright_runtime.errors import Unavailable

from millwright_modules.blobs.keeper import BlobDamaged, Keeper

_PAUSE_SECONDS = 60.0
_BEGIN = ("", b"")
_log = logging.getLogger(__name__)


class Gathering:
    """Moves blobs after the settings have named another place for them."""

    name = "gathering"

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def run(self) -> None:
        """Gather until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def drain(self) -> None:
        """Have nothing in hand that would not be begun again."""

    async def run_once(self) -> int:
        """Move all that lies elsewhere and can be read; give how many were moved."""
        moved = 0
        after = _BEGIN
        while (found := await self._keeper.elsewhere(after)) is not None:
            after = (found.tenant, found.digest)
            try:
                await self._keeper.move(found)
            except BlobDamaged as damage:
                _log.warning("an artifact stays where it is", extra={"place": found.place, "fault": str(damage)})
            except Unavailable as error:  # the next round goes on
                _log.warning("artifacts wait to be moved", extra={"place": found.place, "fault": str(error)})
                break
            else:
                moved += 1
        if moved:
            _log.info("artifacts were moved", extra={"count": moved})
        return moved
