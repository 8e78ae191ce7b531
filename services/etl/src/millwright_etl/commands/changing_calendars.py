"""Changing a plant's calendar: the days that it moves are made anew by the next run."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.calendar import Calendar
from millwright_etl.domain.errors import EtagMismatch
from millwright_etl.store import calendars


class Changed(NamedTuple):
    """What came of a change."""

    etag: str
    dirty_days: int


async def change(connection: Connection, tenant: str, calendar: Calendar, etag: str) -> Changed:
    """Save a calendar, and mark the days with facts that it holds for, and the day before, whose end it moves.

    Raises EtagMismatch unless the calendar of its `valid_from` is as `etag` says; empty: it must not be there.
    """
    held = await calendars.lock(connection, tenant)
    revision = (await calendars.revisions(connection, tenant)).get(calendar.valid_from)
    if etag != (str(revision) if revision else ""):
        raise EtagMismatch(resource="The calendar")
    later = [each.valid_from for each in held.calendars if each.valid_from]
    first = calendar.valid_from or date.min
    until = min((each for each in later if each > first), default=date.max)
    saved = await calendars.save(connection, tenant, calendar)
    day_before = first - timedelta(days=1) if calendar.valid_from else first
    return Changed(str(saved), await calendars.mark_days(connection, tenant, day_before, until))
