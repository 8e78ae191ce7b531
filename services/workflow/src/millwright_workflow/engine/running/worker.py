"""A worker: claims the instances of the partitions it holds, and drives each in a task of its own.

pending ──claim, version bound──▶ running here ──▶ ended, or paused
running here ──to be undone──▶ taken again, by whoever holds the partition
running, partition gained ──recall──▶ running here
running here, partition given up or lost ──▶ goes on where the partition goes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from millwright_runtime.events.signals import Signals

from millwright_workflow.domain import names, partitions
from millwright_workflow.domain.execution import Active, Checkpoint, Tenure
from millwright_workflow.domain.instances import Key
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.engine.running.driver import Stop
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.run import Run, RunFactory
from millwright_workflow.engine.running.storage import Storage

WORK = "work"
"""The signal that there is something to claim, to resume, to pause or to cancel."""

_LOOK_SECONDS = 0.5
_AUDIT_SECONDS = 15.0
_CLAIM_BATCH = 100
_RECALLS_AT_ONCE = 2
_RECALL_BATCH = 25
"""How many instances are read back together. Each batch goes on as soon as it is there."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """A look into the database for instances to run. What it finds is begun only if it cannot be old by then."""

    tenure: Tenure
    """What was ours when it began, and has to be ours still."""
    left: set[Key] = field(default_factory=set)
    """The instances that have left since: they may be further than it saw."""


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
        self._looks: list[_Look] = []
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
        with self._looking() as look:
            await self._go_on(await self._storage.take_resumed(look.tenure), look)
        begun = 0
        while claimed := await self._claim():
            begun += claimed
        return begun

    async def _claim(self) -> int:
        room = self._max_instances - len(self._running)
        if room <= 0:
            return 0
        with self._looking() as look:
            claimed = await self._storage.claim(look.tenure, min(room, _CLAIM_BATCH))
            for active in claimed:
                if active.step == 0:
                    self._begin(active, self._runs.fresh(active), look)
            # The others were forked: their results are there before they begin.
            await self._go_on([active for active in claimed if active.step], look)
        return len(claimed)

    async def audit_once(self) -> int:
        """Go on with instances of our partitions that nobody advances, whatever the reason; give how many."""
        with self._looking() as look:
            found = await self._storage.running(tuple(look.tenure.epochs))
            return await self._go_on([it for it in found if it.instance.key not in self._running], look)

    async def _audit(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_AUDIT_SECONDS):  # wait_for of Python 3.11 may swallow a cancellation
                    await self._lost.wait()
            self._lost.clear()
            if found := await self.audit_once():
                _log.warning("found instances that nobody advanced", extra={"count": found})

    async def move_in(self, gained: Collection[int]) -> None:
        """Go on with what runs in partitions that are ours from now on."""
        with self._looking() as look:
            count = await self._go_on(await self._storage.running(gained), look)
        _log.info("instances taken in", extra={"count": count})
        self._signals.notify(WORK)

    @contextmanager
    def _looking(self) -> Iterator[_Look]:
        look = _Look(self._holdings.kept)
        self._looks.append(look)
        try:
            yield look
        finally:
            self._looks.remove(look)

    async def _go_on(self, found: Sequence[Active], look: _Look) -> int:
        batches = (found[start : start + _RECALL_BATCH] for start in range(0, len(found), _RECALL_BATCH))
        recalls = [self._recall(batch, look) for batch in batches]
        for outcome in await asyncio.gather(*recalls, return_exceptions=True):  # none outlives the look
            if outcome is not None:
                raise outcome
        return len(found)

    async def _recall(self, batch: Sequence[Active], look: _Look) -> None:
        async with self._recalling:
            if wanted := [active for active in batch if self._may_begin(active, look)]:
                for active, memory in zip(wanted, await self._storage.recall(wanted), strict=True):
                    self._begin(active, self._runs.recalled(active, memory), look)

    def _may_begin(self, active: Active, look: _Look) -> bool:
        key = active.instance.key
        if key in self._running:
            self._running[key].is_lost = True  # it is leaving, and what was seen of it may be newer
            return False
        return key not in look.left and self._holdings.keeps(partitions.of(active.instance.instance), look.tenure)

    def _begin(self, active: Active, run: Run, look: _Look) -> None:
        if self._may_begin(active, look):
            key = active.instance.key
            self._running[key] = run
            run.start(left=lambda: self._left(key, run))

    def _left(self, key: Key, run: Run) -> None:
        if self._running.get(key) is run:
            del self._running[key]
            for look in self._looks:
                look.left.add(key)
        if run.is_lost:
            self._lost.set()
        if run.is_to_be_undone:
            self._signals.notify(WORK)
        if len(self._running) == self._max_instances - 1:
            self._signals.notify(WORK)  # there is room again

    async def _fulfil_wishes(self) -> None:
        if not self._running:
            return
        for wish in await self._storage.wishes(tuple(self._holdings.tenure.epochs)):
            run = self._running.get(wish.key)
            if run is None or run.state is not wish.state:
                continue
            if wish.run_policy in (RunPolicy.CANCEL, RunPolicy.CANCEL_COMPENSATE):
                run.cancel(wish.reason, compensates=wish.run_policy is RunPolicy.CANCEL_COMPENSATE)
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
        if runs:
            await asyncio.wait([run.task for run in runs])

    def _in(self, chosen: Collection[int]) -> list[Run]:
        return [run for (_, instance), run in self._running.items() if partitions.of(instance) in chosen]
