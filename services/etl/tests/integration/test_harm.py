"""Sources keep sending, replicas are killed, runs are asked for again and again: every row is accounted for.

ROUNDS=10 makes the long one ten times as long.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack

import grpc
import pytest
from etl_rig.client import DAY, Client
from etl_rig.feeding import DAYS, Source
from millwright.etl.v1 import run_pb2

ROUNDS = int(os.environ.get("ROUNDS", "1"))
TENANT = "harmed"
SOURCES = 4
_IMPATIENT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]


@pytest.mark.parametrize(
    "kills", [2, pytest.param(20 * ROUNDS, marks=[pytest.mark.chaos, pytest.mark.timeout(600 * ROUNDS)])]
)
async def test_every_row_is_used_or_quarantined_or_a_duplicate_whatever_is_killed(processes, token, sql, kills):
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(processes.replica()) for _ in range(2)]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(each.address, options=_IMPATIENT))
            for each in replicas
        ]
        clients = [Client(channel, token(tenant=f"{TENANT}-{kills}"), f"{TENANT}-{kills}") for channel in channels]
        sources = [Source(f"mes-{number}", clients) for number in range(SOURCES)]
        await _harm(replicas, clients, sources, kills)
        client = clients[0]
        await channels[0].channel_ready()
        await _settle(client)
        told = [source.told for source in sources]
        await _check_runs(client)
    await _check_rows(sql, client.tenant, told)
    await _check_facts(sql, client.tenant, told)
    assert await sql.fetchval("SELECT count(*) FROM etl.dirty WHERE tenant = $1", client.tenant) == 0


async def _harm(replicas, clients, sources, kills):
    """Let sources send and runs be asked for, while one replica or the other is killed and started again."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for source in sources:
            group.create_task(source.run(stop))
        group.create_task(_ask_for_runs(clients, stop))
        await _kill(replicas, kills)
        stop.set()


async def _kill(replicas, kills):
    chance = random.Random(1)
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.5, 2))
        replica = chance.choice(replicas)
        await replica.kill()
        await replica.start()


async def _ask_for_runs(clients, stop):
    asked = 0
    while not stop.is_set():
        asked += 1
        try:
            await clients[asked % 2].RunPipeline(deadline=5)
        except grpc.aio.AioRpcError as error:
            assert error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}  # noqa: PT017
        await asyncio.sleep(0.3)


async def _settle(client):
    """Wait for the runs that are under way, and run what is due then."""
    for state in ("STATE_PENDING", "STATE_RUNNING"):
        for run in (await client.ListRuns(state=state, page_size=500)).runs:
            await client.ended(run.name)
    run = await client.ended((await client.RunPipeline()).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED, run
    assert list((await client.RunPipeline(validate_only=True)).windows) == []


async def _check_runs(client):
    for run in (await client.ListRuns(page_size=500)).runs:
        counts = run.counts
        assert counts.rows_read == counts.rows_used + counts.rows_quarantined + counts.rows_superseded
        assert counts.total_qty == counts.fact_total_qty


async def _check_rows(sql, tenant, told):
    """Rows sent = those used + those quarantined + duplicates + those that newer ones took the place of."""
    days = await sql.fetchrow("SELECT sum(rows_read) AS rows FROM etl.day WHERE tenant = $1", tenant)
    landed = await sql.fetchval("SELECT count(*) FROM core.erp_mes_data WHERE tenant = $1", tenant)
    replaced = await sql.fetchval("SELECT count(*) FROM core.erp_mes_data_history WHERE tenant = $1", tenant)
    quarantined = await sql.fetchval("SELECT count(*) FROM etl.quarantine WHERE tenant = $1 AND state = 'OPEN'", tenant)
    used = await sql.fetchval("SELECT sum(work_orders) FROM bi.fact_daily_production WHERE tenant = $1", tenant)
    sent, repeated = sum(each.sent for each in told), sum(each.repeated for each in told)
    assert sent > 1000
    assert landed == days["rows"] == used + quarantined
    assert quarantined == sum(pieces is None for each in told for pieces in each.pieces.values())
    assert replaced == sum(each.corrected for each in told)
    assert sent == used + quarantined + repeated + replaced


async def _check_facts(sql, tenant, told):
    rows = await sql.fetch(
        "SELECT date, sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1 GROUP BY date", tenant
    )
    expected = dict.fromkeys(range(DAYS), 0)
    for each in told:
        for (day, _), pieces in each.pieces.items():
            expected[day] += pieces or 0
    assert {(day - DAY).days: int(pieces) for day, pieces in rows} == {
        day: pieces for day, pieces in expected.items() if pieces
    }
