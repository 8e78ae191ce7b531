"""Telling how far an operation is: often enough that nobody wonders, seldom enough that Postgres does not notice.

What is told are sums of the moment: a telling that was left out is made up for by the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from millwright_runtime.postgres.database import is_connection_loss

from millwright_modules.domain.operation import Activity, Done, Operation, Progress, percent, seconds_left

if TYPE_CHECKING:
    from millwright_modules.engine.work import Work

PAUSE_SECONDS = 0.25
REPEAT_SECONDS = 0.6
"""After so long, the same is told again: whoever watches knows that it goes on."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a stage is."""

    share: float
    done: Done
    activity: Activity
    seconds_left: float | None = None
    """To the end of the operation, where that is known; otherwise it is estimated."""


class Worked(NamedTuple):
    """For how long an operation has been worked on here, and from where on."""

    from_percent: float
    seconds: float


class Teller:
    """Hears of the progress of one stage, from any thread, and tells it a few times a second."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._begin_time = time.monotonic()
        self._told: Point | None = None
        self._told_time = self._begin_time
        self._point = Point(0.0, Done(), Activity.WAITING)

    def hear(self, share: float, done: Done, activity: Activity, left: float | None = None) -> None:
        """Take in where the stage is: its share from 0 to 1, what was counted, and the seconds `left` if known."""
        self._point = Point(share, done, activity, left)

    async def tell(self) -> None:
        """Tell where the stage is now, if that has changed or was not said for a while. Raises LeaseLost.

        While Postgres is away nothing is told, and the stage goes on.
        """
        point, now = self._point, time.monotonic()
        if point == self._told and now - self._told_time < REPEAT_SECONDS:
            return
        self._told, self._told_time = point, now
        seconds = time.monotonic() - self._begin_time
        rate = point.done.bytes_done / seconds if seconds > 0 else 0.0
        try:
            await self._work.progress(lambda operation: measured(operation, point, rate, self._work.worked))
        except Exception as error:
            if not is_connection_loss(error):
                raise
            self._told = None

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[Teller]:
        """Tell now and again as long as the block runs, and once more at its end.

        Where a telling fails, as with LeaseLost, the block is broken off and that is raised. A telling is never broken
        off itself: whether it was committed would not be known.
        """
        ended, failed = asyncio.Event(), asyncio.Event()
        talking = asyncio.create_task(self._talk(ended))
        stage = asyncio.current_task()
        assert stage is not None

        def break_off(_talking: asyncio.Task[None]) -> None:
            if not ended.is_set():
                failed.set()
                stage.cancel()

        talking.add_done_callback(break_off)
        try:
            yield self
        except asyncio.CancelledError:
            if not failed.is_set() or stage.uncancel():  # somebody else wants it to stop
                raise
        finally:
            ended.set()
            await asyncio.wait({talking})
            fault = talking.exception()
        if fault:
            raise fault
        await self.tell()

    async def _talk(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await self.tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await ended.wait()


def measured(operation: Operation, point: Point, bytes_per_second: float, worked: Worked) -> Progress:
    """Give the progress of an operation that is at a point of its stage."""
    at = percent(operation.stage, point.share, operation.progress.percent)
    left = point.seconds_left
    if left is None:
        left = seconds_left(operation.options, at, at - worked.from_percent, worked.seconds)
    rate = bytes_per_second if point.done.bytes_total else 0.0
    return replace(
        operation.progress,
        percent=round(at, 2),
        done=point.done,
        bytes_per_second=round(rate),
        seconds_left=round(left, 1),
        activity=point.activity,
        place=0,
    )
