"""Production facts, as they are read. All SQL is put together from the fragments here; values are parameters."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_etl.domain.queries import Dimension, Filter, Measure, Query

ROWS_AT_ONCE = 1000

_KEYS = {
    Dimension.DATE: "fact.date::text",
    Dimension.WEEK: "dim_date.week",
    Dimension.MONTH: "dim_date.month",
    Dimension.LINE: "fact.line",
    Dimension.PRODUCT: "fact.product",
    Dimension.SHIFT: "fact.shift",
}
_AVAILABILITY = "sum(runtime_seconds) / nullif(sum(planned_seconds), 0)"
_PERFORMANCE = "sum(ideal_seconds_sum) / nullif(sum(runtime_seconds), 0)"
_QUALITY = "sum(good_qty) / nullif(sum(total_qty), 0)"
# ISO 22400-2; each a ratio of sums, so that it is right whatever it is grouped by.
_MEASURES = {
    **{measure: f"sum({measure.lower()})" for measure in list(Measure)[:11]},
    Measure.YIELD: _QUALITY,
    Measure.DEFECT_RATE: "sum(defect_qty) / nullif(sum(total_qty), 0)",
    Measure.CYCLE_SECONDS: "sum(cycle_seconds_sum) / nullif(sum(total_qty), 0)",
    Measure.AVAILABILITY: _AVAILABILITY,
    Measure.PERFORMANCE: _PERFORMANCE,
    Measure.QUALITY: _QUALITY,
    Measure.OEE: f"({_AVAILABILITY}) * ({_PERFORMANCE}) * ({_QUALITY})",
}
_FILTER = f"""
FROM bi.{{table}} AS fact JOIN bi.dim_date USING (date)
WHERE tenant = {TENANT} AND date BETWEEN $1 AND $2 AND (cardinality($3::text[]) = 0 OR fact.line = ANY ($3))
  AND (cardinality($4::text[]) = 0 OR fact.product = ANY ($4))
  AND (cardinality($5::text[]) = 0 OR fact.shift = ANY ($5))
"""


async def rows(connection: Connection, query: Query) -> AsyncGenerator[Sequence[asyncpg.Record]]:
    """Give all rows by their keys, some at a time: the keys as text, then the measures as numbers or None.

    The rows are of one snapshot, which whoever takes nothing for a minute loses.
    """
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
    cursor = await connection.cursor(_grouped(query), *_values(query.filter))
    while found := await cursor.fetch(ROWS_AT_ONCE):
        yield found


async def page(
    connection: Connection, query: Query, after: Sequence[str] | None, limit: int
) -> Sequence[asyncpg.Record]:
    """Give at most `limit` rows by their keys, those after the keys `after`."""
    keys = ", ".join(f"key_{place}" for place in range(len(query.group_by)))
    position = ", ".join(f"${place + 6}" for place in range(len(query.group_by)))
    where = f"WHERE ({keys}) > ({position})" if after else ""
    order = f"ORDER BY {keys}" if keys else ""
    statement = f"SELECT * FROM ({_grouped(query)}) AS grouped {where} {order} LIMIT {limit:d}"
    found: Sequence[asyncpg.Record] = await connection.fetch(statement, *_values(query.filter), *(after or ()))
    return found


async def defects(
    connection: Connection, wanted: Filter, group_by: Sequence[Dimension], offset: int, limit: int
) -> Sequence[asyncpg.Record]:
    """Give at most `limit` rows of defects, most pieces first: keys, type and pieces."""
    keys = [_KEYS[dimension] for dimension in group_by]
    columns = ", ".join([*keys, "defect_type"])
    statement = (
        f"SELECT {columns}, sum(defect_qty)::float8 AS defect_qty "
        f"{_FILTER.format(table='fact_daily_defect')} GROUP BY {columns} "
        f"ORDER BY sum(defect_qty) DESC, {columns} OFFSET {offset:d} LIMIT {limit:d}"
    )
    found: Sequence[asyncpg.Record] = await connection.fetch(statement, *_values(wanted))
    return found


def _grouped(query: Query) -> str:
    keys = [_KEYS[dimension] for dimension in query.group_by]
    named = [f"{key} AS key_{place}" for place, key in enumerate(keys)]
    measures = [f"({_MEASURES[measure]})::float8 AS {measure.lower()}" for measure in query.measures]
    order = ", ".join(str(place + 1) for place in range(len(keys)))
    # Over no key there is one row, or none where there are no facts.
    tail = f"GROUP BY {order} ORDER BY {order}" if keys else "HAVING count(*) > 0"
    return f"SELECT {', '.join([*named, *measures])} {_FILTER.format(table='fact_daily_production')} {tail}"


def _values(wanted: Filter) -> list[Any]:
    return [wanted.from_date, wanted.to_date, list(wanted.lines), list(wanted.products), list(wanted.shifts)]
