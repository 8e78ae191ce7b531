"""Months of facts are made ahead, and beside whoever reads and writes."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest
from etl_rig.client import NOON, record
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_etl.engine.months import Months
from millwright_etl.store.months import AHEAD
from millwright_local.processes import until
from millwright_runtime.service import running

WAIT_SECONDS = 20.0
LONG_AGO = NOON - timedelta(days=365)
"""In a month that nobody makes ahead."""


@pytest.fixture
async def other(urls):
    """Somebody else at the database, in the middle of a transaction."""
    connection = await asyncpg.connect(urls.superuser)
    await connection.execute("BEGIN")
    yield connection
    await connection.close()


async def parts(sql, month):
    """Count the partitions of a month."""
    return await sql.fetchval(
        "SELECT count(*) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE relname LIKE $1",
        f"fact_daily_%_{month:%Y%m}",
    )


async def test_the_last_month_and_those_ahead_are_there_before_anybody_asks(service, sql):
    today = await sql.fetchval("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
    months = [
        date(today.year + number // 12, number % 12 + 1, 1) for number in range(today.month - 2, today.month + AHEAD)
    ]

    async def are_made():
        return [await parts(sql, month) for month in months] == [2] * (AHEAD + 2)

    await until(are_made, WAIT_SECONDS)
    assert await Months(service.platform.database).run_once() == 0


async def test_a_long_reader_keeps_no_new_month_and_no_other_reader_waiting(client, sql, other):
    await other.fetchval("SELECT count(*) FROM bi.fact_daily_production JOIN bi.dim_line USING (tenant, line)")
    await client.land(record(event_time=LONG_AGO))
    run = await client.ended((await client.RunPipeline(dates=[str(LONG_AGO.date())])).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED
    assert await parts(sql, LONG_AGO) == 2
    assert await sql.fetch("SELECT * FROM bi.fact_daily_production WHERE tenant = $1", client.tenant, timeout=2)


async def test_of_two_who_make_a_month_at_once_the_second_finds_it(sql, other, urls):
    month = LONG_AGO - timedelta(days=124)
    assert await other.fetchval("SELECT bi.ensure_month($1)", month) == 2
    second = await asyncpg.connect(urls.superuser)
    waiting = asyncio.create_task(second.fetchval("SELECT bi.ensure_month($1)", month))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await other.execute("COMMIT")
    assert await waiting == 0
    assert await parts(sql, month) == 2
    await second.close()


async def test_a_window_waits_for_a_long_writer_of_dimensions_and_no_reader_with_it(client, sql, other, caplog):
    day = LONG_AGO - timedelta(days=62)
    await other.execute("INSERT INTO bi.dim_line (tenant, line, inferred) VALUES ('other', 'L1', false)")
    caplog.set_level("INFO")
    await client.land(record(event_time=day))
    name = (await client.RunPipeline(dates=[str(day.date())])).run.name
    await until(lambda: _said(caplog, "a window waits for its month"), WAIT_SECONDS)
    assert (
        await sql.fetchval("SELECT count(*) FROM bi.dim_line JOIN bi.fact_daily_production USING (line)", timeout=2)
        >= 0
    )
    await other.execute("ROLLBACK")
    assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED
    [window] = (await client.ListWindows(run=name)).windows
    assert window.attempts == 1


async def test_a_writer_who_never_ends_fails_the_window_and_says_so(service_databases, service_settings, connected):
    async with service_databases.fresh(SERVICE) as urls:
        settings = service_settings(SERVICE, urls.service, window_seconds=0.5)
        async with running(SERVICE, settings) as service, connected(service) as client:
            writer = await asyncpg.connect(urls.superuser)
            await writer.execute("BEGIN; INSERT INTO bi.dim_line (tenant, line, inferred) VALUES ('t', 'L1', false)")
            await client.land(record(event_time=LONG_AGO))
            run = await client.ended((await client.RunPipeline(dates=[str(LONG_AGO.date())])).run.name)
            await writer.close()
            [window] = (await client.ListWindows(run=run.name)).windows
            assert (run.state, window.reason, window.attempts) == (run_pb2.Run.STATE_FAILED, "DATABASE", 1)


async def _said(caplog, message):
    return message in caplog.text
