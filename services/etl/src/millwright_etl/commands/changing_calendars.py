"""Changing a plant's calendar: the days that it moves are made anew by the next run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.calendar import MOST_DAYS_MOVED, Calendar
from millwright_etl.domain.errors import EtagMismatch
from millwright_etl.store import calendars, days, dirty_days


class Changed(NamedTuple):
    """What came of a change."""

    etag: str
    dirty_days: int


async def change(connection: Connection, tenant: str, calendar: Calendar, etag: str) -> Changed:
    """Save a calendar, and mark the days that it moves: those with facts, and those that rows come to.

    Those are the days that it holds for, and the day before, whose end it moves. Raises EtagMismatch unless the
    calendar of its `valid_from` is as `etag` says; empty: it must not be there.
    """
    held = await calendars.lock(connection, tenant)
    revision = (await calendars.revisions(connection, tenant)).get(calendar.valid_from)
    if etag != (str(revision) if revision else ""):
        raise EtagMismatch(resource="The calendar")
    saved = await calendars.save(connection, tenant, calendar)
    plant = await calendars.read(connection, tenant)
    first = plant.first_moved(held, calendar.valid_from) if calendar.valid_from else date.min
    later = [each.valid_from for each in plant.calendars if each.valid_from]
    until = min((each for each in later if each > (calendar.valid_from or date.min)), default=date.max)
    known = await days.known(connection)
    moved = [each for each in known if first <= each < until]
    unknown = [each for each in _near(known) if first <= each < until and each not in known]
    reached = await days.with_rows(connection, {each: plant.span(each) for each in unknown})
    changed = sorted({*moved, *reached})
    await dirty_days.mark(connection, tenant, changed)
    return Changed(str(saved), len(changed))


def _near(known: Iterable[date]) -> set[date]:
    """Give the days that rows of these days may belong to by another calendar: every row has marked its own."""
    reach = range(-MOST_DAYS_MOVED, MOST_DAYS_MOVED + 1)
    return {each + timedelta(days=step) for each in known for step in reach}
