"""The worker: takes operations that nobody works on, this process's share of them, and keeps their leases.

Who is killed, frozen or cut off loses its leases after a few seconds; another one goes on with what it had, and what it
still writes has no effect.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from millwright_runtime import mistakes, tracing
from millwright_runtime.errors import Unavailable
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.signals import Draining
from millwright_runtime.postgres.database import ALL_TENANTS, is_away
from millwright_runtime.service import Platform
from prometheus_client import Counter

from millwright_modules.commands import operating
from millwright_modules.domain import names
from millwright_modules.domain.operation import MOST_ATTEMPTS, Stage
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.words import Reason
from millwright_modules.engine.installing import Installing
from millwright_modules.engine.work import Work
from millwright_modules.store import operations
from millwright_modules.store.operations import LeaseLost

WAITING = "modules-waiting"
"""The signal that an operation waits to be taken."""

_LEASE = timedelta(seconds=6)
_RENEW_SECONDS = 1.5
_LOOK_SECONDS = 1.0
_MOST_RUNNING = 500
_MOST_TOLD = 100
"""So many of those that wait hear at which place they are."""
_TAKEN_AGAIN = Counter(
    "millwright_modules_operations_taken_again_total", "Operations that were gone on with after their worker was lost."
)
_log = logging.getLogger(__name__)


class _Running(NamedTuple):
    """An operation in hand, and the task that works on it."""

    work: Work
    task: asyncio.Task[None]


class Worker:
    """Works on at most `at_once` operations, beside those that are live and only watched."""

    name = "operations"

    def __init__(self, platform: Platform, log: EventLog, installing: Installing, at_once: int) -> None:
        self._platform = platform
        self._log = log
        self._installing = installing
        self._at_once = at_once
        self._owner = uuid.uuid4()
        self._is_leaving = False
        self._taking = asyncio.Lock()
        self._running: dict[uuid.UUID, _Running] = {}

    async def run(self) -> None:
        """Take operations as there is room, until cancelled or the service goes away.

        Where the leases of those in hand cannot be kept, none is taken either: what was wrong with that is raised.
        """
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._keep_leases())
            with suppress(Draining):
                await self._keep_taking()
            renewing.cancel()
        raise Draining

    async def drain(self) -> None:
        """Stop working, and give operations up: another replica goes on with them at once."""
        self._is_leaving = True
        async with self._taking:  # what is just being taken is in hand then, and given up with the rest
            tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            await operations.release(connection, self._owner)
        await self._platform.wake(WAITING)

    async def _keep_taking(self) -> None:
        with self._platform.signals.listen(WAITING) as listener:
            while True:
                async with self._taking:
                    await self._take()
                if self._room <= 0:
                    await self._tell_who_waits()
                await listener.wait(_LOOK_SECONDS)

    async def _take(self) -> None:
        room = self._room
        if room <= 0 or self._is_leaving:
            return
        async with self._platform.database.transaction(ALL_TENANTS) as connection:
            taken = await operations.claim(connection, self._owner, _LEASE, room)
        for operation in taken:
            _TAKEN_AGAIN.inc(operation.attempts > 1)
            if operation.id in self._running:  # our own lease ran out: what we still do will have no effect
                self._running[operation.id].task.cancel()
            work = Work(self._platform, self._log, operation)
            task = asyncio.create_task(self._work(work), name=f"operation-{operation.id}")
            self._running[operation.id] = _Running(work, task)
            task.add_done_callback(lambda done, key=operation.id: self._ended(key, done))  # type: ignore[misc]

    @property
    def _room(self) -> int:
        busy = sum(running.work.operation.stage is not Stage.ACTIVATING for running in self._running.values())
        return min(self._at_once - busy, _MOST_RUNNING - len(self._running))

    async def _tell_who_waits(self) -> None:
        """Tell the first of those that nobody works on at which place they are, where that has changed."""
        async with self._platform.database.snapshot(ALL_TENANTS) as connection:
            waiting = await operations.waiting(connection, _MOST_TOLD)
        for place, operation in enumerate(waiting, 1):
            if operation.progress.place != place:
                with suppress(LeaseLost):  # somebody has taken it, or told it, meanwhile
                    async with self._platform.database.transaction(operation.tenant) as connection:
                        await operating.wait(connection, self._log, operation, place)
                    self._platform.committed(operation.tenant, names.operation(operation.id))

    def _ended(self, operation: uuid.UUID, task: asyncio.Task[None]) -> None:
        running = self._running.get(operation)
        if running and running.task is task:
            del self._running[operation]
        self._platform.signals.notify(WAITING)

    async def _keep_leases(self) -> None:
        """Renew the leases of what is worked on here; what is not ours any more is worked on no longer.

        What was given up for want of a connection, or was claimed without an answer, lapses: somebody takes it again.
        """
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            held = dict(self._running)
            try:
                async with self._platform.database.transaction(ALL_TENANTS) as connection:
                    ours = await operations.renew(connection, self._owner, _LEASE, held)
            except Exception as error:
                if not is_away(error):
                    raise
                continue
            for operation, running in held.items():
                if operation not in ours:
                    running.task.cancel()

    async def _work(self, work: Work) -> None:
        operation = work.operation
        tracing.join(operation.traceparent)
        extra = {"operation": str(operation.id), "tenant": operation.tenant}
        try:
            if operation.attempts > MOST_ATTEMPTS:
                problem = Problem(Reason.GIVEN_UP, found=str(operation.attempts - 1))
                await self._installing.give_up(work, problem)
            else:
                await self._installing.run(work)
        except LeaseLost:
            _log.info("an operation is not ours any more", extra=extra)
        except Exception as error:  # noqa: BLE001 - whatever it met, the worker goes on
            if not is_away(error):
                mistake = mistakes.record(_log, "an operation failed", error, **extra)
                await self._end(work, Problem(Reason.INTERNAL, found=mistake.error_id), extra)
                return
            _log.warning("an operation waits: what it needs is away", extra={**extra, "fault": repr(error)})
            if isinstance(error, Unavailable) and operation.attempts >= MOST_ATTEMPTS:
                await self._end(work, Problem(Reason.BACKEND_UNAVAILABLE, found=str(error)), extra)

    async def _end(self, work: Work, problem: Problem, extra: dict[str, str]) -> None:
        try:
            await self._installing.give_up(work, problem)
        except Exception as error:  # noqa: BLE001 - it is taken again once its lease has run out, and given up in the end
            _log.warning("an operation could not be ended", extra={**extra, "fault": repr(error)})
