"""Group commit: judgments of the whole process are stored together, and answered once they are.

A flush takes what is waiting and begins as soon as the one before is back. In one transaction it holds the channels
that the judgments rest on, stores what was judged by what they are now, and sends back what was not, to be judged
again: from the commit of a rollback on, nothing is stored, on whichever replica, that was judged with the version
left. What cannot be stored as fast as it comes is refused, and never dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from millwright_runtime.postgres.database import ALL_TENANTS, Database, is_away
from prometheus_client import Counter, Gauge, Histogram

from millwright_judgment.commands import storing
from millwright_judgment.commands.storing import Group, Results
from millwright_judgment.domain.errors import StoreBusy

BATCH = 1_000
"""A flush takes this many judgments, and as many more as the last request brings."""
_RETRY_SECONDS = 0.25
_BUSY_SECONDS = 1
_CLOSE_SECONDS = 20.0

BATCHES = Histogram(
    "millwright_judgment_batch_executions", "Judgments of one transaction.", buckets=(1, 4, 16, 64, 256, 1024, 10240)
)
JUDGED_AGAIN = Counter("millwright_judgment_judged_again_total", "Judgments whose channel had moved meanwhile.")
WAITING = Gauge("millwright_judgment_waiting_executions", "Judgments that wait to be stored.")
LOST = Counter("millwright_judgment_lost_total", "Judgments that were acknowledged early and could not be stored.")
_log = logging.getLogger(__name__)


class Recorder:
    """Stores the judgments of one process."""

    def __init__(self, database: Database, most_waiting: int) -> None:
        """Let at most `most_waiting` judgments wait."""
        self._database = database
        self._most_waiting = most_waiting
        self._waiting: deque[Group] = deque()
        self._answers: dict[Group, asyncio.Future[Results]] = {}
        self._size = 0
        self._flushing: asyncio.Task[None] | None = None

    async def record(self, group: Group) -> Results:
        """Store judgments and tell what became of each; None if they are to be judged again.

        They are stored when this returns. Raises StoreBusy before anything has happened. Whoever stops waiting may find
        them stored or not.
        """
        self._queue(group)
        future: asyncio.Future[Results] = asyncio.get_running_loop().create_future()
        self._answers[group] = future
        try:
            return await future
        finally:
            del self._answers[group]

    def keep(self, group: Group) -> None:
        """Store judgments that were answered some time later; a crash loses them. Raises StoreBusy."""
        self._queue(group)

    async def close(self) -> None:
        """Store what is waiting, for at most 20 s; what is left then is logged."""
        if self._flushing is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.shield(self._flushing)
        except TimeoutError:
            self._flushing.cancel()
            LOST.inc(self._size)
            _log.error("judgments were not stored", extra={"executions": self._size})

    def _queue(self, group: Group) -> None:
        size = _size(group)
        if self._size and self._size + size > self._most_waiting:
            raise StoreBusy(retry_seconds=_BUSY_SECONDS)
        self._waiting.append(group)
        self._count(size)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        """Store what is waiting until nothing is."""
        try:
            while self._waiting:
                batch = self._take()
                try:
                    await self._store(batch)
                finally:
                    self._count(-sum(map(_size, batch)))
        finally:
            self._flushing = None

    def _count(self, more: int) -> None:
        self._size += more
        WAITING.inc(more)

    def _take(self) -> list[Group]:
        batch: list[Group] = []
        size = 0
        while self._waiting and size < BATCH:
            group = self._waiting.popleft()
            batch.append(group)
            size += _size(group)
        return batch

    async def _store(self, batch: list[Group]) -> None:
        """Store a batch. What Postgres refuses is refused alone: the judgments beside it are nobody's fault."""
        try:
            results = await self._persist(batch)
        except Exception as error:  # noqa: BLE001 - it is whoever waits for the judgment who raises it
            if len(batch) > 1:
                for group in batch:
                    await self._store([group])
            else:
                self._refuse(batch[0], error)
        else:
            for group, outcome in results.items():
                future = self._answers.get(group)
                if future and not future.done():
                    future.set_result(outcome)

    def _refuse(self, group: Group, error: Exception) -> None:
        future = self._answers.get(group)
        if future and not future.done():
            future.set_exception(error)
        elif group.is_answered:
            LOST.inc(_size(group))
            _log.error("a judgment that was answered cannot be stored", exc_info=error)

    async def _persist(self, batch: list[Group]) -> Mapping[Group, Results]:
        """Store groups, however long the database is away; until then nobody is told that anything is stored.

        A connection that is lost at the end of a transaction leaves open whether that was committed, so that each
        further attempt first looks up what is there. Those whose callers have gone are let go.
        """
        is_repeated = False
        while groups := [group for group in batch if group.is_answered or group in self._answers]:
            try:
                async with self._database.transaction(ALL_TENANTS) as connection:
                    results = await storing.store(connection, groups, is_repeated=is_repeated)
            except Exception as error:
                if not (isinstance(error, storing.StoredMeanwhile) or is_away(error)):
                    raise
                if not is_repeated:
                    _log.warning("judgments wait for the database", extra={"fault": repr(error)})
                is_repeated = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                BATCHES.observe(sum(map(_size, groups)))
                JUDGED_AGAIN.inc(sum(_size(it) for it, outcome in zip(groups, results, strict=True) if outcome is None))
                return dict(zip(groups, results, strict=True))
        return {}


def _size(group: Group) -> int:
    return max(1, len(group.items))
