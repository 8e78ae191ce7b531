"""What the etl service takes for 2,000,000 rows, beside other ways of doing the same; all must come to the same totals.

Four plants have 25 days of 20,000 work orders each. One day is one window, whatever does it. The service's own times
are those of its runs: from the first window begun to the last one published. The first plant
warms everything up and is not measured; the service and the bare statement then make two plants by turns.

The bare statement looks at no cell for being wrong, and its days are no windows of a run, which are taken, compared,
read back and told of. Landing waits for one Postgres session: it reads and hashes each payload, which COPY does not.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import harmonic_mean

import asyncpg
import grpc.aio
from millwright.etl.v1 import (
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    pipeline_service_pb2,
    pipeline_service_pb2_grpc,
)
from millwright.etl.v1.run_pb2 import Run, Window
from millwright_local.databases import DATABASE
from millwright_local.stack import Stack

from tests.bench import etl_peers, etl_rows
from tests.bench.etl_rows import ROWS_A_DAY, Plant
from tests.bench.figures import Figure, latencies
from tests.bench.rig import fresh_stack

BENCH = "etl"
HISTORY_DAYS, HISTORY_ROWS, COMPARED_DAYS = 300, 1_000, 20
INGESTED = 100_000
UPSERTED = 10_000
FILES_DAYS = 5
"""How many days go the ways that read rows out of the database: they are slow, and a day is like another."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What must come out the same whichever way facts are made."""

    facts: int
    pieces: int
    orders: int


class Client:
    """The service, as one plant calls it."""

    def __init__(self, stack: Stack, channel: grpc.aio.Channel, plant: Plant) -> None:
        self._metadata = [("authorization", f"Bearer {stack.keys.token(tenant=plant.tenant)}")]
        self._pipelines = pipeline_service_pb2_grpc.PipelineServiceStub(channel)
        self._ingest = ingest_service_pb2_grpc.IngestServiceStub(channel)
        self._plant = plant

    async def backfill(self, parallel: int) -> tuple[Run, Sequence[Window]]:
        """Make all days of the plant anew, so many at once."""
        request = pipeline_service_pb2.BackfillRequest(
            from_date=str(self._plant.first_day),
            to_date=str(self._plant.last_day),
            redo=pipeline_service_pb2.BackfillRequest.REDO_ALL,
            parallel=parallel,
        )
        name = (await self._pipelines.Backfill(request, metadata=self._metadata)).run.name
        async for _ in self._pipelines.WatchRun(
            pipeline_service_pb2.WatchRunRequest(name=name), metadata=self._metadata, timeout=300
        ):
            pass
        run = (await self._pipelines.GetRun(pipeline_service_pb2.GetRunRequest(name=name), metadata=self._metadata)).run
        assert run.state == Run.STATE_COMPLETED, run.error
        asked = pipeline_service_pb2.ListWindowsRequest(run=name, page_size=500)
        return run, (await self._pipelines.ListWindows(asked, metadata=self._metadata)).windows

    async def ingest(self, messages: Sequence[ingest_service_pb2.IngestRecordsRequest]) -> int:
        """Land a stream of rows; give how many are new."""
        inserted = 0
        async for answer in self._ingest.IngestRecords(iter(messages), metadata=self._metadata):
            inserted = answer.counts.inserted
        return inserted


async def etl() -> AsyncIterator[Figure]:
    """Land, make and compare."""
    async with fresh_stack() as stack, grpc.aio.insecure_channel(stack.endpoints["etl"]) as channel:
        assert stack.postgres is not None
        async with stack.postgres.connect(DATABASE) as sql:
            plants = [Plant(f"bench-{number}") for number in range(4)]
            for plant in plants:
                await etl_rows.load(sql, plant)
            await sql.execute("VACUUM ANALYZE core.erp_mes_data")
            async for figure in _pipeline(stack, channel, sql, plants):
                yield figure
            async for figure in _history(stack, channel, sql):
                yield figure
            yield await _landing(stack, channel, sql)


async def _pipeline(
    stack: Stack, channel: grpc.aio.Channel, sql: asyncpg.Connection, plants: Sequence[Plant]
) -> AsyncIterator[Figure]:
    warm, first, second, third = plants
    await Client(stack, channel, warm).backfill(parallel=1)
    await _timed(sql, warm, etl_peers.json, warm.days[:FILES_DAYS])
    rates, peer_rates, seconds = [], [], []
    for plant in (first, second):
        run, windows = await Client(stack, channel, plant).backfill(parallel=1)
        rates.append(_rate(run))
        seconds += [window.duration_ms / 1000 for window in windows]
        expected = await _totals(sql, "bi.fact_daily_production", plant)
        peer_rates.append(await _timed(sql, plant, etl_peers.json, plant.days))
        assert await _totals(sql, "bench.fact", plant) == expected
    rate, peer_rate = harmonic_mean(rates), harmonic_mean(peer_rates)
    yield Figure(BENCH, "first load", rate, "rows/s", "bare INSERT … SELECT", peer_rate, least_ratio=0.8)
    peer_rate = await _timed(sql, first, etl_peers.columns, first.days)
    assert await _totals(sql, "bench.fact", first) == expected
    yield Figure(BENCH, "first load, to one over typed columns", rate, "rows/s", "bare INSERT … SELECT", peer_rate)
    days = first.days[:FILES_DAYS]
    some = await _totals(sql, "bi.fact_daily_production", first, days)
    for peer, make in (("polars", etl_peers.polars), ("DuckDB", etl_peers.duckdb)):
        peer_rate = await _timed(sql, first, make, days)
        assert await _totals(sql, "bench.fact", first, days) == some
        metric = f"first load, to {peer}"
        yield Figure(BENCH, metric, rate, "rows/s", "reading rows out", peer_rate, least_ratio=1)
    peer_rate = await _timed(sql, first, etl_peers.one_by_one(UPSERTED), days[:1], UPSERTED)
    yield Figure(BENCH, "first load, to upserts", rate, "rows/s", "one upsert a row", peer_rate, least_ratio=20)

    again, _ = await Client(stack, channel, first).backfill(parallel=1)
    written = again.counts.facts_inserted + again.counts.facts_updated + again.counts.facts_deleted
    yield Figure(BENCH, "unchanged days, facts written", written, "", most=0)
    yield Figure(BENCH, "unchanged days", _rate(again), "rows/s", "first load", rate)
    both, _ = await Client(stack, channel, third).backfill(parallel=2)
    assert await _totals(sql, "bi.fact_daily_production", third) == expected
    yield Figure(BENCH, "two windows at once", _rate(both), "rows/s", "one at a time", rate, least_ratio=1.7)
    for figure in latencies(BENCH, f"a day of {ROWS_A_DAY:,}", seconds):
        yield figure


async def _history(stack: Stack, channel: grpc.aio.Channel, sql: asyncpg.Connection) -> AsyncIterator[Figure]:
    plant = Plant("bench-history", HISTORY_DAYS, HISTORY_ROWS)
    await etl_rows.load(sql, plant)
    _, windows = await Client(stack, channel, plant).backfill(parallel=1)
    seconds = [window.duration_ms / 1000 for window in sorted(windows, key=lambda window: window.date)]
    first, last = seconds[5 : 5 + COMPARED_DAYS], seconds[-COMPARED_DAYS:]
    rates = [HISTORY_ROWS * len(some) / sum(some) for some in (last, first)]
    yield Figure(BENCH, f"after {HISTORY_DAYS} days", rates[0], "rows/s", "after 10 days", rates[1], least_ratio=0.8)


async def _landing(stack: Stack, channel: grpc.aio.Channel, sql: asyncpg.Connection) -> Figure:
    plant = Plant("bench-landing", 5, INGESTED // 5)
    messages = etl_rows.messages(plant)
    begin = time.perf_counter()
    assert await Client(stack, channel, plant).ingest(messages) == INGESTED
    rate = INGESTED / (time.perf_counter() - begin)
    rows = etl_rows.copied(Plant("bench-copied", 5, INGESTED // 5))
    begin = time.perf_counter()
    await sql.copy_records_to_table("erp_mes_data", schema_name="core", columns=etl_rows.COLUMNS, records=rows)
    peer_rate = INGESTED / (time.perf_counter() - begin)
    return Figure(BENCH, "landing over gRPC", rate, "rows/s", "asyncpg COPY", peer_rate, least_ratio=0.4)


async def _timed(
    sql: asyncpg.Connection,
    plant: Plant,
    make: Callable[[asyncpg.Connection, Plant, date], Awaitable[None]],
    days: Sequence[date],
    rows_a_day: int = 0,
) -> float:
    """Make days another way, each in a transaction of its own; give rows a second."""
    await sql.execute(etl_peers.FACT)
    begin = time.perf_counter()
    for day in days:
        async with sql.transaction():
            await sql.execute("SET LOCAL jit = off; SET LOCAL work_mem = '256MB'")
            await make(sql, plant, day)
    return len(days) * (rows_a_day or plant.rows_a_day) / (time.perf_counter() - begin)


async def _totals(sql: asyncpg.Connection, table: str, plant: Plant, days: Sequence[date] | None = None) -> Totals:
    statement = (
        f"SELECT count(*), coalesce(sum(total_qty), 0)::bigint, coalesce(sum(work_orders), 0)::bigint FROM {table} "
        "WHERE tenant = $1 AND date = ANY ($2)"
    )
    return Totals(*await sql.fetchrow(statement, plant.tenant, days or plant.days))


def _rate(run: Run) -> float:
    seconds = (run.end_time.ToNanoseconds() - run.start_time.ToNanoseconds()) / 1e9
    return float(run.counts.rows_read / seconds)
