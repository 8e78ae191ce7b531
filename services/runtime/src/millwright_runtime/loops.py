"""Background loops: kept up for as long as the service lives, and drained when it goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from millwright_runtime import metrics
from millwright_runtime.events.signals import Draining
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database, is_away

_RESTART_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Loop(Protocol):
    """Background work: runs until it is cancelled or told to drain."""

    name: str

    async def run(self) -> None:
        """Work until cancelled; an exception is logged and the loop begins anew."""
        ...

    async def drain(self) -> None:
        """Take no more work and hand over or finish what is in hand, within the drain time."""
        ...


class Removal:
    """A loop that removes what is past its time, in all tenants. Any replica may do it, at any time."""

    def __init__(
        self, name: str, database: Database, remove: Callable[[Connection], Awaitable[int]], pause_seconds: float
    ) -> None:
        """Have `remove` take a batch away and say how many there were, until none are left; again after a pause."""
        self.name = name
        self._database = database
        self._remove = remove
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Remove until cancelled."""
        while True:
            while await self.run_once():
                pass
            await asyncio.sleep(self._pause_seconds)

    async def drain(self) -> None:
        """Have nothing in hand: each batch is one transaction."""

    async def run_once(self) -> int:
        """Remove a batch; give how many there were."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return await self._remove(connection)


async def kept_up(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop for as long as the service lives: what it raises is logged, counted, and it begins anew."""
    while True:
        try:
            await run()
        except Draining:
            return
        except Exception as error:  # noqa: BLE001 - the top of a loop: it must outlive whatever a pass meets
            metrics.LOOP_FAILURES.labels(name).inc()
            extra = {"loop": name, "fault": repr(error)}
            if is_away(error):
                _log.warning("a background loop waits", extra=extra)
            else:
                _log.exception("a background loop failed and begins anew", extra=extra)
            await asyncio.sleep(_RESTART_SECONDS)


async def drain(loop: Loop, seconds: float) -> None:
    """Let a loop drain for at most `seconds`; that it fails is logged."""
    try:
        async with asyncio.timeout(seconds):
            await loop.drain()
    except Exception:  # noqa: BLE001 - the others must drain, too
        _log.exception("a background loop did not drain", extra={"loop": loop.name})


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
