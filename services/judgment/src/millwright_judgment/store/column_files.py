"""Copies of executions in columns: a file a part of a closed day, kept in Postgres beside the rows.

A day of a ruleset is copied in one transaction, and only if the copies hold as many executions as the table: so a day
that has a copy has all of it. A judgment that is stored long after it was made takes the copies of its day away, in
the transaction that stores it; the day is then copied again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from millwright_runtime.postgres import limits
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.executions import Execution

CLOSED_AFTER = timedelta(hours=2)
"""How long after its end a day is copied, by the database's clock."""
LATE_AFTER = timedelta(minutes=30)
"""A judgment that is stored so long after it was made may be of a day that is copied. Far less than the above: what is
not late when it is looked at is there before its day is copied, or ended by Postgres."""

_COPY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Copy:
    """A file, without its content."""

    day: date
    part: int
    """From 0, the newest executions first."""
    rows: int
    last_execution: uuid.UUID
    """The oldest one that it holds."""
    digest: bytes

    def is_sound(self, content: bytes) -> bool:
        """Tell whether a content is what was written."""
        return hashlib.sha256(content).digest() == self.digest


@dataclass(frozen=True, slots=True)
class Found:
    """Where a reader goes on."""

    copy: Copy | None
    """The newest that holds executions before a position; None if no day has one."""
    is_copied_day: bool
    """True if the day of the position is copied."""


async def closed_days(connection: Connection, keep_days: int) -> Sequence[date]:
    """Give the days that have ended, whose executions are kept, the newest first."""
    return [row["day"] for row in await connection.fetch(_CLOSED_DAYS, CLOSED_AFTER, keep_days)]


async def uncopied(connection: Connection, day: date) -> Sequence[tuple[str, str]]:
    """Give the rulesets, each with its tenant, that judged on a day and have no copy of it."""
    return [(row["tenant"], row["ruleset"]) for row in await connection.fetch(_UNCOPIED, *_span(day), day)]


async def take_turn(connection: Connection, tenant: str, ruleset: str, day: date) -> bool:
    """Take the right to copy a day until the transaction ends; False if somebody has it or the day is copied.

    The transaction may take an hour then: of a busy ruleset, a day is many files.
    """
    await connection.execute(limits.extension(_COPY_SECONDS))
    taken: bool = await connection.fetchval(_TAKE_TURN, f"{tenant}/{ruleset}/{day}")
    return taken and not await connection.fetchval(_IS_COPIED, tenant, ruleset, day)


async def insert(
    connection: Connection,
    tenant: str,
    ruleset: str,
    place: tuple[date, int],
    executions: tuple[uuid.UUID, uuid.UUID],
    rows: int,
    content: bytes,
) -> None:
    """Write a file of the executions from the first, the newest, to the last."""
    digest = hashlib.sha256(content).digest()
    await connection.execute(_INSERT, tenant, ruleset, *place, rows, *executions, digest, content)


async def seal(connection: Connection, tenant: str, ruleset: str, day: date) -> bool:
    """Tell whether the files of a day hold as many executions as the table; from here on nothing is added unseen."""
    await connection.execute(_HOLD_ALONE, day.toordinal())
    whole: bool = await connection.fetchval(_IS_WHOLE, tenant, ruleset, *_span(day), day)
    return whole


async def forget_late(connection: Connection, rows: Sequence[Execution], now: datetime) -> None:
    """Take away the copies of the days that late rows belong to; to be called before they are inserted."""
    edge = now - LATE_AFTER
    late = sorted({(row.tenant, row.ruleset, row.judge_time.date()) for row in rows if row.judge_time < edge})
    if not late:
        return
    for day in sorted({day for _, _, day in late}):
        await connection.execute(_HOLD_SHARED, day.toordinal())
    tenants, rulesets, days = zip(*late, strict=True)
    await connection.execute(_FORGET_LATE, tenants, rulesets, days)


async def expire(connection: Connection, keep_days: int) -> int:
    """Remove the copies of days whose executions are kept no more; give how many."""
    return int((await connection.execute(_EXPIRE, keep_days)).rpartition(" ")[2])


async def find(
    connection: Connection, ruleset: str, position: uuid.UUID, days: tuple[date, date], position_day: date
) -> Found:
    """Give the newest file that holds executions before a position, of days from the first to the last."""
    row = await connection.fetchrow(_FIND, ruleset, *days, position)
    is_copied = await connection.fetchval(_IS_DAY_COPIED, ruleset, position_day)
    return Found(Copy(**dict(row)) if row else None, is_copied)


async def content(connection: Connection, ruleset: str, copy: Copy) -> bytes:
    """Give what a file of the transaction's tenant holds."""
    octets: bytes = await connection.fetchval(_CONTENT, ruleset, copy.day, copy.part)
    return octets


def _span(day: date) -> tuple[datetime, datetime]:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begin, begin + timedelta(days=1)


_CLOSED_DAYS = r"""
SELECT day FROM (
    SELECT to_date(right(relname, 8), 'YYYYMMDD') AS day FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'judgment.execution'::regclass AND relname ~ '^execution_[0-9]{8}$'
) AS partition
WHERE (day + 1)::timestamp AT TIME ZONE 'UTC' BETWEEN clock_timestamp() - make_interval(days => $2)
    AND clock_timestamp() - $1::interval
ORDER BY day DESC
"""
# One look into the index for each ruleset, however many executions it has.
_UNCOPIED = """
WITH RECURSIVE pair AS (
    (SELECT tenant, ruleset FROM judgment.execution
     WHERE judge_time >= $1 AND judge_time < $2 ORDER BY tenant, ruleset LIMIT 1)
    UNION ALL
    SELECT following.tenant, following.ruleset FROM pair, LATERAL (
        SELECT tenant, ruleset FROM judgment.execution
        WHERE judge_time >= $1 AND judge_time < $2 AND (tenant, ruleset) > (pair.tenant, pair.ruleset)
        ORDER BY tenant, ruleset LIMIT 1
    ) AS following
)
SELECT tenant, ruleset FROM pair
WHERE NOT EXISTS (SELECT FROM judgment.column_file AS file
                  WHERE (file.tenant, file.ruleset, file.day) = (pair.tenant, pair.ruleset, $3))
"""
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('columns:' || $1, 0))"
_IS_COPIED = "SELECT EXISTS (SELECT FROM judgment.column_file WHERE (tenant, ruleset, day) = ($1, $2, $3))"
_INSERT = """
INSERT INTO judgment.column_file
    (tenant, ruleset, day, part, rows, first_execution, last_execution, digest, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_HOLD_ALONE = "SELECT pg_advisory_xact_lock(7416, $1)"
_HOLD_SHARED = "SELECT pg_advisory_xact_lock_shared(7416, $1)"
_IS_WHOLE = """
SELECT (SELECT count(*) FROM judgment.execution
        WHERE tenant = $1 AND ruleset = $2 AND judge_time >= $3 AND judge_time < $4)
     = (SELECT sum(rows) FROM judgment.column_file WHERE tenant = $1 AND ruleset = $2 AND day = $5)
"""
_FORGET_LATE = """
DELETE FROM judgment.column_file WHERE (tenant, ruleset, day) IN (
    SELECT * FROM unnest($1::text[], $2::text[], $3::date[])
)
"""
_EXPIRE = """
DELETE FROM judgment.column_file
WHERE (day + 1)::timestamp AT TIME ZONE 'UTC' < clock_timestamp() - make_interval(days => $1)
"""
_FIND = f"""
SELECT day, part, rows, last_execution, digest FROM judgment.column_file
WHERE tenant = {TENANT} AND ruleset = $1 AND day BETWEEN $2 AND $3 AND last_execution < $4
ORDER BY day DESC, part LIMIT 1
"""
_CONTENT = f"""
SELECT content FROM judgment.column_file WHERE tenant = {TENANT} AND ruleset = $1 AND day = $2 AND part = $3
"""
_IS_DAY_COPIED = f"""
SELECT EXISTS (SELECT FROM judgment.column_file WHERE tenant = {TENANT} AND ruleset = $1 AND day = $2)
"""
