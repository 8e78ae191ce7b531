"""Other ways to make the facts of a day: as people write them by hand, and by reading rows out of the database.

The one statement makes the same facts from the same kinds of rows, over JSON or over the columns that landing fills.
What it leaves out is what makes facts trustworthy. It checks no cell: one bad cell ends it. It sets no row aside, and
knows no corrections, no shifts from the time, no planned time of the calendar and no quality rules. It removes no fact
whose rows are gone, and has no defects by type and no dimensions. It counts nothing and compares nothing. It is no run:
no lock, no history, no events.

The others leave out more: they know work orders alone, and copy their facts into an empty table.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

import asyncpg
import duckdb as duck
import polars as pl

from tests.bench.etl_rows import Plant, time

_NUMBERS = (
    "total_qty",
    "good_qty",
    "defect_qty",
    "rework_qty",
    "scrap_qty",
    "runtime_seconds",
    "cycle_seconds",
    "ideal_cycle_seconds",
)
_SUMS = {
    **{name: (name, "record_type = 'WORK_ORDER'") for name in _NUMBERS[:6]},
    "cycle_seconds_sum": ("total_qty * cycle_seconds", "record_type = 'WORK_ORDER'"),
    "ideal_seconds_sum": ("total_qty * ideal_cycle_seconds", "record_type = 'WORK_ORDER'"),
    "planned_qty": ("planned_qty", "record_type = 'PRODUCTION_ORDER'"),
    "planned_seconds": ("planned_seconds", "record_type = 'PRODUCTION_ORDER'"),
    "downtime_seconds": ("duration_seconds", "record_type = 'EQUIPMENT_STATUS' AND status = 'DOWN'"),
    "setup_seconds": ("duration_seconds", "record_type = 'EQUIPMENT_STATUS' AND status = 'SETUP'"),
}
"""Each measure of a fact: what is summed up, and of which rows."""
_ORDER_MEASURES = (*list(_SUMS)[:8], "work_orders")
_KEYS = ("tenant", "date", "line", "product", "shift")
FACT = f"""
CREATE SCHEMA IF NOT EXISTS bench;
DROP TABLE IF EXISTS bench.fact;
CREATE TABLE bench.fact (
    tenant text, date date, line text, product text, shift text,
    {", ".join(f"{name} numeric NOT NULL DEFAULT 0" for name in _SUMS)},
    work_orders bigint NOT NULL, PRIMARY KEY (tenant, date, line, product, shift)
);
"""
_OF_A_DAY = "FROM core.erp_mes_data WHERE tenant = $1 AND event_time >= $3 AND event_time < $4"
_GROUPED = """sum(total_qty), sum(good_qty), sum(defect_qty), sum(rework_qty), sum(scrap_qty), sum(runtime_seconds),
       sum(total_qty * cycle_seconds), sum(total_qty * ideal_cycle_seconds), count(*)"""


async def json(sql: asyncpg.Connection, plant: Plant, day: date) -> None:
    """Make a day with one statement over the payloads."""
    names = (*_NUMBERS, "planned_qty", "planned_seconds", "duration_seconds")
    numbers = ", ".join(f"(payload ->> '{name}')::numeric AS {name}" for name in names)
    rows = f"""
        SELECT tenant, record_type, payload ->> 'line_code' AS line, payload ->> 'shift' AS shift,
               coalesce(payload ->> 'product_code', '-') AS product, payload ->> 'status' AS status,
               {numbers} {_OF_A_DAY} AND NOT deleted"""
    await sql.execute(_statement(rows), plant.tenant, day, *_span(plant, day))


async def columns(sql: asyncpg.Connection, plant: Plant, day: date) -> None:
    """Make a day with one statement over the columns that landing fills."""
    rows = f"""
        SELECT tenant, record_type, line, coalesce(product, '-') AS product, shift, status, {", ".join(_NUMBERS)},
               planned_qty, planned_seconds, duration_seconds {_OF_A_DAY} AND NOT deleted"""
    await sql.execute(_statement(rows), plant.tenant, day, *_span(plant, day))


def _statement(rows: str) -> str:
    """Give the one statement that makes the facts of a day from rows."""
    sums = ", ".join(f"coalesce(sum({what}) FILTER (WHERE {of}), 0)" for what, of in _SUMS.values())
    names = (*_SUMS, "work_orders")
    return f"""
        INSERT INTO bench.fact ({", ".join((*_KEYS, *names))})
        SELECT tenant, $2::date, line, product, shift, {sums}, count(*) FILTER (WHERE record_type = 'WORK_ORDER')
        FROM ({rows}) AS row WHERE record_type <> 'QUALITY'
        GROUP BY tenant, line, product, shift
        ON CONFLICT (tenant, date, line, product, shift)
        DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in names)}
    """


async def polars(sql: asyncpg.Connection, plant: Plant, day: date) -> None:
    """Read a day's payloads out, group them with polars, and copy the facts back."""
    frame = pl.read_ndjson(await _payloads(sql, plant, day))
    facts = frame.group_by("line_code", "product_code", "shift").agg(
        *(pl.col(name).sum() for name in _NUMBERS[:6]),
        (pl.col("total_qty") * pl.col("cycle_seconds")).sum().alias("cycle"),
        (pl.col("total_qty") * pl.col("ideal_cycle_seconds")).sum().alias("ideal"),
        pl.len().alias("orders"),
    )
    await _copy(sql, ((plant.tenant, day, *row) for row in facts.iter_rows()))


async def duckdb(sql: asyncpg.Connection, plant: Plant, day: date) -> None:
    """Read a day's payloads out, group them with DuckDB, and copy the facts back."""
    payloads = pl.DataFrame({"payload": (await _payloads(sql, plant, day)).getvalue().decode().splitlines()}).to_arrow()
    kinds = ", ".join(f'"{name}": "DOUBLE"' for name in _NUMBERS)
    shape = f'{{"line_code": "VARCHAR", "product_code": "VARCHAR", "shift": "VARCHAR", {kinds}}}'
    with duck.connect() as connection:
        connection.register("payloads", payloads)
        rows = connection.execute(
            f"SELECT line_code, product_code, shift, {_GROUPED} "
            f"FROM (SELECT unnest(json_transform(payload, '{shape}')) FROM payloads) GROUP BY ALL"
        ).fetchall()
    await _copy(sql, ((plant.tenant, day, *row) for row in rows))


def one_by_one(most: int) -> Callable[[asyncpg.Connection, Plant, date], Awaitable[None]]:
    """Give a way to add rows to facts one by one, at most so many: prepared, and in one transaction."""

    async def make(sql: asyncpg.Connection, plant: Plant, day: date) -> None:
        names = ", ".join(("line", "product", "shift", *_NUMBERS[:6]))
        rows = await sql.fetch(
            f"SELECT {names} {_OF_A_DAY} AND $2::date IS NOT NULL LIMIT {most:d}", plant.tenant, day, *_span(plant, day)
        )
        upsert = await sql.prepare(_ADD)
        for row in rows:
            await upsert.fetch(plant.tenant, day, *row)

    return make


async def _payloads(sql: asyncpg.Connection, plant: Plant, day: date) -> io.BytesIO:
    """Give a day's payloads, a line each."""
    out = io.BytesIO()
    query = f"SELECT payload {_OF_A_DAY} AND $2::date IS NOT NULL"
    await sql.copy_from_query(
        query, plant.tenant, day, *_span(plant, day), output=out, format="csv", quote="\x01", delimiter="\x02"
    )
    out.seek(0)
    return out


async def _copy(sql: asyncpg.Connection, facts: Iterable[Sequence[object]]) -> None:
    columns = (*_KEYS, *_ORDER_MEASURES)
    await sql.copy_records_to_table("fact", schema_name="bench", columns=columns, records=facts)


def _span(plant: Plant, day: date) -> tuple[datetime, datetime]:
    begin = time(day, 0, plant.rows_a_day)
    return begin, begin + timedelta(days=1)


_ADD = """
INSERT INTO bench.fact AS fact
    (tenant, date, line, product, shift, total_qty, good_qty, defect_qty, rework_qty, scrap_qty, runtime_seconds,
     work_orders)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
ON CONFLICT (tenant, date, line, product, shift) DO UPDATE
SET total_qty = fact.total_qty + excluded.total_qty, good_qty = fact.good_qty + excluded.good_qty,
    defect_qty = fact.defect_qty + excluded.defect_qty, rework_qty = fact.rework_qty + excluded.rework_qty,
    scrap_qty = fact.scrap_qty + excluded.scrap_qty, runtime_seconds = fact.runtime_seconds + excluded.runtime_seconds,
    work_orders = fact.work_orders + 1
"""
