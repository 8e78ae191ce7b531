"""Wake-ups between those who write and those who wait, within the process and, through NATS, between replicas.

A signal carries nothing and may be lost: whoever waits reads the database when woken, and now and then anyway.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Draining(Exception):
    """The service is going away: stop waiting."""


class Signals:
    """Named events in memory; a name is whatever waiter and writer agree on, such as `TENANT/instances/ID`."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._draining = asyncio.Event()

    def notify(self, name: str) -> None:
        """Wake everybody who listens for `name`."""
        for waiter in self._waiters.get(name, ()):
            waiter.set()

    def drain(self) -> None:
        """Wake everybody for good: each wait from now on raises Draining."""
        self._draining.set()
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.set()

    @contextmanager
    def listen(self, name: str) -> Iterator[Listener]:
        """Listen for `name` from now on: what is notified between two waits ends the second at once."""
        event = asyncio.Event()
        self._waiters[name].add(event)
        try:
            yield Listener(self, event)
        finally:
            self._waiters[name].discard(event)
            if not self._waiters[name]:
                del self._waiters[name]

    @property
    def is_draining(self) -> bool:
        """Tell whether the service is going away."""
        return self._draining.is_set()

    async def drained(self) -> None:
        """Wait until the service goes away."""
        await self._draining.wait()


class Listener:
    """One who waits for a name."""

    def __init__(self, signals: Signals, event: asyncio.Event) -> None:
        self._signals = signals
        self._event = event

    async def wait(self, seconds: float) -> None:
        """Return when notified, or after `seconds` at the latest; raise Draining if the service is going away."""
        if not self._signals.is_draining:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()
        if self._signals.is_draining:
            raise Draining
        self._event.clear()
