"""The health of what went live: for a while it is looked at, whether all replicas can serve it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence

from millwright_modules.artifacts.files import BlobFiles
from millwright_modules.blobs.keeper import BlobDamaged
from millwright_modules.domain.module import Asset
from millwright_modules.domain.operation import LIVE_SHARE, Activity, Done
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.words import Reason
from millwright_modules.engine.progress import Teller

_LOOK_SECONDS = 1.0
_CHECKED_AT_ONCE = 8


class Health:
    """Looks at what browsers load."""

    def __init__(self, files: BlobFiles) -> None:
        self._files = files

    async def watch(
        self, tenant: str, assets: Sequence[Asset], entry: str, seconds: float, teller: Teller
    ) -> Problem | None:
        """Look at every asset, then each second at the entry and another one; give the first thing that is wrong."""
        begin_time = time.monotonic()
        entries = [asset for asset in assets if asset.path == entry]
        others = itertools.cycle(assets)
        looked_at = assets
        while True:
            if problem := await self._look(tenant, looked_at):
                return problem
            gone = time.monotonic() - begin_time
            if gone >= seconds:
                return None
            steps = Done(steps_done=int(gone), steps_total=max(1, int(seconds)))
            share = LIVE_SHARE + (1 - LIVE_SHARE) * gone / seconds
            teller.hear(share, steps, Activity.WATCHING, seconds - gone)
            await asyncio.sleep(min(_LOOK_SECONDS, seconds - gone))
            looked_at = [*entries, *itertools.islice(others, 1)]

    async def _look(self, tenant: str, assets: Sequence[Asset]) -> Problem | None:
        for begin in range(0, len(assets), _CHECKED_AT_ONCE):
            few = assets[begin : begin + _CHECKED_AT_ONCE]
            found = await asyncio.gather(*(self._problem(tenant, asset) for asset in few))
            if problem := next(filter(None, found), None):
                return problem
        return None

    async def _problem(self, tenant: str, asset: Asset) -> Problem | None:
        try:
            await self._files.check(tenant, asset.digest)
        except BlobDamaged as damage:
            return Problem(Reason.UNHEALTHY, asset.path, asset.digest.hex(), str(damage))
        return None
