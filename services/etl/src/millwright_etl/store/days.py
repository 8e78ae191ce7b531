"""Business days: how the last run of each ended, and the lock between runs of one day."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_etl.domain.planning import Day
from millwright_etl.domain.windows import Window


async def read(connection: Connection, pipeline: str, from_date: date, to_date: date) -> dict[date, Day]:
    """Give what is known of the transaction's tenant's days in [from_date, to_date], in order."""
    rows = await connection.fetch(_READ, pipeline, from_date, to_date)
    return {row["date"]: Day(row["is_published"], row["is_failed"], row["is_dirty"], row["is_queued"]) for row in rows}


async def known(connection: Connection) -> set[date]:
    """Give the transaction's tenant's days that a run has ended for, or that were marked: each row's is among them."""
    return {row["date"] for row in await connection.fetch(_KNOWN)}


async def with_rows(connection: Connection, spans: Mapping[date, tuple[datetime, datetime]]) -> Sequence[date]:
    """Give those of the days, each with its begin and end, that rows of the transaction's tenant fall into.

    It is one look into the index a day, however many rows there are.
    """
    begins, ends = ([span[place] for span in spans.values()] for place in (0, 1))
    return [row["date"] for row in await connection.fetch(_WITH_ROWS, list(spans), begins, ends)]


async def tenants(connection: Connection) -> list[str]:
    """Give the tenants that have landed rows, in order."""
    return [row["tenant"] for row in await connection.fetch(_TENANTS)]


async def lock_plans(connection: Connection, tenant: str) -> None:
    """Keep others from planning what is due before the transaction ends: they see what is in a run then."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('etl:plan:' || $1, 0))", tenant)


async def lock(connection: Connection, tenant: str, pipeline: str, day: date, seconds: float) -> None:
    """Wait until no other transaction makes the facts of a day, for `seconds` at most, and keep others from it."""
    key = f"etl:day:{pipeline}:{tenant}:{day}"
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key, timeout=seconds)


async def publish(
    connection: Connection, pipeline: str, window: Window, run: uuid.UUID, rows_read: int, sources: Mapping[str, float]
) -> None:
    """Note that the facts of a day are in place; `sources` are the newest events of each, in seconds since 1970."""
    told = json.dumps(dict(sources))
    await connection.execute(_PUBLISH, window.tenant, pipeline, window.date, run, rows_read, told)


async def fail(connection: Connection, tenant: str, pipeline: str, day: date, run: uuid.UUID) -> None:
    """Note that the last run of a day left its facts as they were."""
    await connection.execute(_FAIL, tenant, pipeline, day, run)


# Rows that are landed mark their day: a marked day without facts has rows. Whoever makes a day takes its marks first,
# in a transaction that is open until it is published: where some are taken (their xmax) and one is not, that one came
# after them, and it may make nothing of it.
_READ = f"""
SELECT date, coalesce(publish_time IS NOT NULL, false) AS is_published,
       coalesce(state = 'FAILED', false) AS is_failed, changed.date IS NOT NULL AS is_dirty,
       queued.date IS NOT NULL AND (is_pending OR NOT coalesce(has_new_mark, false)) AS is_queued
FROM (SELECT date, publish_time, state FROM etl.day
      WHERE tenant = {TENANT} AND pipeline = $1 AND date BETWEEN $2 AND $3) AS day
FULL JOIN (SELECT date, bool_or(xmax = '0') AND NOT bool_and(xmax = '0') AS has_new_mark
           FROM etl.dirty WHERE tenant = {TENANT} AND date BETWEEN $2 AND $3 GROUP BY date) AS changed
    USING (date)
FULL JOIN (SELECT run_window.date, bool_or(run_window.state = 'PENDING') AS is_pending
           FROM etl.run_window JOIN etl.run USING (tenant, run)
           WHERE tenant = {TENANT} AND run_window.pipeline = $1 AND run_window.date BETWEEN $2 AND $3
             AND run_window.state IN ('PENDING', 'RUNNING') AND kind <> 'BACKFILL'
           GROUP BY run_window.date) AS queued
    USING (date)
ORDER BY date
"""
_KNOWN = f"""
SELECT date FROM etl.day WHERE tenant = {TENANT} UNION SELECT date FROM etl.dirty WHERE tenant = {TENANT}
"""
_WITH_ROWS = f"""
SELECT date FROM unnest($1::date[], $2::timestamptz[], $3::timestamptz[]) AS day (date, begin_time, end_time)
WHERE EXISTS (
    SELECT FROM core.erp_mes_data
    WHERE tenant = {TENANT} AND event_time >= begin_time AND event_time < end_time AND stated_date IS NULL
)
ORDER BY date
"""
_TENANTS = "SELECT DISTINCT tenant FROM (SELECT tenant FROM etl.dirty UNION ALL SELECT tenant FROM etl.day) ORDER BY 1"
_PUBLISH = """
INSERT INTO etl.day AS known (tenant, pipeline, date, state, run, rows_read, sources, publish_time)
VALUES ($1, $2, $3, 'PUBLISHED', $4, $5, $6, clock_timestamp())
ON CONFLICT (tenant, pipeline, date) DO UPDATE
SET state = 'PUBLISHED', run = excluded.run, rows_read = excluded.rows_read, sources = excluded.sources,
    publish_time = excluded.publish_time, update_time = clock_timestamp()
"""
_FAIL = """
INSERT INTO etl.day AS known (tenant, pipeline, date, state, run) VALUES ($1, $2, $3, 'FAILED', $4)
ON CONFLICT (tenant, pipeline, date) DO UPDATE
SET state = 'FAILED', run = excluded.run, update_time = clock_timestamp()
"""
