"""Dirty days: business days that changed since their facts were made. Landing adds, runs remove, nobody updates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from millwright_runtime.postgres.database import Connection


async def mark(connection: Connection, tenant: str, days: Sequence[date]) -> None:
    """Note that days changed, in the transaction that changes them."""
    if days:
        await connection.execute(_MARK, tenant, days)


async def take(connection: Connection, tenant: str, day: date) -> None:
    """Remove the marks of a day, in the transaction that makes its facts, before those are made.

    The rows of every mark that is removed are seen by the statements that follow; a mark that comes later stays.
    """
    await connection.execute(_TAKE, tenant, day)


_MARK = "INSERT INTO etl.dirty (tenant, date) SELECT $1, day FROM unnest($2::date[]) AS day"
_TAKE = "DELETE FROM etl.dirty WHERE tenant = $1 AND date = $2"
