"""Landing: rows take their places, and the business days that they change are marked, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.postgres.database import Connection

from millwright_etl.domain.landing import BusinessDays, Counts, Row, rounds
from millwright_etl.store import calendars, dirty_days, raw_rows


async def land(connection: Connection, tenant: str, rows: Sequence[Row]) -> Counts:
    """Land rows as if one came after the other. To land them again changes nothing.

    Every day that a row belongs to now, or belonged to before, is marked in the same transaction, so that whoever
    sees the mark sees the row.
    """
    days = BusinessDays(await calendars.hold(connection, tenant))
    counts = Counts()
    changed = set()
    for once in rounds(rows):
        landed = await raw_rows.land(connection, tenant, once)
        counts = counts.plus(Counts(landed.inserted, landed.updated, landed.unchanged, landed.outdated))
        changed.update(days.of_all(landed.versions))
    await dirty_days.mark(connection, tenant, sorted(changed))
    return counts
