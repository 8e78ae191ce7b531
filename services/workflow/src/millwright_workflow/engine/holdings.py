"""Holdings: the partitions that this process owns, and until when it may rely on that.

Renews the lease, takes its share of the partitions and gives up what lies above it. Starts and stops no instance
itself; it tells who does.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Tenure
from millwright_workflow.engine.clock import Clock
from millwright_workflow.engine.storage import Storage

LEASE = timedelta(seconds=5)
_MARGIN_SECONDS = 1.0
_PASS_SECONDS = 1.0
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

    def __init__(self, storage: Storage, worker: uuid.UUID, clock: Clock | None = None) -> None:
        self._storage = storage
        self._clock = clock or Clock()
        self.tenure = Tenure(worker, {})
        self._valid_until = float("-inf")
        self._renewed = asyncio.Event()

    async def run(self, occupant: Occupant) -> None:
        """Keep the lease and the share of partitions until cancelled; `occupant` follows."""
        while True:
            await self.run_once(occupant)
            await asyncio.sleep(_PASS_SECONDS)

    async def run_once(self, occupant: Occupant) -> None:
        """Renew the lease and move towards the fair share once."""
        begin = self._clock.monotonic()
        view = await self._storage.renew(self.tenure.worker, LEASE)
        self._valid_until = begin + LEASE.total_seconds() - _MARGIN_SECONDS
        self._renewed.set()
        self._notice_losses(view, occupant)
        plan = partitions.plan(view, self.tenure.worker)
        if plan.release:
            await self._release(plan.release, occupant)
        if plan.acquire:
            await self._acquire(plan.acquire, occupant)

    async def leave(self, occupant: Occupant) -> None:
        """Stop everything and give up the lease."""
        await occupant.vacate(tuple(self.tenure.epochs))
        await self._storage.leave(self.tenure.worker)
        self.tenure.epochs.clear()

    async def confirm(self) -> None:
        """Return at once while the lease is sure to last; past that, only once it has been renewed.

        A process that was frozen wakes up here before it does anything outside the database.
        """
        while self._clock.monotonic() >= self._valid_until:
            self._renewed.clear()
            await self._renewed.wait()

    async def _acquire(self, wanted: Collection[int], occupant: Occupant) -> None:
        acquired = await self._storage.acquire(self.tenure.worker, wanted)
        self.tenure.epochs.update(acquired)
        if acquired:
            _log.info("partitions acquired", extra={"partitions": sorted(acquired), "held": len(self.tenure.epochs)})
            await occupant.move_in(tuple(acquired))

    async def _release(self, given: Collection[int], occupant: Occupant) -> None:
        await occupant.vacate(given)
        await self._storage.release(self.tenure.worker, given)
        for partition in given:
            self.tenure.epochs.pop(partition, None)
        _log.info("partitions released", extra={"partitions": sorted(given), "held": len(self.tenure.epochs)})

    def _notice_losses(self, view: partitions.View, occupant: Occupant) -> None:
        lost = [partition for partition in self.tenure.epochs if view.owners.get(partition) != self.tenure.worker]
        if lost:
            _log.warning("partitions lost", extra={"partitions": sorted(lost)})
            for partition in lost:
                del self.tenure.epochs[partition]
            occupant.abandon(lost)
