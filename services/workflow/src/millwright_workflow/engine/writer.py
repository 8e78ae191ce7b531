"""Group commit: what all running instances want to save goes to Postgres together.

A flush takes everything that is waiting and begins as soon as the one before is back. An idle service commits a step
at once, a busy one commits hundreds in the time of one.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque

from millwright_runtime.errors import Unavailable
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import ALL_TENANTS, is_connection_loss
from millwright_runtime.service import Platform

from millwright_workflow.domain import names
from millwright_workflow.store import steps as store
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.steps import Key, Step

BATCH = 256
_RETRY_SECONDS = 0.25
_log = logging.getLogger(__name__)


_Entry = tuple[Step, asyncio.Future[bool]]


class Superseded(Exception):
    """The instance is not ours any more: another worker has it, or it has ended. Nothing was written."""


class Writer:
    """Writes the steps of one worker."""

    name = "writer"

    def __init__(self, platform: Platform, log: EventLog, checkpoints: Checkpoints, worker: uuid.UUID) -> None:
        self._platform = platform
        self._log = log
        self._checkpoints = checkpoints
        self._worker = worker
        self._unsaved: list[Step] = []
        self._committed = asyncio.Event()
        self._waiting: deque[_Entry] = deque()
        self._last: asyncio.Future[bool] | None = None
        self._arrived = asyncio.Event()

    def commit(self, step: Step) -> asyncio.Future[bool]:
        """Queue a step; the future is done once it is durable, or raises Superseded.

        It tells whether the instance is held: a rollback that has committed wants it to pause. An instance has one
        step under way at a time.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, future))
        self._last = future
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Flush to Postgres, and save checkpoints behind it, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save_checkpoints())
            await self._flush_steps()

    async def _flush_steps(self) -> None:
        while True:
            while self._waiting:
                count = min(BATCH, len(self._waiting))
                await self._flush([self._waiting.popleft() for _ in range(count)])
            self._arrived.clear()
            await self._arrived.wait()

    async def _save_checkpoints(self) -> None:
        """Save what is committed, all that has come together while the last save was under way."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            steps, self._unsaved = self._unsaved, []
            await self._checkpoints.save(steps)

    async def drain(self) -> None:
        """Return once every step that was queued is durable; nothing queues any more."""
        while self._last and not self._last.done():
            await asyncio.wait([self._last])

    async def _flush(self, batch: list[_Entry]) -> None:
        """Write a batch. What Postgres refuses is refused alone: the steps beside it are nobody's fault."""
        try:
            owned = await self._write([step for step, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is whoever waits for the step who raises it
            if len(batch) == 1:
                _, future = batch[0]
                if not future.done():
                    future.set_exception(error)
                return
            for entry in batch:
                await self._flush([entry])
        else:
            self._acknowledge(batch, owned)

    async def _write(self, steps: list[Step]) -> dict[Key, bool]:
        """Write steps, however long Postgres is away: until then nobody is told that anything is durable."""
        while True:
            try:
                async with self._platform.database.transaction(ALL_TENANTS) as connection:
                    return await store.write(connection, self._log, self._worker, steps)
            except Exception as error:
                if not (isinstance(error, Unavailable) or is_connection_loss(error)):
                    raise
                _log.warning("steps wait for the database", extra={"fault": repr(error), "steps": len(steps)})
                await asyncio.sleep(_RETRY_SECONDS)

    def _acknowledge(self, batch: list[_Entry], owned: dict[Key, bool]) -> None:
        accepted = [step for step, _ in batch if step.key in owned]
        self._unsaved += accepted
        self._committed.set()
        for step in accepted:
            self._platform.committed(step.tenant, names.instance(step.instance))
        for step, future in batch:
            if future.done():
                continue
            if step.key in owned:
                future.set_result(owned[step.key])
            else:
                future.set_exception(Superseded())
