"""Instances that ended long ago go, with all that they left; what an instance still needs stays, however old it is."""

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
from aiohttp.web import Response
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.partitions import Partitions
from millwright_workflow.engine.retention import Retention
from workflow_rig.definitions import SET, WAIT, get

Kind, State = instance_pb2.InstanceEvent, instance_pb2.Instance
AGE = timedelta(days=30)
TABLES = ("event", "task_result", "task_progress")
KEEP = dict.fromkeys(TABLES, 30)
MOVED = "UPDATE workflow.{table} SET day = day - $3::integer WHERE tenant = $1 AND {of}"
OF = {
    "event": "resource = 'instances/' || $2",
    "task_result": "instance = $2::uuid",
    "task_progress": "instance = $2::uuid",
}

READ = """
EXPLAIN (ANALYZE, FORMAT JSON) SELECT step FROM workflow.task_result
WHERE tenant = $1 AND instance = $2::uuid
  AND day = (SELECT day FROM workflow.instance WHERE tenant = $1 AND instance = $2::uuid)
"""


@pytest.fixture
async def database(urls):
    pool = await Database.open(urls.service, 4, application="retention")
    yield pool
    await pool.close()


@pytest.fixture
def retention(database):
    return Retention(database, AGE)


@pytest.fixture
async def partitions(database, sql):
    """The keeper of partitions, with nothing left of days long past, before and after."""
    await sql.execute("DELETE FROM workflow.outbox")
    yield Partitions(database, "workflow", KEEP)
    await sql.execute("DELETE FROM workflow.instance WHERE day < current_date - 1")
    await Partitions(database, "workflow", KEEP).run_once()


@pytest.fixture
def aged(sql, client):
    """Give a function that makes an instance as old as so many days."""

    async def age(name, days):
        instance = name.removeprefix("instances/")
        day = await sql.fetchval("SELECT day FROM workflow.instance WHERE instance = $1", uuid.UUID(instance))
        then = day - timedelta(days=days)
        await sql.execute("DELETE FROM workflow.outbox")
        for table in TABLES:
            await sql.execute(
                f"CREATE TABLE IF NOT EXISTS workflow.{table}_{then:%Y%m%d} PARTITION OF workflow.{table} "
                f"FOR VALUES FROM ('{then}') TO ('{then + timedelta(days=1)}')"
            )
            await sql.execute(MOVED.format(table=table, of=OF[table]), client.tenant, instance, days)
        await sql.execute(
            "UPDATE workflow.instance SET create_time = create_time - $2::interval, end_time = end_time - $2::interval "
            "WHERE instance = $1",
            uuid.UUID(instance),
            timedelta(days=days),
        )
        return [f"{table}_{then:%Y%m%d}" for table in TABLES]

    return age


async def left(sql, name):
    """Count what is left of an instance, by table."""
    instance = name.removeprefix("instances/")
    counts = {
        "instance": await sql.fetchval("SELECT count(*) FROM workflow.instance WHERE instance = $1::uuid", instance)
    }
    for table in ("event", "task_result"):
        query = f"SELECT count(*) FROM workflow.{table} WHERE {OF[table].replace('$2', '$1')}"
        counts[table] = await sql.fetchval(query, instance)
    return counts


async def test_an_instance_that_ended_long_ago_is_gone_whole(client, sql, aged, retention, partitions):
    await client.release(SET, SET)
    instance = (await client.run()).name
    old = await aged(instance, 40)
    assert await retention.run_once() == 1
    assert sorted((await partitions.run_once()).dropped) == sorted(old)
    assert await left(sql, instance) == {"instance": 0, "event": 0, "task_result": 0}
    assert (await refused(client.GetInstance(name=instance))).kind == ("NOT_FOUND", "INSTANCE_NOT_FOUND")
    assert (await refused(client.ListCheckpoints(instance=instance))).kind == ("NOT_FOUND", "INSTANCE_NOT_FOUND")


async def test_one_that_ended_lately_stays_whole_though_it_began_long_ago(client, sql, aged, retention, partitions):
    await client.release(SET)
    instance = (await client.run()).name
    await aged(instance, 40)
    await sql.execute(
        "UPDATE workflow.instance SET end_time = now() - interval '29 days' WHERE day < current_date - 30"
    )
    assert await retention.run_once() == 0
    kept = await partitions.run_once()
    assert (kept.dropped, len(kept.held)) == ((), 3)
    assert len(await client.events(instance)) == 4
    assert (await client.GetCheckpoint(instance=instance)).checkpoint.task == "/do/0/measure"


async def test_a_paused_instance_of_long_ago_goes_on_where_it_was(client, sql, web, aged, retention, partitions):
    await client.release([get(web.url + "/one", "one"), get(web.hold("/two"), "two"), get(web.url + "/three", "three")])
    instance = await client.start()
    await web.arrival("/two")
    await client.PauseInstance(name=instance, reason="the line is being cleaned")
    web.let_go("/two")
    await client.reached(instance, Kind.KIND_PAUSED)
    await aged(instance, 400)
    assert await retention.run_once() == 0
    assert (await partitions.run_once()).dropped == ()
    await client.ResumeInstance(name=instance)
    assert (await client.ended(instance)).state == State.STATE_COMPLETED
    assert [len(web.hits[path]) for path in ("/one", "/two", "/three")] == [1, 1, 1]
    assert [each.sequence for each in await client.events(instance)] == list(range(1, 9))


async def test_one_forgotten_instance_holds_back_its_own_day_only(client, aged, retention, partitions):
    await client.release(SET, WAIT)
    waiting = await client.start()
    await client.reached(waiting, Kind.KIND_STARTED)
    held = await aged(waiting, 400)
    await client.publish(SET, "3.0.0", promote_to="prod")
    dropped = await aged((await client.run()).name, 40)
    assert await retention.run_once() == 1
    kept = await partitions.run_once()
    assert (sorted(kept.dropped), sorted(kept.held)) == (sorted(dropped), sorted(held))
    await client.CancelInstance(name=waiting, reason="over")


async def test_a_faulted_instance_that_is_kept_can_be_retried_and_one_that_is_not_is_not_found(
    client, web, aged, retention, partitions
):
    bad, good = (lambda _: Response(status=400)), (lambda _: Response(text="done"))
    web.answer("/two", bad, bad, good)
    await client.release([get(web.url + "/one", "one"), get(web.url + "/two", "two")])
    young, old = (await client.run()).name, (await client.run()).name
    await aged(young, 29)
    await aged(old, 40)
    assert await retention.run_once() == 1
    await partitions.run_once()
    await client.RetryInstance(name=young)
    await client.reached(young, Kind.KIND_COMPLETED)
    assert len(web.hits["/one"]) == 2
    assert (await refused(client.RetryInstance(name=old))).kind == ("NOT_FOUND", "INSTANCE_NOT_FOUND")


async def test_a_child_that_is_awaited_stays_until_its_parent_has_looked(client, sql, aged, retention):
    await client.release(SET)
    instance = (await client.run()).name
    await aged(instance, 40)
    await sql.execute(
        "INSERT INTO workflow.child VALUES ($1, gen_random_uuid(), '/do/0/run', '/do/0/run', $2::uuid)",
        client.tenant,
        instance.removeprefix("instances/"),
    )
    assert await retention.run_once() == 0
    await sql.execute("DELETE FROM workflow.child WHERE tenant = $1", client.tenant)
    assert await retention.run_once() == 1


async def test_who_is_retried_is_not_removed_and_who_is_removed_is_not_retried(client, sql, urls, aged, retention):
    await client.release(SET)
    instance = (await client.run()).name
    await aged(instance, 40)
    async with sql.transaction():
        await sql.execute("SELECT FROM workflow.instance WHERE tenant = $1 FOR UPDATE", client.tenant)
        assert await retention.run_once() == 0
    assert await retention.run_once() == 1


async def test_of_two_replicas_one_removes(client, aged, database):
    await client.release(SET)
    for _ in range(5):
        await aged((await client.run()).name, 40)
    removed = await asyncio.gather(*(Retention(database, AGE).run_once() for _ in range(3)))
    assert sum(removed) + await Retention(database, AGE).run_once() == 5


async def test_to_read_an_instance_is_to_look_into_one_partition(client, sql):
    await client.release(SET)
    instance = (await client.run()).name.removeprefix("instances/")
    (plan,) = json.loads(await sql.fetchval(READ, client.tenant, instance))
    reads = [each for each in plan["Plan"]["Plans"] if each.get("Relation Name", "").startswith("task_result_")]
    assert len(reads) > 1
    assert sum(each["Actual Loops"] for each in reads) == 1
