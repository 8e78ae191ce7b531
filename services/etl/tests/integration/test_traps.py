"""The traps of the obvious SQL that need more than one transaction; those of one statement are in test_windows."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from etl_rig.client import DAY, NOON, ORDER, record
from millwright.etl.v1 import run_pb2
from millwright_etl.commands import landing, publishing
from millwright_etl.commands.publishing import Job, Limits
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.landing import Door
from millwright_etl.domain.records import Record, RecordType, SourceType

COMPLETED = run_pb2.Run.STATE_COMPLETED


@pytest.fixture
def transaction(urls, client):
    """Open a transaction of the client's tenant as the service's role: it is committed when its block ends."""

    @asynccontextmanager
    async def opened():
        connection = await asyncpg.connect(urls.service)
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL millwright.tenant = '{client.tenant}'")
                yield connection
        finally:
            await connection.close()

    return opened


@pytest.fixture
def pieces(sql, client):
    """Give the pieces in the facts of the client's tenant, by day."""

    async def read():
        rows = await sql.fetch(
            "SELECT date, sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1 GROUP BY 1", client.tenant
        )
        return {day: int(total) for day, total in rows}

    return read


async def due(client):
    """Run what is due to its end."""
    run = await client.ended((await client.RunPipeline()).run.name)
    assert run.state == COMPLETED
    return run


async def test_trap_3_a_row_that_is_committed_while_its_day_is_made_is_in_the_facts_of_the_next_run(
    client, transaction, pieces
):
    await client.land(record({**ORDER, "total_qty": 1000}))
    job = Job(client.tenant, "daily-production", DAY, uuid.uuid4(), datetime.now(UTC))
    async with transaction() as connection:
        await publishing.prepare(connection, job)
    async with transaction() as connection:
        await publishing.publish(connection, job, Limits(30, 16))
        await client.land(record({**ORDER, "total_qty": 7, "good_qty": 7, "defect_qty": 0}, "between"))
    assert await pieces() == {DAY: 1000}
    await due(client)
    assert await pieces() == {DAY: 1007}


async def test_trap_5_a_row_of_a_slow_transaction_that_commits_after_later_ones_is_not_missed(
    client, transaction, pieces
):
    slow = Record(SourceType.MES, "mes-1", RecordType.WORK_ORDER, "slow", dict(ORDER), NOON, NOON)
    async with transaction() as connection:
        row = Door(Calendars(), datetime.now(UTC)).admit(slow)
        assert await landing.land(connection, client.tenant, [row]) == (1, 0, 0, 0, 0)
        await client.land(record(external_id="fast", event_time=NOON + timedelta(hours=1)))
        await due(client)
        assert await pieces() == {DAY: 100}
    await due(client)
    assert await pieces() == {DAY: 200}


async def test_trap_6_backfills_of_the_same_days_in_opposite_orders_at_once_neither_wait_for_ever_nor_count_twice(
    client, pieces
):
    days = [DAY - timedelta(days=number) for number in range(6)]
    for number, day in enumerate(days):
        noon = NOON - timedelta(days=number)
        await client.land(*(record(ORDER, f"{day}-{order}", event_time=noon) for order in range(20)))
    fields = {"from_date": str(days[-1]), "to_date": str(days[0]), "redo": "REDO_ALL", "parallel": 3}
    answers = await asyncio.gather(
        *(client.Backfill(**fields, newest_first=newest_first) for newest_first in (True, False, True, False))
    )
    runs = [await client.ended(answer.run.name) for answer in answers]
    assert {run.state for run in runs} == {COMPLETED}
    assert sum(run.counts.facts_inserted for run in runs) == len(days)
    assert await pieces() == dict.fromkeys(days, 2000)


async def test_equipment_of_days_that_are_made_side_by_side_is_on_the_line_of_its_newest_row(client, sql):
    stop = {"shift": "A", "status": "DOWN", "duration_seconds": 60}
    days = [DAY - timedelta(days=number) for number in range(6)]
    for number, day in enumerate(days):
        noon = NOON - timedelta(days=number)
        stops = ({**stop, "line_code": f"L{number}", "equipment_code": f"M{machine}"} for machine in range(30))
        await client.land(
            *(
                record(each, f"{day}-{each['equipment_code']}", event_time=noon, kind="EQUIPMENT_STATUS")
                for each in stops
            )
        )
    fields = {"from_date": str(days[-1]), "to_date": str(days[0]), "redo": "REDO_ALL", "parallel": 4}
    answers = await asyncio.gather(*(client.Backfill(**fields, newest_first=each) for each in (True, False, True)))
    runs = [await client.ended(answer.run.name) for answer in answers]
    assert {run.state for run in runs} == {COMPLETED}
    rows = await sql.fetch("SELECT line, count(*) FROM bi.dim_equipment WHERE tenant = $1 GROUP BY line", client.tenant)
    assert [tuple(row) for row in rows] == [("L0", 30)]


TIMES = ["2025-11-15T02:30:00+09:00", "2025-11-14T17:30:00Z", "2025-11-15T05:59:59.999999+09:00"]
MORNING = "2025-11-15T06:00:00+09:00"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
async def test_trap_7_the_business_day_depends_on_the_plants_clock_and_not_on_the_sessions(plant, zone):
    await plant.connection.execute(f"SET TIME ZONE '{zone}'")
    for text in (*TIMES, MORNING):
        await plant.land({**ORDER, "shift": None}, text, event_time=datetime.fromisoformat(text))
    await plant.run(DAY)
    await plant.run(DAY + timedelta(days=1))
    assert await plant.facts() == {(DAY, "L1", "P1", "C"): 300, (DAY + timedelta(days=1), "L1", "P1", "A"): 100}
