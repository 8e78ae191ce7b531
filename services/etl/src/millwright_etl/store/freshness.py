"""How fresh the facts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from millwright_runtime.postgres.database import TENANT, Connection

MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Source:
    """When a source system was heard last."""

    source_system: str
    newest_event_time: datetime
    newest_ingest_time: datetime


@dataclass(frozen=True, slots=True)
class Freshness:
    """Days by what is known of them, in order, at most MOST_DAYS of each."""

    complete_date: date | None
    """The last day up to which every day that was ever published or failed is published and unchanged."""
    last_published_date: date | None
    missing_dates: Sequence[date]
    """Up to yesterday, with rows and never published."""
    failed_dates: Sequence[date]
    dirty_dates: Sequence[date]
    """Published, and changed since."""
    sources: Sequence[Source]
    """Of those heard in the last 40 days."""


async def read(connection: Connection, yesterday: date) -> Freshness:
    """Give how fresh the facts of the transaction's tenant are; `yesterday` by the plant's calendar."""
    days = await connection.fetch(_DAYS, yesterday)
    published = [row["date"] for row in days if row["is_published"]]
    unfinished = [row["date"] for row in days if not row["is_published"] or row["is_failed"] or row["is_dirty"]]
    complete = [day for day in published if not unfinished or day < unfinished[0]]
    return Freshness(
        complete_date=complete[-1] if complete else None,
        last_published_date=published[-1] if published else None,
        missing_dates=[row["date"] for row in days if not row["is_published"] and not row["is_failed"]][:MOST_DAYS],
        failed_dates=[row["date"] for row in days if row["is_failed"]][:MOST_DAYS],
        dirty_dates=[row["date"] for row in days if row["is_published"] and row["is_dirty"]][:MOST_DAYS],
        sources=[Source(*row) for row in await connection.fetch(_SOURCES)],
    )


_DAYS = f"""
SELECT date, publish_time IS NOT NULL AS is_published, state IS NOT DISTINCT FROM 'FAILED' AS is_failed,
       changed.date IS NOT NULL AS is_dirty
FROM (SELECT date, publish_time, state FROM etl.day WHERE tenant = {TENANT} AND pipeline = 'daily-production') AS day
FULL JOIN (SELECT DISTINCT date FROM etl.dirty WHERE tenant = {TENANT}) AS changed USING (date)
WHERE date <= $1 ORDER BY date
"""
_SOURCES = f"""
SELECT source_system, max(event_time), max(ingest_time) FROM core.erp_mes_data
WHERE tenant = {TENANT} AND event_time > clock_timestamp() - interval '40 days' GROUP BY 1 ORDER BY 1
"""
