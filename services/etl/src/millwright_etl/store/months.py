"""Months of facts: the partitions of both fact tables, made before anybody writes into them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from millwright_runtime.postgres.database import Connection

AHEAD = 2
"""How many months after this one are made ahead."""


async def ensure(connection: Connection, day: date) -> int:
    """Make the partitions of a day's month that are missing; give how many. In a transaction of its own.

    It keeps no reader waiting, and those who write dimensions only for a moment: raises asyncpg.LockNotAvailableError
    if one of those is at work for longer. Then it may be tried again.
    """
    made: int = await connection.fetchval("SELECT bi.ensure_month($1)", day)
    return made


async def near(connection: Connection) -> Sequence[date]:
    """Give the months that facts are about to be written into, by the database's clock: from the last one to AHEAD."""
    return [row["month"] for row in await connection.fetch(_NEAR, AHEAD)]


_NEAR = """
SELECT (date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + number * interval '1 month')::date AS month
FROM generate_series(-1, $1::integer) AS number
"""
