"""Working on windows: side by side, stopped, cut off from the database, too slow, and told of over NATS."""

import json
from datetime import timedelta

import asyncpg
import nats as nats_client
import pytest
from etl_rig.client import DAY, record
from etl_rig.processes import Held
from google.protobuf import json_format
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_etl.store import windows as windows_store
from millwright_local.processes import until
from millwright_runtime.service import running

WAIT_SECONDS = 20.0


@pytest.fixture
def held(sql, client):
    """Give the lock of a day of the client's tenant, to be held."""
    return lambda day=DAY: Held(sql, client.tenant, day)


@pytest.fixture
def windows(sql):
    """Read the windows of a run by a column."""

    async def read(name, column="state"):
        rows = await sql.fetch(f"SELECT date, {column} FROM etl.run_window WHERE run = $1", name.removeprefix("runs/"))
        return {row["date"]: row[column] for row in rows}

    return read


@pytest.fixture
def waiting(sql):
    """Count the transactions that wait for a lock."""

    async def count():
        return await sql.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )

    return count


def days(count):
    return [DAY + timedelta(days=number) for number in range(count)]


async def test_as_many_windows_run_at_once_as_the_worker_has_hands(client, held, windows, waiting):
    async with held(DAY), held(days(2)[1]):
        name = (await client.RunPipeline(dates=map(str, days(4)))).run.name

        async def are_two_waiting():
            return await waiting() == 2

        await until(are_two_waiting, WAIT_SECONDS)
        assert sorted((await windows(name)).values()) == ["PENDING", "PENDING", "RUNNING", "RUNNING"]
    assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED


async def test_a_run_has_no_more_windows_at_once_than_it_asks_for(client, held, windows):
    async with held(DAY) as day:
        answer = await client.Backfill(from_date=str(DAY), to_date=str(days(4)[-1]), parallel=1)
        await day.wait_for_a_worker()
        assert (await windows(answer.run.name))[DAY] == "RUNNING"
        other = (await client.RunPipeline(dates=[str(days(9)[8])])).run.name
        assert (await client.ended(other)).state == run_pb2.Run.STATE_COMPLETED
        assert list((await windows(answer.run.name)).values()).count("PENDING") == 3
    assert (await client.ended(answer.run.name)).state == run_pb2.Run.STATE_COMPLETED


async def test_a_cancelled_run_ends_what_it_has_in_hand_and_begins_nothing(client, held, windows):
    async with held(DAY) as day:
        name = (await client.Backfill(from_date=str(DAY), to_date=str(days(3)[2]), parallel=1)).run.name
        await day.wait_for_a_worker()
        cancelled = (await client.CancelRun(name=name)).run
        assert cancelled.state == run_pb2.Run.STATE_RUNNING
    run = await client.ended(name)
    assert (run.state, run.progress.windows_done) == (run_pb2.Run.STATE_CANCELLED, 1)
    assert sorted((await windows(name)).values()) == ["CANCELLED", "CANCELLED", "PUBLISHED"]


async def test_a_worker_that_loses_its_connection_begins_the_window_anew(client, sql, held, windows):
    await client.land(record())
    async with held() as day:
        name = (await client.RunPipeline(dates=[str(DAY)])).run.name
        await day.wait_for_a_worker()
        await _cut_off(sql)
    assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED
    assert await windows(name, "attempts") == {DAY: 2}
    events = [message.event async for message in client.WatchRun(name=name, from_sequence=0)]
    states = [event.window.state for event in events if event.HasField("window")]
    assert states == [
        run_pb2.Window.STATE_RUNNING,
        run_pb2.Window.STATE_PENDING,
        run_pb2.Window.STATE_RUNNING,
        run_pb2.Window.STATE_PUBLISHED,
    ]


async def test_a_window_that_never_ends_does_not_take_all_workers_for_ever(client, sql, held):
    async with held() as day:
        name = (await client.RunPipeline(dates=[str(DAY)])).run.name
        await day.wait_for_a_worker()
        await sql.execute("UPDATE etl.run_window SET attempts = 5 WHERE run = $1", name.removeprefix("runs/"))
        await _cut_off(sql)
        run = await client.ended(name)
    assert run.state == run_pb2.Run.STATE_FAILED
    [window] = (await client.ListWindows(run=name)).windows
    assert (window.reason, window.attempts) == ("DATABASE", 5)
    assert "begun 5 times" in window.message


async def _cut_off(sql):
    """End the connections that wait for a lock, as a proxy or an operator would."""
    await sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


async def test_a_long_backfill_holds_up_no_other_run(client):
    long = (await client.Backfill(from_date=str(DAY - timedelta(days=900)), to_date=str(DAY))).run.name
    short = (await client.RunPipeline(dates=[str(DAY)])).run.name
    assert (await client.ended(short)).state == run_pb2.Run.STATE_COMPLETED
    run = (await client.GetRun(name=long)).run
    assert run.state == run_pb2.Run.STATE_RUNNING
    assert run.progress.windows_done < run.progress.windows_total
    assert run.progress.seconds_left > 0
    await client.CancelRun(name=long)
    await client.ended(long)


async def test_a_statement_that_takes_too_long_fails_its_window_and_leaves_the_facts(
    service_databases, service_settings, connected
):
    async with service_databases.fresh(SERVICE) as urls:
        settings = service_settings(SERVICE, urls.service, window_seconds=0.5)
        async with running(SERVICE, settings) as service, connected(service) as client:
            await client.land(record())
            other = await asyncpg.connect(urls.superuser)
            async with Held(other, client.tenant, DAY):
                run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
            await other.close()
            [window] = (await client.ListWindows(run=run.name)).windows
    assert (window.reason, window.message) == ("DATABASE", "It took longer than 0.5 s (WINDOW_SECONDS).")


async def test_a_window_may_take_longer_than_other_transactions(service, client):
    async with service.platform.database.transaction(client.tenant) as connection:
        await connection.execute("SET LOCAL transaction_timeout = 0; SET LOCAL transaction_timeout = 300")
        await windows_store.set_limits(connection, 16)
        assert await connection.fetchval("SELECT 'it goes on' FROM pg_sleep(0.6)") == "it goes on"


async def test_every_event_of_a_run_is_told_over_nats_in_order(client, nats):
    connection = await nats_client.connect(nats.url)
    subscription = await connection.jetstream().subscribe(
        f"millwright.{client.tenant}.etl.>", ordered_consumer=True, deliver_policy="all"
    )
    run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
    messages = [await subscription.next_msg(timeout=WAIT_SECONDS) for _ in range(4)]
    await connection.close()
    bodies = [json_format.ParseDict(json.loads(message.data), run_pb2.RunEvent()) for message in messages]
    assert [body.sequence for body in bodies] == [1, 2, 3, 4]
    assert {body.run for body in bodies} == {run.name}
    identifier = run.name.removeprefix("runs/")
    kinds = ["lifecycle", "progress", "progress", "lifecycle"]
    assert [message.subject for message in messages] == [
        f"millwright.{client.tenant}.etl.{kind}.{identifier}" for kind in kinds
    ]
    assert messages[2].headers["ce-type"] == "io.millwright.etl.window.published.v1"
