"""Telling how far an operation is: often enough that nobody wonders, seldom enough that Postgres does not notice.

What is told are sums of the moment: a telling that was left out is made up for by the next one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from millwright_modules.domain.operation import Activity, Done, Operation, Progress, Stage, percent

if TYPE_CHECKING:
    from millwright_modules.engine.work import Work

PAUSE_SECONDS = 0.25
REPEAT_SECONDS = 0.6
"""After so long, the same is told again: whoever watches knows that it goes on."""

_SURE_PERCENT = 2.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where a stage is."""

    share: float
    done: Done
    activity: Activity


class Teller:
    """Hears of the progress of one stage, from any thread, and tells it a few times a second."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._begin_time = time.monotonic()
        self._told: Point | None = None
        self._told_time = self._begin_time
        self._point = Point(0.0, Done(), Activity.WAITING)

    def hear(self, share: float, done: Done, activity: Activity) -> None:
        """Take in where the stage is: its share from 0 to 1, and what was counted."""
        self._point = Point(share, done, activity)

    async def tell(self) -> None:
        """Tell where the stage is now, if that has changed or was not said for a while."""
        point, now = self._point, time.monotonic()
        if point == self._told and now - self._told_time < REPEAT_SECONDS:
            return
        self._told, self._told_time = point, now
        seconds = time.monotonic() - self._begin_time
        rate = point.done.bytes_done / seconds if seconds > 0 else 0.0
        await self._work.progress(measured(self._work.operation, point, rate, self._work.seconds))

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[Teller]:
        """Tell now and again as long as the block runs, and once more at its end. Raises LeaseLost then.

        A telling is never broken off: whether it was committed would not be known.
        """
        ended = asyncio.Event()
        talking = asyncio.create_task(self._talk(ended))
        try:
            yield self
        finally:
            ended.set()
            await talking
        await self.tell()

    async def _talk(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await self.tell()
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await ended.wait()


def measured(operation: Operation, point: Point, bytes_per_second: float, seconds: float) -> Progress:
    """Give the progress of an operation that has been worked on for `seconds`."""
    at = percent(operation.stage, point.share, operation.progress.percent)
    left = seconds * (100.0 - at) / at if at >= _SURE_PERCENT and operation.stage is not Stage.COMPLETED else 0.0
    rate = bytes_per_second if point.done.bytes_total else 0.0
    return replace(
        operation.progress,
        percent=round(at, 2),
        done=point.done,
        bytes_per_second=round(rate),
        seconds_left=round(left, 1),
        activity=point.activity,
    )
