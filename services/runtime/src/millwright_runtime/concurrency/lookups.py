"""Lookups: what many wait for at once is asked of the database together.

While one question is under way, those that come are gathered for the next: an idle process asks at once, a busy one
asks for hundreds in the time of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

_BATCH = 1000


class Lookups(Generic[KeyT, ValueT]):
    """Asks `read` for many keys at a time; it gives what it found by key."""

    def __init__(self, read: Callable[[Collection[KeyT]], Awaitable[Mapping[KeyT, ValueT]]]) -> None:
        self._read = read
        self._waiting: dict[KeyT, asyncio.Future[ValueT | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: KeyT) -> ValueT | None:
        """Give what is found under `key` by a question that begins after this call, or None; raise what it raises."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(future)

    async def _ask(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:_BATCH]
                batch = {key: self._waiting.pop(key) for key in keys}
                await self._answer(batch)
        finally:
            self._asking = None
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()

    async def _answer(self, batch: Mapping[KeyT, asyncio.Future[ValueT | None]]) -> None:
        try:
            found = await self._read(batch.keys())
        except Exception as error:  # noqa: BLE001 - it is whoever waits who raises it
            for future in batch.values():
                future.set_exception(error)
                future.exception()  # one who does not wait any more need not hear of it
        else:
            for key, future in batch.items():
                future.set_result(found.get(key))
