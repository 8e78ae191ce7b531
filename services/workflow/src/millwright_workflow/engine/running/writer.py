"""Group commit: what all running instances want to save is written together.

A flush takes everything that is waiting and begins as soon as the one before is back. An idle service commits a step
at once, a busy one commits hundreds in the time of one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from millwright_runtime.postgres.database import is_away

from millwright_workflow.domain.execution import Step
from millwright_workflow.domain.instances import Key
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.storage import Storage

BATCH = 256
_RETRY_SECONDS = 0.25
_log = logging.getLogger(__name__)

_Entry = tuple[Step, "asyncio.Future[bool]"]


class Superseded(Exception):
    """The instance is not ours any more: another worker has it, or it has ended. Nothing was written."""


class Writer:
    """Writes the steps of one worker."""

    name = "writer"

    def __init__(self, storage: Storage, holdings: Holdings) -> None:
        self._storage = storage
        self._holdings = holdings
        self._waiting: deque[_Entry] = deque()
        self._last: asyncio.Future[bool] | None = None
        self._arrived = asyncio.Event()

    def commit(self, step: Step) -> asyncio.Future[bool]:
        """Queue a step; the future is done once it is durable, or raises Superseded.

        It tells whether the instance is held: a rollback that has committed wants it to pause. The steps of an instance
        are queued in the order of their numbers.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        self._last = future
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            while self._waiting:
                count = min(BATCH, len(self._waiting))
                await self._flush([self._waiting.popleft() for _ in range(count)])
            self._arrived.clear()
            await self._arrived.wait()

    async def drain(self) -> None:
        """Return once every step that was queued is durable; nothing queues any more."""
        while self._last and not self._last.done():
            await asyncio.wait([self._last])

    async def _flush(self, batch: list[_Entry]) -> None:
        """Write a batch. What Postgres refuses is refused alone: the steps beside it are nobody's fault."""
        try:
            written = await self._write([step for step, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is whoever waits for the step who raises it
            if len(batch) > 1:
                for entry in batch:
                    await self._flush([entry])
                return
            _settle(batch[0][1], error)
        else:
            for step, future in batch:
                _settle(future, written.get(step.key, Superseded()))

    async def _write(self, steps: list[Step]) -> dict[Key, bool]:
        """Write steps, however long the database is away: until then nobody is told that anything is durable."""
        while True:
            try:
                return await self._storage.write(self._holdings.tenure, steps)
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("steps wait for the database", extra={"fault": repr(error), "steps": len(steps)})
                await asyncio.sleep(_RETRY_SECONDS)


def _settle(future: asyncio.Future[bool], outcome: bool | Exception) -> None:  # noqa: FBT001 - what the future gives
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
