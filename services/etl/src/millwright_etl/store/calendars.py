"""Calendars of plants, and the lock between those who use them and those who change them."""

from __future__ import annotations

import json
from datetime import date, time

import asyncpg
from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.calendar import DEFAULT, Calendar, Calendars, Shift


async def hold(connection: Connection, tenant: str) -> Calendars:
    """Give a plant's calendars; they do not change before the transaction ends.

    Who lands rows needs this: to which day a row belongs must be the same when the day is marked and when it is read.
    """
    await connection.execute(_HOLD, tenant)
    return await read(connection, tenant)


async def lock(connection: Connection, tenant: str) -> Calendars:
    """Give a plant's calendars, to change them: waits for those who hold them, and keeps others from it."""
    await connection.execute(_LOCK, tenant)
    return await read(connection, tenant)


async def read(connection: Connection, tenant: str) -> Calendars:
    """Give a plant's calendars, the earliest first; the default one holds as long as no other does."""
    found = tuple(_calendar(row) for row in await connection.fetch(_READ, tenant))
    is_whole = found and found[0].valid_from is None
    return Calendars(found if is_whole else (DEFAULT, *found))


async def revisions(connection: Connection, tenant: str) -> dict[date | None, int]:
    """Give how often each of a plant's calendars was saved, by `valid_from`."""
    rows = await connection.fetch(_READ, tenant)
    return {row["valid_from"]: row["revision"] for row in rows}


async def save(connection: Connection, tenant: str, calendar: Calendar) -> int:
    """Write a calendar in the place of the one of its `valid_from`; give how often it was saved."""
    shifts = [
        {
            "code": shift.code,
            "start": f"{shift.start:%H:%M}",
            "end": f"{shift.end:%H:%M}",
            "planned_minutes": shift.planned_minutes,
        }
        for shift in calendar.shifts
    ]
    valid_from = calendar.valid_from or _FROM_THE_BEGINNING
    revision: int = await connection.fetchval(
        _SAVE, tenant, valid_from, calendar.time_zone, calendar.day_start, json.dumps(shifts)
    )
    return revision


def _calendar(row: asyncpg.Record) -> Calendar:
    shifts = (
        Shift(
            shift["code"],
            time.fromisoformat(shift["start"]),
            time.fromisoformat(shift["end"]),
            shift["planned_minutes"],
        )
        for shift in json.loads(row["shifts"])
    )
    return Calendar(row["time_zone"], row["day_start"], tuple(shifts), row["valid_from"])


_FROM_THE_BEGINNING = date.min  # -infinity, in Postgres
_HOLD = "SELECT pg_advisory_xact_lock_shared(hashtextextended('etl:calendar:' || $1, 0))"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('etl:calendar:' || $1, 0))"
_READ = """
SELECT time_zone, day_start, shifts, CASE WHEN isfinite(valid_from) THEN valid_from END AS valid_from,
       revision
FROM etl.calendar WHERE tenant = $1 ORDER BY etl.calendar.valid_from
"""
_SAVE = """
INSERT INTO etl.calendar AS kept (tenant, valid_from, time_zone, day_start, shifts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, valid_from) DO UPDATE
SET time_zone = excluded.time_zone, day_start = excluded.day_start, shifts = excluded.shifts,
    revision = kept.revision + 1, update_time = clock_timestamp()
RETURNING revision
"""
