"""Publishing: the facts of one business day replaced as a whole, in one transaction, or left as they were."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from millwright_runtime.postgres.database import Connection

from millwright_etl.commands import making
from millwright_etl.domain.quality import Refusal, Result
from millwright_etl.domain.runs import Tally
from millwright_etl.domain.windows import Window, window
from millwright_etl.store import calendars, days, dirty_days, months, windows


@dataclass(frozen=True, slots=True)
class Limits:
    """What one window may use in the database."""

    seconds: float
    memory_megabytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """A business day that a run makes the facts of."""

    tenant: str
    pipeline: str
    date: date
    run: uuid.UUID
    as_of_time: datetime
    """The one "now" of the whole run."""
    traceparent: str = ""
    """The trace that the run was ordered in."""


@dataclass(frozen=True, slots=True)
class Published:
    """What came of a day that is published."""

    tally: Tally
    quality: Sequence[Result]


class WindowRefused(Exception):
    """The facts of a window must not be published; what was written in its transaction must be undone."""

    def __init__(self, refusal: Refusal, tally: Tally, quality: Sequence[Result]) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.tally = tally.without_facts()
        self.quality = quality


async def prepare(connection: Connection, job: Job) -> None:
    """Make room for the facts of a day, in a transaction before the one that makes them.

    Raises asyncpg.LockNotAvailableError if others are in the way: they are not to wait, so it is tried again.
    """
    await months.ensure(connection, job.date)


async def publish(connection: Connection, job: Job, limits: Limits) -> Published:
    """Make the facts of a day anew; raise WindowRefused if they must not be published.

    It waits for whoever makes the same day, and keeps the plant's calendar as it is. Marks of the day that are seen
    here are taken away before the facts are made: whatever is landed later marks the day again.
    """
    asked = await _begin(connection, job, limits)
    await dirty_days.take(connection, job.tenant, job.date)
    made = await making.make(connection, asked, job.run, limits.seconds, job.as_of_time)
    tally = Tally.of(made.counts, made.written)
    if made.refusal:
        raise WindowRefused(made.refusal, tally, made.quality)
    await days.publish(connection, job.pipeline, asked, job.run, made.counts.rows_read, made.findings.sources)
    return Published(tally, made.quality)


async def set_aside(connection: Connection, job: Job, limits: Limits) -> None:
    """Quarantine the rows of a day that is not published, so that people see why."""
    asked = await _begin(connection, job, limits)
    await making.set_aside(connection, asked, job.run, limits.seconds)


async def _begin(connection: Connection, job: Job, limits: Limits) -> Window:
    await windows.set_limits(connection, limits.memory_megabytes, limits.seconds)
    await days.lock(connection, job.tenant, job.pipeline, job.date, limits.seconds)
    return window(await calendars.hold(connection, job.tenant), job.tenant, job.date)
