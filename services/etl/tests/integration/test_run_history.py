"""The history of runs: what is removed when its time is over, and what stays."""

from datetime import timedelta

import pytest
from etl_rig.client import DAY
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_local.processes import until
from millwright_runtime.service import running

DAYS = 30
NEXT_DAY, LAST_DAY = DAY + timedelta(days=1), DAY + timedelta(days=2)


@pytest.fixture
def made(client):
    """Run days to their end, and give the run's name."""

    async def make(*days):
        run = await client.ended((await client.RunPipeline(dates=map(str, days))).run.name)
        assert run.state == run_pb2.Run.STATE_COMPLETED
        return run.name

    return make


@pytest.fixture
def aged(sql):
    """Make a run older than it is."""

    async def age(name, days):
        statement = "UPDATE etl.run SET end_time = end_time - $2::interval WHERE run = $1"
        await sql.execute(statement, name.removeprefix("runs/"), timedelta(days=days))

    return age


async def test_runs_that_ended_long_ago_are_gone_but_the_last_of_each_day(client, sql, settings, made, aged):
    gone = await made(DAY, NEXT_DAY)
    last_of_one = await made(DAY)
    last_of_both = await made(DAY - timedelta(days=1), NEXT_DAY)
    replaced_lately = await made(LAST_DAY)
    await made(LAST_DAY)
    for name in (gone, last_of_one, last_of_both):
        await aged(name, DAYS + 1)
    await aged(replaced_lately, DAYS - 1)
    async with running(SERVICE, settings.model_copy(update={"run_retention_days": DAYS})):

        async def is_gone():
            return gone not in {run.name for run in (await client.ListRuns()).runs}

        await until(is_gone, 20)
    assert [run.name for run in (await client.ListRuns()).runs][1:] == [replaced_lately, last_of_both, last_of_one]
    assert len((await client.ListWindows(run=last_of_both)).windows) == 2
    assert await sql.fetchval("SELECT count(*) FROM etl.run_window WHERE run = $1", gone.removeprefix("runs/")) == 0


async def test_a_run_that_has_not_ended_stays_however_old_it_is(client, sql, settings, made, aged):
    ended, waits = await made(DAY), await made(NEXT_DAY)
    await made(DAY, NEXT_DAY)
    await aged(ended, DAYS + 1)
    statement = "UPDATE etl.run SET state = 'RUNNING', end_time = NULL, create_time = '2020-01-01' WHERE run = $1"
    await sql.execute(statement, waits.removeprefix("runs/"))
    async with running(SERVICE, settings.model_copy(update={"run_retention_days": DAYS})):

        async def is_gone():
            return ended not in {run.name for run in (await client.ListRuns()).runs}

        await until(is_gone, 20)
        assert waits in {run.name for run in (await client.ListRuns()).runs}
