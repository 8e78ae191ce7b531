"""Calendars of plants, and the lock between those who use them and those who change them."""

from __future__ import annotations

import json
from datetime import time

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
    """Give a plant's calendars, the earliest first."""
    rows = await connection.fetch(_READ, tenant)
    return Calendars(tuple(_calendar(row) for row in rows) or (DEFAULT,))


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


_HOLD = "SELECT pg_advisory_xact_lock_shared(hashtextextended('etl:calendar:' || $1, 0))"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('etl:calendar:' || $1, 0))"
_READ = """
SELECT time_zone, day_start, shifts, CASE WHEN isfinite(valid_from) THEN valid_from END AS valid_from
FROM etl.calendar WHERE tenant = $1 ORDER BY etl.calendar.valid_from
"""
