"""The load: classes that each call for as long as they are let, and then wait for what they have begun.

There is one for each service, one whose workflows ask all other services for something, one whose workflows ask workers
and people, and one that reads slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from random import Random
from typing import Any, Protocol

from millwright_local.processes import until

from tests.chaos.book import Stream
from tests.chaos.caller import Caller

KINDS = frozenset({"instance", "crossing", "inspection", "replay", "run", "install"})
"""The kinds of works that all loads together begin."""


class Load(Protocol):
    """Calls one service, or several."""

    async def prepare(self) -> None:
        """Make what the calls need."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Call until told to stop; return once all that was asked for is answered, and all that was begun has ended."""
        ...


async def turns(stop: asyncio.Event, chance: Random, seconds: float) -> AsyncIterator[int]:
    """Give a number every so many seconds, more or less, until told to stop."""
    number = 0
    while not stop.is_set():
        yield number
        number += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), chance.uniform(0.5, 1.5) * seconds)


async def follow_to_end(
    caller: Caller[Any],
    stream: Stream,
    method: Callable[[Any], Any],
    request: Callable[[int], Any],
    is_last: Callable[[Any], bool],
) -> Any:
    """Watch something that ends, up to the message that is the last, and give that."""
    async with aclosing(caller.watch(stream, method, request)) as messages:
        async for message in messages:
            if is_last(message):
                break
    stream.has_ended = True
    return message


async def follow_log(
    caller: Caller[Any],
    stream: Stream,
    method: Callable[[Any], Any],
    request: Callable[[int], Any],
    newest: asyncio.Future[int],
    *,
    pause_seconds: float = 0.0,
) -> None:
    """Watch a log that has no end of its own, until the sequence that somebody calls the newest in the end."""

    async def read() -> None:
        async with aclosing(caller.watch(stream, method, request, pause_seconds=pause_seconds)) as messages:
            async for _ in messages:
                pass

    async def has_come() -> bool:
        return bool(stream.sequences) and stream.sequences[-1] >= newest.result()

    reading = asyncio.create_task(read())
    try:
        await newest
        await until(has_come, None, poll_seconds=0.1)
        stream.has_ended = True
    finally:
        reading.cancel()
