"""Holdings: the partitions that this process owns, and until when it may rely on that.

Renews the lease, takes its share of the partitions and gives up what lies above it. Starts and stops no instance
itself; it tells who does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Protocol

from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Tenure
from millwright_workflow.engine.running.clock import Clock
from millwright_workflow.engine.running.storage import Storage

LEASE = timedelta(seconds=5)
_MARGIN_SECONDS = 1.0
_PASS_SECONDS = 1.0
_LAPSE_MARGIN_SECONDS = 0.02
"""So long after a lease must have lapsed somebody looks whether it has."""
_log = logging.getLogger(__name__)


class Occupant(Protocol):
    """Who runs instances in the partitions that are held."""

    async def move_in(self, gained: Collection[int]) -> None:
        """Go on with what runs in partitions that are ours from now on."""
        ...

    async def vacate(self, given: Collection[int]) -> None:
        """Stop what runs in partitions that will be another's; return once nothing of it is written any more."""
        ...

    def abandon(self, lost: Collection[int]) -> None:
        """Stop at once what runs in partitions that are another's already."""
        ...


class Holdings:
    """The partitions of one worker."""

    def __init__(self, storage: Storage, worker: uuid.UUID, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self.tenure = Tenure(worker, {})
        self._given: frozenset[int] = frozenset()
        """Partitions that are ours and about to be another's."""
        self._is_leaving = False
        self._has_left = False
        self._valid_until = float("-inf")
        self._next_lapse = float("inf")
        """When the first of the others' leases lapses unless it is renewed, as far as is known."""
        self._renewing = asyncio.Lock()
        self._renewed = asyncio.Event()

    @property
    def kept(self) -> Tenure:
        """Give the tenure as it is now, without what is about to be another's: where instances may begin."""
        given = self.tenure.epochs.keys() if self._is_leaving else self._given
        return Tenure(self.tenure.worker, {p: epoch for p, epoch in self.tenure.epochs.items() if p not in given})

    def keeps(self, partition: int, earlier: Tenure) -> bool:
        """Tell whether a partition is ours without a break since `earlier`, and to stay."""
        if self._is_leaving or partition in self._given:
            return False
        return partition in earlier.epochs and self.tenure.epochs.get(partition) == earlier.epochs[partition]

    async def run(self, occupant: Occupant) -> None:
        """Keep the lease and the share of partitions until cancelled; `occupant` follows."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_alive(occupant))
            while True:
                await self.run_once(occupant)
                await asyncio.sleep(self._until_next_look())

    async def run_once(self, occupant: Occupant) -> None:
        """Renew the lease and move towards the fair share once."""
        view = await self._renew(occupant)
        if view is None or self._is_leaving:
            return
        worker = self.tenure.worker
        plan = partitions.plan(view, worker)
        if plan.release:
            await self._release(plan.release, occupant)
        # Ours by an acquisition whose answer was lost: they are acquired once more.
        unknown = {p for p, owner in view.owners.items() if owner == worker and p not in self.tenure.epochs}
        if wanted := unknown.difference(plan.release).union(plan.acquire):
            await self._acquire(sorted(wanted), occupant)

    async def leave(self, occupant: Occupant) -> None:
        """Stop everything and give up the lease."""
        self._is_leaving = True
        await occupant.vacate(tuple(self.tenure.epochs))
        async with self._renewing:
            self._has_left = True
            await self._storage.leave(self.tenure.worker)
        self.tenure.epochs.clear()

    async def confirm(self) -> None:
        """Return at once while the lease is sure to last; past that, only once it has been renewed.

        A process that was frozen wakes up here before it does anything outside the database.
        """
        while self._clock.monotonic() >= self._valid_until:
            self._renewed.clear()
            await self._renewed.wait()

    async def _stay_alive(self, occupant: Occupant) -> None:
        """Renew the lease, however long it takes to move in or out somewhere."""
        while True:
            await asyncio.sleep(_PASS_SECONDS)
            await self._renew(occupant)

    def _until_next_look(self) -> float:
        """Give how long to wait: a pass, or less if a lease ends before. What the dead owned stands still no longer."""
        left = self._next_lapse - self._clock.monotonic() + _LAPSE_MARGIN_SECONDS
        return min(_PASS_SECONDS, max(left, _LAPSE_MARGIN_SECONDS))

    async def _renew(self, occupant: Occupant) -> partitions.View | None:
        async with self._renewing:
            if self._has_left:
                return None
            held = dict(self.tenure.epochs)
            begin = self._clock.monotonic()
            view = await self._storage.renew(self.tenure.worker, LEASE)
            self._clock.set(view.time, begin)
            self._notice_losses(held, view, occupant)
            self._valid_until = begin + LEASE.total_seconds() - _MARGIN_SECONDS
            rest = view.next_lapse.total_seconds() if view.next_lapse is not None else float("inf")
            self._next_lapse = self._clock.monotonic() + rest
            self._renewed.set()
            return view

    async def _acquire(self, wanted: Collection[int], occupant: Occupant) -> None:
        acquired = await self._storage.acquire(self.tenure.worker, wanted)
        self.tenure.epochs.update(acquired)
        if acquired:
            _log.info("partitions acquired", extra={"partitions": sorted(acquired), "held": len(self.tenure.epochs)})
            await occupant.move_in(tuple(acquired))

    async def _release(self, given: Collection[int], occupant: Occupant) -> None:
        self._given = frozenset(given)
        try:
            await occupant.vacate(given)
        finally:
            self._given = frozenset()
        for partition in given:  # before it is known whether we gave them up: if not, we shall see that they are ours
            self.tenure.epochs.pop(partition, None)
        await self._storage.release(self.tenure.worker, given)
        _log.info("partitions released", extra={"partitions": sorted(given), "held": len(self.tenure.epochs)})

    def _notice_losses(self, held: Mapping[int, int], view: partitions.View, occupant: Occupant) -> None:
        """Let go of what was ours before `view` was asked for, and is not ours in it under the same epoch."""
        worker, epochs = self.tenure.worker, self.tenure.epochs
        lost = [
            partition
            for partition, epoch in held.items()
            if (view.owners.get(partition), view.epochs.get(partition)) != (worker, epoch)
            and epochs.get(partition) == epoch
        ]
        if lost:
            _log.warning("partitions lost", extra={"partitions": sorted(lost)})
            for partition in lost:
                del epochs[partition]
            occupant.abandon(lost)
