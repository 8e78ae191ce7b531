"""Seats that tenants take in turn: whoever asks for many at once waits behind others who ask for one.

Owns the order of those who wait. Knows nothing of what a seat is for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A number of seats."""

    def __init__(self, seats: int) -> None:
        self._free = seats
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def seat(self, tenant: str) -> AsyncIterator[None]:
        """Hold a seat. Those who wait are served tenant by tenant, and within a tenant in the order they came."""
        await self._take(tenant)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, tenant: str) -> None:
        if self._free:  # then nobody waits
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(tenant, turn)
            else:
                self._give_back()  # the seat and the cancellation came together
            raise

    def _give_back(self) -> None:
        while self._waiting:
            tenant, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[tenant] = turns  # at the end: the others come first
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, tenant: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(tenant)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[tenant]
