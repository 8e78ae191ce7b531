"""A worker: claims the instances of the partitions it holds, and drives each in a task of its own.

pending ──claim, version bound──▶ running here ──▶ ended, or paused
running, partition gained ──recall──▶ running here
running here, partition given up or lost ──▶ goes on where the partition goes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress

from millwright_runtime.events.signals import Signals

from millwright_workflow.domain import names, partitions
from millwright_workflow.domain.execution import Active, Checkpoint
from millwright_workflow.domain.instances import Key
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.engine.driver import Stop
from millwright_workflow.engine.holdings import Holdings
from millwright_workflow.engine.run import Run, RunFactory
from millwright_workflow.engine.storage import Storage

WORK = "work"
"""The signal that there is something to claim, to resume, to pause or to cancel."""

_LOOK_SECONDS = 0.5
_AUDIT_SECONDS = 15.0
_CLAIM_BATCH = 100
_RECALLS_AT_ONCE = 8
_log = logging.getLogger(__name__)


class Worker:
    """Runs instances in this process."""

    name = "worker"

    def __init__(
        self,
        storage: Storage,
        holdings: Holdings,
        signals: Signals,
        runs: RunFactory,
        max_instances: int,
        hand_over_seconds: float,
    ) -> None:
        self._storage = storage
        self._holdings = holdings
        self._signals = signals
        self._runs = runs
        self._max_instances = max_instances
        self._hand_over_seconds = hand_over_seconds
        self._running: dict[Key, Run] = {}
        self._recalling = asyncio.Semaphore(_RECALLS_AT_ONCE)
        self._lost = asyncio.Event()
        """Set when instances may be ours in the database that do not run here."""
        self._is_draining = False

    async def run(self) -> None:
        """Work until cancelled."""
        self._lost.set()  # a pass that failed may have committed what it did not hear of
        async with asyncio.TaskGroup() as group:
            group.create_task(self._holdings.run(self))
            group.create_task(self._audit())
            with self._signals.listen(WORK) as listener:
                while True:
                    await self.run_once()
                    await listener.wait(_LOOK_SECONDS)

    def find_checkpoint(self, key: Key, number: int | None) -> Checkpoint | None:
        """Give a checkpoint of an instance that runs here, or its newest, if it is still in memory."""
        run = self._running.get(key)
        return run.find_checkpoint(number) if run else None

    async def drain(self) -> None:
        """Take no more instances, stop the running ones at their next boundary, and let other workers go on."""
        self._is_draining = True
        await self._holdings.leave(self)

    async def run_once(self) -> int:
        """Fulfil wishes and claim what there is once; give how many instances were begun."""
        if self._is_draining or not self._holdings.tenure.epochs:
            return 0
        await self._fulfil_wishes()
        for instance in await self._storage.cancel_paused(_CLAIM_BATCH):
            self._signals.notify(f"{instance.tenant}/{names.instance(instance.instance)}")
        for active in await self._storage.take_resumed(self._holdings.tenure):
            await self._recall(active)
        begun = 0
        while (room := self._max_instances - len(self._running)) > 0:
            claimed = await self._storage.claim(self._holdings.tenure, min(room, _CLAIM_BATCH))
            for active in claimed:
                await self._begin_claimed(active)
            begun += len(claimed)
            if not claimed:
                break
        return begun

    async def audit_once(self) -> int:
        """Go on with instances of our partitions that nobody advances, whatever the reason; give how many."""
        held = tuple(self._holdings.tenure.epochs)
        stranded = [active for active in await self._storage.running(held) if active.instance.key not in self._running]
        return await self._go_on(stranded)

    async def _audit(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), _AUDIT_SECONDS)
            self._lost.clear()
            if found := await self.audit_once():
                _log.warning("found instances that nobody advanced", extra={"count": found})

    async def move_in(self, gained: Collection[int]) -> None:
        """Go on with what runs in partitions that are ours from now on."""
        count = await self._go_on(await self._storage.running(gained))
        _log.info("instances taken in", extra={"count": count})
        self._signals.notify(WORK)

    async def _go_on(self, found: Sequence[Active]) -> int:
        await asyncio.gather(*(self._recall(active) for active in found))
        return len(found)

    async def _recall(self, active: Active) -> None:
        async with self._recalling:
            key = active.instance.key
            if key in self._running or self._is_draining:
                return
            run = self._runs.recalled(active, await self._storage.recall(active))
            if partitions.of(active.instance.instance) in self._holdings.tenure.epochs and key not in self._running:
                self._begin(active, run)

    async def _begin_claimed(self, active: Active) -> None:
        if active.step == 0:
            self._begin(active, self._runs.fresh(active))
        else:  # it was forked: its results are there before it begins
            await self._recall(active)

    def _begin(self, active: Active, run: Run) -> None:
        key = active.instance.key
        self._running[key] = run
        if self._is_draining:
            run.stop(Stop.HAND_OVER)
        run.start(left=lambda: self._left(key, run))

    def _left(self, key: Key, run: Run) -> None:
        if self._running.get(key) is run:
            del self._running[key]
        if run.is_lost:
            self._lost.set()
        if len(self._running) == self._max_instances - 1:
            self._signals.notify(WORK)  # there is room again

    async def _fulfil_wishes(self) -> None:
        if not self._running:
            return
        for wish in await self._storage.wishes(tuple(self._holdings.tenure.epochs)):
            if run := self._running.get(wish.key):
                if wish.run_policy is RunPolicy.CANCEL:
                    run.cancel(wish.reason)
                else:
                    run.stop(Stop.PAUSE)

    def abandon(self, lost: Collection[int]) -> None:
        """Stop at once what runs in partitions that are another's: nothing of it can be written any more."""
        for run in self._in(lost):
            run.abandon()

    async def vacate(self, given: Collection[int]) -> None:
        """Stop what runs in partitions at its next boundary; what reaches none in time is interrupted."""
        runs = self._in(given)
        for run in runs:
            run.stop(Stop.HAND_OVER)
        try:
            if runs:
                await asyncio.wait([run.task for run in runs], timeout=self._hand_over_seconds)
        finally:  # also if we are hurried: after us nobody ends them, and they would keep the process
            for run in runs:
                run.abandon()
        await asyncio.gather(*(run.task for run in runs), return_exceptions=True)

    def _in(self, chosen: Collection[int]) -> list[Run]:
        return [run for (_, instance), run in self._running.items() if partitions.of(instance) in chosen]
