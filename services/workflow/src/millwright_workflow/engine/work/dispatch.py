"""Dispatch: brings items of work to the workers that are connected here, and tells them when to let go.

Takes no more for a stream than it has credit for. What another replica does to an item is seen by looking: for work
to take twenty times a second while anybody would take some, for items that were lost twice a second.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_workflow.commands import working
from millwright_workflow.commands.working import Demand, WorkerReport
from millwright_workflow.domain import work as domain
from millwright_workflow.domain.work import Release, Report, Stop, Work
from millwright_workflow.engine.work.heartbeats import Heartbeats, HeldItem
from millwright_workflow.engine.work.notices import Notices
from millwright_workflow.engine.work.settlements import Settlements
from millwright_workflow.store import work_items
from millwright_workflow.store.work_items import Handed

QUEUED = "work queued"
"""The signal that there may be something to take."""
LOST = "work lost"
"""The signal that items may not be their workers' any more."""

_LOOK_SECONDS = 0.05
_IDLE_SECONDS = 5.0
_CHECK_SECONDS = 0.5
_LARGEST_HANDFUL = 100
_MOST_UNREAD = 10_000
_UNREAD_SECONDS = 0.05
_log = logging.getLogger(__name__)


class Settled:
    """What became of a report."""

    def __init__(self, item: uuid.UUID, *, is_accepted: bool) -> None:
        self.item = item
        self.is_accepted = is_accepted


class Stopped:
    """An item is to be let go of."""

    def __init__(self, item: uuid.UUID, reason: Stop) -> None:
        self.item = item
        self.reason = reason


Message: TypeAlias = "Handed | Settled | Stopped"


class Stream:
    """One connection of a worker. Its messages are few: items within its credit, and answers to what it sent."""

    def __init__(self, tenant: str, worker: str, queues: frozenset[str], woken: Callable[[], None]) -> None:
        self.tenant = tenant
        self.worker = worker
        self.queues = queues
        self.credit = 0
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()
        """None ends the stream: this replica is going away."""
        self.unacknowledged: set[uuid.UUID] = set()
        self._woken = woken

    async def room(self) -> None:
        """Return once the worker has read enough of what it was told: until then nothing more is taken from it."""
        while self.messages.qsize() > _MOST_UNREAD:  # noqa: ASYNC110 - rare, and nobody to notify whom it would cost
            await asyncio.sleep(_UNREAD_SECONDS)

    def give(self, credit: int) -> None:
        """Let this many items more be sent."""
        self.credit += credit
        self._woken()


class Dispatch:
    """The workers that are connected to this process."""

    name = "dispatch"

    def __init__(
        self,
        database: Database,
        signals: Signals,
        settlements: Settlements,
        heartbeats: Heartbeats,
        notices: Notices,
    ) -> None:
        self._database = database
        self._signals = signals
        self._settlements = settlements
        self._heartbeats = heartbeats
        self._notices = notices
        self._streams: list[Stream] = []
        self._held: dict[uuid.UUID, HeldItem] = {}
        self._is_draining = False
        self._again: set[asyncio.Task[None]] = set()
        heartbeats.on_lost = lambda _: self._signals.notify(LOST)

    @contextmanager
    def connected(self, tenant: str, worker: str, queues: Collection[str]) -> Iterator[Stream]:
        """Let a worker take part; what was sent and not acknowledged when it leaves goes to another one at once."""
        stream = Stream(tenant, worker, frozenset(queues), lambda: self._signals.notify(QUEUED))
        if self._is_draining:
            stream.messages.put_nowait(None)
        self._streams.append(stream)
        try:
            yield stream
        finally:
            self._streams.remove(stream)
            for item in stream.unacknowledged:
                self._report(stream, item, Release())
                self._held.pop(item, None)
            if not any(other.worker == worker and other.tenant == tenant for other in self._streams):
                for item in [item for item, held in self._held.items() if _is_of(held, stream)]:
                    del self._held[item]

    async def recall(self, stream: Stream) -> None:
        """Learn what a worker has that comes back after its connection broke, or from another replica."""
        async with self._database.snapshot(stream.tenant) as connection:
            for work in await work_items.taken_by(connection, stream.tenant, stream.worker):
                self._held.setdefault(work.id, _held(work))

    def acknowledge(self, stream: Stream, item: uuid.UUID) -> None:
        """Take note that a worker has an item."""
        if item in stream.unacknowledged:
            stream.unacknowledged.discard(item)
            self._report(stream, item, domain.Acknowledge())

    def heartbeat(self, stream: Stream, item: uuid.UUID, state: bytes | None, percent: float | None) -> None:
        """Take note that a worker works on an item; tell it to stop if the item is not its own."""
        stream.unacknowledged.discard(item)
        held = self._held.get(item)
        if held is None or not _is_of(held, stream):
            stream.messages.put_nowait(Stopped(item, Stop.SUPERSEDED))
        else:
            self._heartbeats.note(held, state, percent)

    async def settle(self, stream: Stream, item: uuid.UUID, report: Report) -> None:
        """Make a worker's last word on an item durable, then tell it whether that changed anything."""
        stream.unacknowledged.discard(item)
        if isinstance(report, domain.Fail) and report.failure.saved is None:
            report = domain.Fail(replace(report.failure, saved=self._heartbeats.pending(item)))
        work = await self._report(stream, item, report)
        self._held.pop(item, None)
        if work is not None:
            self._tell(work)
        stream.messages.put_nowait(Settled(item, is_accepted=work is not None))

    async def run(self) -> None:
        """Bring and check until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check())
            with self._signals.listen(QUEUED) as listener:
                while True:
                    taken = await self.run_once()
                    if not taken:
                        await listener.wait(_LOOK_SECONDS if self._hungry() else _IDLE_SECONDS)

    async def drain(self) -> None:
        """Take nothing any more and end the streams; what their workers have stays theirs."""
        self._is_draining = True
        for stream in self._streams:
            stream.messages.put_nowait(None)

    async def run_once(self) -> int:
        """Take what there is for those who would have it; give how many items were sent."""
        hungry = await self._that_can_be_fed(self._hungry())
        if not hungry:
            return 0
        demands = [_demand(stream) for stream in hungry]
        for stream, demand in zip(hungry, demands, strict=True):
            stream.credit -= demand.credit
        taken: list[list[Handed]] = [[] for _ in hungry]
        try:
            async with self._database.transaction(ALL_TENANTS) as connection:
                taken = await working.take(connection, demands)
        finally:
            for stream, demand, items in zip(hungry, demands, taken, strict=True):
                stream.credit += demand.credit - len(items)
        self._streams = self._streams[1:] + self._streams[:1]  # another one is first the next time
        for stream, items in zip(hungry, taken, strict=True):
            self._hand(stream, [each for each in items if not each.work.attempt])
            if again := [each for each in items if each.work.attempt]:
                task = asyncio.create_task(self._hand_again(stream, again))
                self._again.add(task)
                task.add_done_callback(self._again.discard)
        return sum(map(len, taken))

    async def check_once(self) -> int:
        """Tell workers to let go of what is not theirs any more; give of how many items."""
        held = dict(self._held)
        if not held:
            return 0
        async with self._database.snapshot(ALL_TENANTS) as connection:
            standing = await work_items.standing(connection, [each.key for each in held.values()])
        lost = 0
        for item, each in held.items():
            current, state, worker = standing.get(each.key, (None, None, None))
            is_kept = current == item and worker == each.worker and state is not None and state.is_taken
            if not is_kept and item in self._held:
                del self._held[item]
                lost += 1
                self._stop(each, domain.stop_reason(state))
        return lost

    async def _check(self) -> None:
        with self._signals.listen(LOST) as listener:
            while True:
                await listener.wait(_CHECK_SECONDS)
                await self.check_once()

    def _stop(self, held: HeldItem, reason: Stop) -> None:
        for stream in reversed(self._streams):
            if _is_of(held, stream):
                stream.unacknowledged.discard(held.item)
                stream.messages.put_nowait(Stopped(held.item, reason))
                return

    def _hungry(self) -> list[Stream]:
        return [] if self._is_draining else [stream for stream in self._streams if stream.credit > 0]

    async def _that_can_be_fed(self, hungry: Sequence[Stream]) -> list[Stream]:
        wanted = sorted({(stream.tenant, queue) for stream in hungry for queue in stream.queues})
        if not wanted:
            return []
        async with self._database.snapshot(ALL_TENANTS) as connection:
            waiting = await work_items.waiting(connection, [tenant for tenant, _ in wanted], [q for _, q in wanted])
        return [each for each in hungry if any((each.tenant, queue) in waiting for queue in each.queues)]

    async def _hand_again(self, stream: Stream, items: Sequence[Handed]) -> None:
        """Send items that were worked on before, with the newest state there is; who else waits is not held up."""
        newest = await self._heartbeats.newest({each.work.key: each.saved for each in items})
        self._hand(stream, [replace(each, saved=newest[each.work.key]) for each in items])

    def _hand(self, stream: Stream, items: Sequence[Handed]) -> None:
        is_here = stream in self._streams
        for each in items:
            if is_here:
                stream.unacknowledged.add(each.work.id)
                self._held[each.work.id] = _held(each.work)
                stream.messages.put_nowait(each)
            else:
                self._report(stream, each.work.id, Release())

    def _report(self, stream: Stream, item: uuid.UUID, report: Report) -> asyncio.Future[Work | None]:
        future = self._settlements.report(WorkerReport(stream.tenant, item, stream.worker, report))
        future.add_done_callback(self._reported)
        return future

    def _reported(self, future: asyncio.Future[Work | None]) -> None:
        if not future.cancelled() and future.exception() is None and (work := future.result()):
            self._tell(work)

    def _tell(self, work: Work) -> None:
        """Wake whoever waits for what has become of an item."""
        if work.state is domain.State.QUEUED:
            self._signals.notify(QUEUED)
        elif work.state.is_settled:
            self._notices.changed(work.key)


class Lapses:
    """Takes items from workers that fell silent."""

    name = "lapses"
    _LOOK_SECONDS = 0.5
    _BATCH = 200
    _GRACE_SECONDS = 6.0
    """After we were away, for workers to be heard again: what fell silent may have been we, not they."""

    def __init__(self, database: Database, signals: Signals, notices: Notices) -> None:
        self._database = database
        self._signals = signals
        self._notices = notices

    async def run(self) -> None:
        """Look until cancelled; whenever this begins anew, the service or the database has been away."""
        await asyncio.sleep(self._GRACE_SECONDS)
        while True:
            if await self.run_once() < self._BATCH:
                await asyncio.sleep(self._LOOK_SECONDS)

    async def drain(self) -> None:
        """Nothing is in hand."""

    async def run_once(self) -> int:
        """Take a batch of items from silent workers; give how many."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            lapsed = await working.lapse(connection, self._BATCH)
        for work in lapsed:
            _log.warning("an item lapsed", extra={"instance": str(work.key.instance), "state": work.state.value})
            self._notices.changed(work.key)
        if lapsed:
            self._signals.notify(QUEUED)
            self._signals.notify(LOST)
        return len(lapsed)


def _demand(stream: Stream) -> Demand:
    return Demand(stream.tenant, stream.worker, stream.queues, min(stream.credit, _LARGEST_HANDFUL))


def _held(work: Work) -> HeldItem:
    assert work.worker is not None
    return HeldItem(work.key, work.id, work.attempt, work.worker)


def _is_of(held: HeldItem, stream: Stream) -> bool:
    return held.worker == stream.worker and held.key.tenant == stream.tenant
