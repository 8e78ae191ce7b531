"""Watch streams: everything after a sequence, in order, without a gap or a repeat, and a sign of life when it is quiet.

The log in Postgres is the truth. A signal only tells when to look, so a lost one costs at most a second.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from millwright_runtime.api import calls
from millwright_runtime.errors import OutOfRange, Unavailable
from millwright_runtime.events.signals import Draining, Listener, Signals

HEARTBEAT_SECONDS = 15.0
_LOOK_SECONDS = 1.0
_BATCH = 200


class ShuttingDown(Unavailable):
    """This replica is going away. Call again, with the last sequence you received."""

    @property
    def reason(self) -> str:
        """Give the one constant; a subclass only says how else to go on."""
        return "SHUTTING_DOWN"


class SequenceAhead(OutOfRange):
    """The sequence {sequence} is past the newest one, {newest}."""


class SequenceExpired(OutOfRange):
    """What came after sequence {sequence} is no longer kept; the oldest sequence is {oldest}. Read the state anew."""


class Sequenced(Protocol):
    """What a log gives: each item has its place."""

    @property
    def sequence(self) -> int:
        """Give the item's place, dense and rising."""
        ...


ItemT = TypeVar("ItemT", bound=Sequenced)
Read = Callable[[int, int], Awaitable[Sequence[ItemT]]]
"""Given a sequence and a limit, gives what comes after it."""


@dataclass(frozen=True, slots=True)
class Feed(Generic[ItemT]):
    """One resource's log, to be watched: how it is read, and the signal that there is more."""

    read: Read[ItemT]
    signals: Signals
    name: str

    def follow(self, after: int, newest: int = 0) -> AsyncGenerator[ItemT | None]:
        """Give each item after `after`, for ever, as the function `follow` does."""
        return follow(self.read, after, self.signals, self.name, newest=newest)

    async def poll(self, after: int, limit: int, wait_seconds: float, newest: int = 0) -> Sequence[ItemT]:
        """Give, within a call, at most `limit` items after `after`, as the function `poll` does."""
        resting = calls.current().resting
        return await poll(self.read, after, limit, self.signals, self.name, wait_seconds, newest, resting)


async def follow(
    read: Read[ItemT],
    after: int,
    signals: Signals,
    name: str,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    newest: int = 0,
) -> AsyncGenerator[ItemT | None]:
    """Give each item after `after`, for ever; None after every `heartbeat_seconds` of silence.

    `signals` are listened to by `name`, and `newest` is the newest sequence that is known to have been given. Raises
    SequenceExpired if what comes next is not kept, and ShuttingDown when the service drains.
    """
    with signals.listen(name) as listener:
        heartbeat_time = time.monotonic() + heartbeat_seconds
        while True:
            items = await read(after, _BATCH)
            check_kept(items, after, newest)
            for item in items:
                check_follows(item, after)
                after = item.sequence
                yield item
            heartbeat_due = not items and time.monotonic() >= heartbeat_time
            if heartbeat_due:
                yield None
            if items or heartbeat_due:
                heartbeat_time = time.monotonic() + heartbeat_seconds
            there_is_more = len(items) == _BATCH
            await _wait(listener, 0 if there_is_more else min(_LOOK_SECONDS, heartbeat_time - time.monotonic()))


async def poll(
    read: Read[ItemT],
    after: int,
    limit: int,
    signals: Signals,
    name: str,
    wait_seconds: float,
    newest: int = 0,
    resting: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Sequence[ItemT]:
    """Give at most `limit` items after `after`: at once if there are any, else the first to come in `wait_seconds`.

    `resting` is entered while nothing is done but to wait.
    """
    give_up = time.monotonic() + wait_seconds
    with signals.listen(name) as listener:
        while True:
            items = await read(after, limit)
            check_kept(items, after, newest)
            if items:
                check_follows(items[0], after)
            remaining = give_up - time.monotonic()
            if items or remaining <= 0:
                return items
            with resting():
                await _wait(listener, min(_LOOK_SECONDS, remaining))


def check_start(after: int, newest: int) -> None:
    """Raise SequenceAhead if a watch asks to start past the newest sequence."""
    if after > newest:
        raise SequenceAhead(sequence=after, newest=newest)


def check_kept(items: Sequence[Sequenced], after: int, newest: int) -> None:
    """Raise SequenceExpired if there should be something after `after`, for `newest` was given, and nothing is."""
    if not items and after < newest:
        raise SequenceExpired(sequence=after, oldest=newest + 1)


def check_follows(item: Sequenced, after: int) -> None:
    """Raise SequenceExpired if `item` is not the one right after `after`: the log in between is gone."""
    if item.sequence != after + 1:
        raise SequenceExpired(sequence=after, oldest=item.sequence)


async def _wait(listener: Listener, seconds: float) -> None:
    try:
        await listener.wait(seconds)
    except Draining:
        raise ShuttingDown from None
