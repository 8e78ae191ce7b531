"""Admission: how many calls are served at once, so that those that are let in are served in time.

Owns a number of seats that shrinks while the process is late, and grows again. A process that is asked for more than it
can do is late with all that it serves, each call once for every step that it takes; so the number follows how late the
event loop is, or what waits for a resource that all share, such as connections, and not the calls' durations, which say
nothing where some of them wait on purpose. Who finds no seat waits for one, tenant by tenant; of many not for long.

The number shrinks by a share and grows by a step (AIMD: Chiu and Jain 1989). As with CoDel (RFC 8289), a delay counts
only if it stands: one late look may be a collection of garbage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from millwright_runtime import metrics
from millwright_runtime.concurrency.turns import Turns

_LOOK_SECONDS = 0.05
_FEWEST = 32
"""Calls that are served at once however late the process is: their work may be what it takes to be in time again."""
_SURE = 64
"""Calls that get a seat however long it takes, those that have one included. Others wait for `_PATIENCE_SECONDS`."""
_SHRINK = 0.8
_GROWTH = 2
_PATIENCE_SECONDS = 2.0

Queued: TypeAlias = Callable[[], float]
"""Gives for how many seconds what waits the longest for something that calls share has waited."""


def nothing_queued() -> float:
    """Give 0: calls wait for the event loop alone."""
    return 0.0


class NoSeat(Exception):
    """A call has waited for its turn for as long as one does."""


class Admission:
    """The seats of one process: between a few and `most`."""

    name = "admission"

    def __init__(
        self,
        most: int,
        late_seconds: float,
        queued: Queued = nothing_queued,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        """Give way while the loop, or what is queued, is late by more than `late_seconds`."""
        self._late_seconds = late_seconds
        self._queued = queued
        self._patience_seconds = patience_seconds
        self._was_late = False
        self._turns = Turns(most)
        self.most = most
        """How many calls may be in progress, those that wait for a seat included."""
        self.calls = 0
        """How many are."""

    @property
    def is_full(self) -> bool:
        """Whether there are as many as may be."""
        return self.calls >= self.most

    @property
    def limit(self) -> int:
        """How many calls are served at once."""
        return self._turns.seats

    async def take(self, tenant: str) -> None:
        """Take a seat, to be given back; raise NoSeat if none is free soon and there are many who want one."""
        if self._turns.is_free:
            self._turns.take_now()
            return
        is_sure = self._turns.taken + self._turns.waiting < _SURE
        try:
            async with asyncio.timeout(None if is_sure else self._patience_seconds):
                await self._turns.take(tenant)
        except TimeoutError:
            raise NoSeat from None

    def take_now(self) -> None:
        """Take a seat, to be given back, though there may be none."""
        self._turns.take_now()

    def give_back(self) -> None:
        """Leave a seat to whoever is next."""
        self._turns.give_back()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Let somebody else have one's seat while one waits on purpose; afterwards there is one again."""
        self._turns.give_back()
        try:
            yield
        finally:
            self._turns.take_now()

    def look(self, late_seconds: float) -> None:
        """Move the number of seats by how late the process is now."""
        is_late = late_seconds > self._late_seconds
        if is_late and self._was_late:
            share = int(min(self.limit, self._turns.taken) * _SHRINK)
            self._turns.seats = max(min(_FEWEST, self.most), share)
        elif not is_late:
            self._turns.seats = min(self.most, self.limit + _GROWTH)
        self._was_late = is_late

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            begin = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
            loop_seconds = max(0.0, time.monotonic() - begin - _LOOK_SECONDS)
            queue_seconds = self._queued()
            self.look(max(loop_seconds, queue_seconds))
            metrics.LOOP_LATE_SECONDS.set(loop_seconds)
            metrics.QUEUE_LATE_SECONDS.set(queue_seconds)
            metrics.CALL_LIMIT.set(self.limit)
