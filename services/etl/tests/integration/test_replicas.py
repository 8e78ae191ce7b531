"""Two replicas of the service on one database: one is killed, frozen or told to end, and the other goes on."""

from contextlib import asynccontextmanager

import grpc
import pytest
from etl_rig.client import DAY, Client, record
from etl_rig.processes import Held
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_local.processes import until
from millwright_runtime.service import running

WAIT_SECONDS = 30.0


@pytest.fixture
def connect(token):
    """Give a context manager that opens a client of a replica, of the tenant given."""

    @asynccontextmanager
    async def opened(replica, tenant):
        async with grpc.aio.insecure_channel(replica.address) as channel:
            yield Client(channel, token(tenant=tenant), tenant)

    return opened


@pytest.fixture
def window(sql):
    """Read a column of the one window of a run."""

    async def read(name, column):
        statement = f"SELECT {column} FROM etl.run_window WHERE run = $1"
        return await sql.fetchval(statement, name.removeprefix("runs/"))

    return read


@pytest.fixture
async def under_way(sql, processes, connect):
    """Give a context manager: a replica in the middle of a day with one row, another one, and the day held."""

    @asynccontextmanager
    async def begun(tenant):
        async with processes.replica() as first, connect(first, tenant) as client:
            await client.land(record())
            async with Held(sql, tenant, DAY) as day:
                name = (await client.RunPipeline(dates=[str(DAY)])).run.name
                await day.wait_for_a_worker()
                async with processes.replica() as second:
                    yield first, second, name, day

    return begun


async def _pieces(sql, tenant):
    return await sql.fetchval("SELECT sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1", tenant)


async def test_when_a_replica_is_killed_the_other_goes_on_with_its_window(sql, under_way, connect, window):
    async with under_way("killed") as (first, second, name, day), connect(second, "killed") as client:
        await first.kill()

        async def is_taken_over():
            return await window(name, "attempts") == 2

        await until(is_taken_over, WAIT_SECONDS)
        await day.release()
        assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED
    assert await _pieces(sql, "killed") == 100


async def test_a_frozen_replica_that_comes_back_publishes_nothing(sql, under_way, connect, window):
    async with under_way("frozen") as (first, second, name, day), connect(second, "frozen") as client:
        first.freeze()

        async def is_taken_over():
            return await window(name, "attempts") == 2

        await until(is_taken_over, WAIT_SECONDS)
        await day.release()  # the frozen one has waited for longer: it gets the day, and a moment to go on
        first.thaw()
        run = await client.ended(name)
        published = [
            message.event
            async for message in client.WatchRun(name=name, from_sequence=0)
            if message.event.window.state == run_pb2.Window.STATE_PUBLISHED
        ]

        async def has_noticed():
            return "taken over by another worker" in first.log.read_text()

        await until(has_noticed, WAIT_SECONDS)
    assert (run.state, len(published), published[0].window.attempts) == (run_pb2.Run.STATE_COMPLETED, 1, 2)
    assert await _pieces(sql, "frozen") == 100


async def test_a_replica_that_is_told_to_end_gives_its_window_back(sql, under_way, connect, window):
    async with under_way("drained") as (first, second, name, day), connect(second, "drained") as client:
        owner = await window(name, "owner")
        await first.stop()

        async def is_taken_over():
            return await window(name, "owner") not in {owner, None}

        await until(is_taken_over, WAIT_SECONDS)
        assert await window(name, "attempts") == 1, "to be told to end is no attempt"
        await day.release()
        assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED
    assert await _pieces(sql, "drained") == 100


async def test_a_service_that_has_nothing_in_hand_ends_without_waiting(urls, service_settings, caplog):
    async with running(SERVICE, service_settings(SERVICE, urls.service, drain_seconds=3)):
        pass
    assert "a background loop did not drain" not in caplog.text


async def test_a_watch_goes_on_at_the_other_replica(under_way, connect):
    async with under_way("watched") as (first, second, name, day), connect(first, "watched") as client:
        seen = [message.sequence async for message in _until_broken(client.WatchRun(name=name, from_sequence=0), first)]
        assert seen == [1, 2]
        await day.release()
        async with connect(second, "watched") as other:
            rest = [message.sequence async for message in other.WatchRun(name=name, from_sequence=seen[-1])]
    assert seen + rest == list(range(1, len(seen) + len(rest) + 1))


async def _until_broken(messages, replica):
    """Give messages; the replica is killed after the second."""
    try:
        async for message in messages:
            yield message
            if message.sequence == 2:
                await replica.kill()
    except grpc.aio.AioRpcError:
        return
