"""Group commit: what all running instances want to save is written together.

A flush takes everything that is waiting and begins as soon as the one before is back. An idle service commits a step
at once, a busy one commits hundreds in the time of one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from millwright_runtime.postgres.database import is_connection_loss

from millwright_workflow.domain.execution import Step
from millwright_workflow.engine.holdings import Holdings
from millwright_workflow.engine.storage import Storage

BATCH = 256
_RETRY_SECONDS = 0.25
_log = logging.getLogger(__name__)


class Superseded(Exception):
    """The instance is not ours any more: another worker has it, or it has ended. Nothing was written."""


class Writer:
    """Writes the steps of one worker."""

    name = "writer"

    def __init__(self, storage: Storage, holdings: Holdings) -> None:
        self._storage = storage
        self._holdings = holdings
        self._waiting: deque[tuple[Step, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()

    def commit(self, step: Step) -> asyncio.Future[None]:
        """Queue a step; the future is done once it is durable, or raises Superseded.

        The steps of an instance are queued in the order of their numbers.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                count = min(BATCH, len(self._waiting))
                await self._flush([self._waiting.popleft() for _ in range(count)])

    async def drain(self) -> None:
        """Return once every step that was queued is durable; nothing queues any more."""
        while self._waiting:
            await asyncio.wait([self._waiting[-1][1]])

    async def _flush(self, batch: list[tuple[Step, asyncio.Future[None]]]) -> None:
        """Write a batch, however long the database is away: until then nobody is told that anything is durable."""
        steps = [step for step, _ in batch]
        while True:
            try:
                written = await self._storage.write(self._holdings.tenure, steps)
            except Exception as error:
                if not is_connection_loss(error):
                    for _, future in batch:
                        _settle(future, error)
                    raise
                _log.warning("steps wait for the database", extra={"fault": repr(error), "steps": len(steps)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                for step, future in batch:
                    _settle(future, None if step.instance in written else Superseded())
                return


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
