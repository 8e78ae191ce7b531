"""Values that take long to get and are good for a while: got once for many who ask at the same time.

Owns when a value is too old and which goes when there are too many. A failure is told to all who wait, and forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Fresh(NamedTuple, Generic[V]):
    """A value, how long it is good for, and how much room it takes."""

    value: V
    seconds: float
    size: int = 1


class Remembered(Generic[K, V]):
    """Values by key, in this process."""

    def __init__(self, room: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep values of `room` in all; the ones asked for the longest ago go first."""
        self._room = room
        self._clock = clock
        self._taken = 0
        self._kept: OrderedDict[K, tuple[V, float, int]] = OrderedDict()
        self._coming: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, make: Callable[[], Awaitable[Fresh[V]]]) -> V:
        """Give the value of `key`, made by `make` unless there is one that is still good.

        One `make` runs at a time for a key, whoever asks; it goes on when who asked first is cancelled.
        """
        kept = self._kept.get(key)
        if kept is not None and kept[1] > self._clock():
            self._kept.move_to_end(key)
            return kept[0]
        coming = self._coming.get(key)
        if coming is None:
            coming = asyncio.create_task(self._make(key, make))
            self._coming[key] = coming
            coming.add_done_callback(lambda task: self._came(key, task))
        return await asyncio.shield(coming)

    def forget(self, key: K) -> None:
        """Let the next who asks have a new value."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._taken -= kept[2]

    async def close(self) -> None:
        """Stop making values."""
        tasks = list(self._coming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, key: K, make: Callable[[], Awaitable[Fresh[V]]]) -> V:
        made = await make()
        self.forget(key)
        if made.seconds > 0 and made.size <= self._room:
            self._kept[key] = (made.value, self._clock() + made.seconds, made.size)
            self._taken += made.size
            while self._taken > self._room:
                self.forget(next(iter(self._kept)))
        return made.value

    def _came(self, key: K, task: asyncio.Task[V]) -> None:
        del self._coming[key]
        if not task.cancelled():
            task.exception()  # looked at, also where nobody waits any more
