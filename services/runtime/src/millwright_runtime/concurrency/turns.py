"""Seats that tenants take in turn: whoever asks for many at once waits behind others who ask for one.

Owns the order of those who wait. Knows nothing of what a seat is for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A number of seats, which may change."""

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self.taken = 0
        """How many sit: more than there are seats, if there were more or somebody did not wait."""
        self.waiting = 0
        """How many wait for one."""
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def seats(self) -> int:
        """How many there are."""
        return self._seats

    @seats.setter
    def seats(self, number: int) -> None:
        self._seats = number
        self._call_in()

    @asynccontextmanager
    async def seat(self, tenant: str) -> AsyncIterator[None]:
        """Hold a seat. Those who wait are served tenant by tenant, and within a tenant in the order they came."""
        await self.take(tenant)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, tenant: str) -> None:
        """Wait for a seat, to be given back."""
        if self.is_free:
            self.taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(tenant, turn)
            else:
                self.give_back()  # the seat and the cancellation came together
            raise

    @property
    def is_free(self) -> bool:
        """Whether whoever takes a seat now does not wait: where one is free, nobody else does either."""
        return self.taken < self._seats

    def take_now(self) -> None:
        """Take a seat, to be given back, though there may be none."""
        self.taken += 1

    def give_back(self) -> None:
        """Leave a seat to whoever is next."""
        self.taken -= 1
        self._call_in()

    def _call_in(self) -> None:
        while self.taken < self._seats and self._waiting:
            tenant, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            self.waiting -= 1
            if turns:
                self._waiting[tenant] = turns  # at the end: the others come first
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def _leave(self, tenant: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(tenant)
        if turns is not None and turn in turns:
            turns.remove(turn)
            self.waiting -= 1
            if not turns:
                del self._waiting[tenant]
