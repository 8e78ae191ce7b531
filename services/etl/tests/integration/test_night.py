"""The night's command: what it publishes, what it tells, how it ends, and what becomes of it when it is ended."""

import asyncio
import re
import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from etl_rig.client import DAY, NOON, ORDER, SEOUL
from etl_rig.processes import Held
from millwright_etl.commands import landing
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.landing import Door
from millwright_etl.domain.records import Record, RecordType, SourceType
from millwright_local.ports import find_free_port


@pytest.fixture
def plant():
    """A tenant that only this test knows."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def land(connection):
    """Land work orders of a tenant, without the service."""

    async def land(tenant, *external_ids, day=DAY, **fields):
        event_time = NOON + timedelta(days=(day - DAY).days)
        door = Door(Calendars(), datetime.now(UTC))
        rows = [
            door.admit(
                Record(
                    SourceType.MES,
                    "mes-1",
                    RecordType.WORK_ORDER,
                    external_id,
                    {**ORDER, **fields},
                    event_time=event_time,
                    source_time=event_time,
                )
            )
            for external_id in external_ids
        ]
        async with connection.transaction():
            await connection.execute(f"SET LOCAL millwright.tenant = '{tenant}'")
            await landing.land(connection, tenant, rows)

    return land


@pytest.fixture
def pieces(sql):
    """Read the pieces of a tenant by day."""

    async def read(tenant):
        statement = "SELECT date, sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1 GROUP BY date"
        return {day: int(pieces) for day, pieces in await sql.fetch(statement, tenant)}

    return read


def yesterday():
    return (datetime.now(SEOUL) - timedelta(hours=6)).date() - timedelta(days=1)


async def test_it_publishes_what_is_due_of_every_plant_and_tells_so(processes, land, pieces, plant):
    others = f"{plant}-b"
    await land(plant, "1", "2")
    await land(others, "1", day=yesterday())
    code, told, log = await processes.run_night()
    assert code == 0, log
    assert await pieces(plant) == {DAY: 200}
    assert await pieces(others) == {yesterday(): 100}
    [line] = [line for line in told if line.startswith(f"{plant} ")]
    assert re.fullmatch(rf"{plant} runs/\S+ COMPLETED: 2 of 2 days published, 2 rows used, 0 quarantined", line)


async def test_a_second_night_finds_nothing_to_do(processes, land, plant):
    await land(plant, "1")
    await processes.run_night("--tenant", plant)
    code, told, _ = await processes.run_night("--tenant", plant)
    assert (code, len(told)) == (0, 1)
    assert "COMPLETED: 0 of 0 days published" in told[0]


async def test_started_twice_at_once_it_does_everything_once(processes, land, pieces, sql, plant):
    await land(plant, *(str(number) for number in range(20)))
    nights = await asyncio.gather(*(processes.run_night("--tenant", plant) for _ in range(2)))
    assert [code for code, _, _ in nights] == [0, 0]
    assert await pieces(plant) == {DAY: 2000}
    windows = await sql.fetch("SELECT date, attempts FROM etl.run_window WHERE tenant = $1", plant)
    assert sorted(map(tuple, windows)) == [(DAY, 1), (yesterday(), 1)]


async def test_a_night_that_did_not_take_place_is_made_up_for(processes, land, pieces, plant):
    for back in range(3):
        await land(plant, str(back), day=yesterday() - timedelta(days=back))
    assert (await processes.run_night("--tenant", plant))[0] == 0
    assert await pieces(plant) == {yesterday() - timedelta(days=back): 100 for back in range(3)}


async def test_days_that_cannot_be_published_are_told_and_the_others_are(processes, land, pieces, plant):
    await land(plant, *(str(number) for number in range(30)), total_qty="12,5")
    await land(plant, "good", day=yesterday())
    code, told, _ = await processes.run_night("--tenant", plant)
    assert code == 3
    assert "FAILED: 1 of 2 days published" in told[0]
    assert told[1].startswith(f"{plant} {DAY} QUARANTINE_THRESHOLD: ")
    assert await pieces(plant) == {yesterday(): 100}


async def test_what_is_not_done_in_time_is_left_to_others(processes, land, pieces, sql, plant):
    await land(plant, "1")
    async with Held(sql, plant, DAY):
        code, told, log = await processes.run_night("--tenant", plant, "--wait-seconds", "4")
    assert (code, told) == (4, [])
    assert "not done in 4 s" in log
    code, told, _ = await processes.run_night("--tenant", plant)
    assert (code, await pieces(plant)) == (0, {DAY: 100})
    assert len(told) == 2, "the run that was under way is brought to its end, too"


async def test_told_to_end_it_gives_back_what_it_has_in_hand(processes, land, sql, plant):
    await land(plant, "1")
    async with Held(sql, plant, DAY) as day, processes.night("--due", "--tenant", plant) as night:
        await day.wait_for_a_worker()
        night.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(night.wait(), 20) == 143
        statement = "SELECT state, attempts FROM etl.run_window WHERE tenant = $1 AND date = $2"
        assert tuple(await sql.fetchrow(statement, plant, DAY)) == ("PENDING", 0)


async def test_killed_in_the_middle_it_leaves_nothing_and_the_next_one_goes_on(processes, land, pieces, sql, plant):
    await land(plant, "1")
    async with Held(sql, plant, DAY) as day, processes.night("--due", "--tenant", plant) as night:
        await day.wait_for_a_worker()
        night.kill()
        await night.wait()
    assert await pieces(plant) == {}
    code, _, log = await processes.run_night("--tenant", plant)
    assert code == 0, log
    assert await pieces(plant) == {DAY: 100}
    attempts = await sql.fetchval("SELECT attempts FROM etl.run_window WHERE tenant = $1 AND date = $2", plant, DAY)
    assert attempts == 2


async def test_without_a_database_it_says_so_in_time(processes):
    url = f"postgresql://nobody@127.0.0.1:{find_free_port()}/x"
    code, _, log = await processes.run_night("--wait-seconds", "2", DATABASE_URL=url)
    assert code == 4
    assert "waiting for the schema" in log


async def test_what_it_does_not_understand_ends_it_with_2(processes):
    async with processes.night() as night:
        _, log = await night.communicate()
    assert (night.returncode, "--due" in log.decode()) == (2, True)
    code, _, log = await processes.run_night(WINDOW_SECONDS="-1")
    assert (code, "MILLWRIGHT_ETL_WINDOW_SECONDS" in log) == (2, True)
