"""Postgres, NATS or Valkey goes away and comes back: nothing that was promised is lost, and nothing hangs."""

import asyncio
from contextlib import suppress
from typing import NamedTuple
from uuid import uuid4

import grpc
import nats as nats_client
import pytest
from millwright.workflow.v1 import instance_pb2
from millwright_local.databases import create_database, create_roles
from millwright_local.nats import Nats
from millwright_local.postgres import Postgres
from millwright_local.testing.refusals import refused
from millwright_local.valkey import Valkey
from millwright_runtime.postgres.migrations import Migrations
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from workflow_rig.definitions import NAME, SET, get

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent


class Servers(NamedTuple):
    """Servers that a test may stop."""

    postgres: Postgres
    nats: Nats
    valkey: Valkey


@pytest.fixture(scope="module")
async def servers(local_directory):
    """Servers of the file's own; each test leaves them running."""
    directory = local_directory / f"outages-{uuid4().hex[:8]}"
    postgres, nats = Postgres(directory / "postgres", durable=False), Nats(directory / "nats")
    async with postgres, nats, Valkey(directory / "valkey") as valkey:
        await create_roles(postgres)
        await create_database(postgres, "plant")
        owner = postgres.url("plant", "millwright_workflow_owner")
        await Migrations(SERVICE.migrations, SERVICE.name).upgrade(owner, postgres.url("plant", "millwright_workflow"))
        yield Servers(postgres, nats, valkey)


@pytest.fixture(scope="module")
async def service(servers, service_settings):
    """The service on these servers."""
    url = servers.postgres.url("plant", "millwright_workflow")
    settings = service_settings(SERVICE, url, nats_url=servers.nats.url, valkey_url=servers.valkey.url)
    async with running(SERVICE, settings) as service:
        yield service


@pytest.fixture
def sql():
    """Not here: these tests stop the database."""


async def test_without_postgres_calls_are_told_to_come_back(client, servers):
    await client.release(SET)
    await servers.postgres.stop()
    try:
        refusal = await refused(client.GetWorkflow(name=NAME))
    finally:
        await servers.postgres.start()
    assert refusal.kind == ("UNAVAILABLE", "DATABASE_UNAVAILABLE")
    assert (await client.GetWorkflow(name=NAME)).workflow.latest_version == 1


async def test_a_running_instance_outlives_postgres(client, servers, web):
    await client.release([get(web.hold("/one"), "one"), get(web.url + "/two", "two")])
    instance = await client.start()
    await web.arrival("/one")
    await servers.postgres.stop()
    web.let_go("/one")  # its result has nowhere to go
    await servers.postgres.start()
    ended = await client.ended(instance)
    assert (ended.state, ended.finished_tasks) == (Instance.STATE_COMPLETED, 2)
    assert [len(web.hits[path]) for path in ("/one", "/two")] == [1, 1]


async def test_many_instances_outlive_a_postgres_that_is_killed(client, servers):
    await client.release([{name: {"set": {"done": name}}} for name in "abcdefgh"])
    instances = [await client.start() for _ in range(60)]
    await servers.postgres.kill()
    await servers.postgres.start()
    for instance in instances:
        ended = await client.ended(instance)
        assert (ended.state, ended.finished_tasks) == (Instance.STATE_COMPLETED, 8)
        assert [event.sequence for event in await client.events(instance)] == list(range(1, 12))


async def test_a_rollback_around_which_postgres_is_killed_happens_once(client, servers):
    await client.release(SET, [{"b": {"set": {"b": 1}}}])
    request_id = str(uuid4())
    rollback = asyncio.ensure_future(client.rollback(request_id=request_id))
    await servers.postgres.kill()
    await servers.postgres.start()
    with suppress(grpc.aio.AioRpcError):  # whether it was done is not known, so it is asked for again
        await rollback
    assert (await client.rollback(request_id=request_id)).channel.version == 1
    assert (await client.run()).version == 1
    assert [release.revision for release in (await client.ListReleases(workflow=NAME)).releases] == [5, 4, 3, 2, 1]


async def test_events_wait_for_nats_and_come_in_order(client, servers):
    await client.publish()
    await servers.nats.stop()
    await client.PromoteVersion(channel=f"{NAME}/channels/prod", version=1)
    instance = await client.run()
    assert instance.state == Instance.STATE_COMPLETED
    await servers.nats.start()
    connection = await nats_client.connect(servers.nats.url)
    subscription = await connection.jetstream().subscribe(
        f"millwright.{client.tenant}.workflow.>", stream="MILLWRIGHT_WORKFLOW", ordered_consumer=True
    )
    messages = [await subscription.next_msg(timeout=20) for _ in range(6)]
    await connection.close()
    ids = [message.headers["ce-id"] for message in messages]
    assert sorted(ids) == sorted([f"{NAME}/1", f"{NAME}/2", *(f"{instance.name}/{number}" for number in range(1, 5))])
    assert len(set(ids)) == 6


async def test_a_watch_hears_of_what_is_committed_while_nats_is_away(client, servers):
    await client.publish()
    stream = client.WatchReleases(workflow=NAME, from_sequence=1)
    await servers.nats.stop()
    try:
        await client.PromoteVersion(channel=f"{NAME}/channels/prod", version=1)
        assert (await anext(aiter(stream))).sequence == 2
    finally:
        await servers.nats.start()
        stream.cancel()


async def test_without_valkey_instances_run_as_before(client, servers, web):
    await client.release([get(web.hold("/one"), "one"), get(web.url + "/two", "two")])
    instance = await client.start()
    await web.arrival("/one")
    await servers.valkey.stop()
    web.let_go("/one")
    try:
        assert (await client.ended(instance)).finished_tasks == 2
    finally:
        await servers.valkey.start()


async def test_an_instance_is_taken_over_without_valkey(client, servers, web):
    await client.release([get(web.url + "/one", "one"), get(web.hold("/two"), "two")])
    instance = await client.start()
    await web.arrival("/two")
    await servers.valkey.stop()
    try:
        async with servers.postgres.connect("plant") as connection:
            await connection.execute("UPDATE workflow.partition SET owner = NULL, epoch = epoch + 1")
        await web.arrival("/two", 2)
        web.let_go("/two")
        assert (await client.ended(instance)).finished_tasks == 2
    finally:
        await servers.valkey.start()
    assert len(web.hits["/one"]) == 1
