"""Instances outlive whoever runs them: taken over from a worker that is dead, handed over by one that leaves."""

import asyncio
import uuid
from functools import partial

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from millwright.workflow.v1 import instance_pb2
from millwright_local.processes import until
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from workflow_rig.definitions import SET, get
from workflow_rig.owner import Owner

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent


@pytest.fixture
async def three(client, web):
    """A client with an instance that has done the first of three tasks, and waits in the second."""
    tasks = [get(web.url + "/one", "one"), get(web.hold("/two"), "two"), get(web.url + "/three", "three")]
    await client.release(tasks)
    await client.publish(SET, "2.0.0")
    client.instance = await client.start()
    await web.arrival("/two")
    return client


@pytest.fixture
async def owner(three, sql):
    """Tells and changes who owns the instance's partition; whoever was made up is gone afterwards."""
    real = await sql.fetch("SELECT worker FROM workflow.worker")
    yield Owner(sql, three.instance)
    await sql.execute("DELETE FROM workflow.worker WHERE worker <> ALL ($1)", [row["worker"] for row in real])


async def test_the_instances_of_a_dead_worker_go_on_from_their_recorded_results(three, web, owner):
    await owner.become(uuid.uuid4())
    await web.arrival("/two", 2)
    web.let_go("/two")
    ended = await three.ended(three.instance)
    assert (ended.state, ended.finished_tasks) == (Instance.STATE_COMPLETED, 3)
    assert [len(web.hits[path]) for path in ("/one", "/two", "/three")] == [1, 2, 1]


async def test_a_task_that_is_sent_again_has_the_same_idempotency_key(three, web, owner):
    await owner.become(None)
    await web.arrival("/two", 2)
    first, second = (headers["idempotency-key"] for _, headers, _, _ in web.hits["/two"])
    assert first == second
    assert first != web.hits["/one"][0][1]["idempotency-key"]


async def test_the_events_of_an_instance_that_was_taken_over_have_no_gap_and_no_repeat(three, web, owner):
    await owner.become(None)
    await web.arrival("/two", 2)
    web.let_go("/two")
    await three.ended(three.instance)
    events = await three.events(three.instance)
    assert [event.sequence for event in events] == list(range(1, 7))
    assert [event.task for event in events if event.task] == ["/do/0/one", "/do/1/two", "/do/2/three"]


async def test_a_worker_that_lives_keeps_its_instances(three, owner):
    alive = uuid.uuid4()
    await owner.become(alive, "1 hour")
    await owner.shares()
    assert await owner.get() == alive


async def test_a_former_owner_writes_nothing(three, web, owner):
    await owner.become(uuid.uuid4(), "1 hour")
    web.let_go("/two")
    await owner.shares()
    assert (await three.get(three.instance)).finished_tasks == 1
    assert not web.hits["/three"]


async def test_a_wait_that_was_begun_is_not_begun_anew(client, sql):
    await client.release([{"rest": {"wait": {"milliseconds": 700}}}])
    instance = await client.start()
    await client.reached(instance, Kind.KIND_STARTED)
    for _ in range(3):
        await Owner(sql, instance).become(None)
    ended = await client.ended(instance)
    rows = await sql.fetch("SELECT begin_time, due_time FROM workflow.task_progress WHERE tenant = $1", client.tenant)
    assert len(rows) == 1
    assert (rows[0]["due_time"] - rows[0]["begin_time"]).total_seconds() == 0.7
    assert ended.state == Instance.STATE_COMPLETED


@pytest.fixture
async def leaving(service_databases, service_settings):
    """The settings of services on a database of the test's own, that may be stopped and started."""
    async with service_databases.fresh(SERVICE) as urls:
        yield service_settings(SERVICE, urls.service)


async def test_instances_that_are_handed_over_go_on_in_the_next_service(leaving, connected, web):
    tasks = [get(web.url + "/one", "one"), {"rest": {"wait": {"seconds": 2}}}, get(web.url + "/two", "two")]
    async with running(SERVICE, leaving) as service, connected(service) as client:
        await client.release(tasks)
        instance, tenant = await client.start(), client.tenant
        await client.reached(instance, Kind.KIND_TASK_COMPLETED)
    async with running(SERVICE, leaving) as service, connected(service, tenant) as client:
        ended = await client.ended(instance)
        assert ended.state == Instance.STATE_COMPLETED
        assert [len(web.hits[path]) for path in ("/one", "/two")] == [1, 1]


async def is_leaving(client):
    """Tell whether the service says that it takes no more work."""
    request = health_pb2.HealthCheckRequest(service="millwright.workflow.v1.InstanceService")
    answer = await health_pb2_grpc.HealthStub(client.channel).Check(request)
    return answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_an_instance_that_cannot_be_handed_over_in_time_is_interrupted(leaving, connected, web):
    hurried = leaving.model_copy(update={"drain_seconds": 0.2})
    async with running(SERVICE, hurried) as service, connected(service) as client:
        await client.release([get(web.hold("/one"), "one")])
        instance, tenant = await client.start(), client.tenant
        await web.arrival("/one")
    async with running(SERVICE, leaving) as successor, connected(successor, tenant) as client:
        await web.arrival("/one", 2)
        web.let_go("/one")
        assert (await client.ended(instance)).state == Instance.STATE_COMPLETED
    assert not [task for task in asyncio.all_tasks() if task.get_name() == instance.replace("s/", "-")]


async def test_a_service_that_leaves_waits_for_the_task_at_hand_and_begins_no_other(leaving, connected, web):
    tasks = [get(web.hold("/one"), "one"), get(web.url + "/two", "two")]
    service = running(SERVICE, leaving)
    async with connected(await service.__aenter__()) as client:
        await client.release(tasks)
        instance, tenant = await client.start(), client.tenant
        await web.arrival("/one")
        stopping = asyncio.ensure_future(service.__aexit__())
        await until(partial(is_leaving, client), 10)
        web.let_go("/one")
        await stopping
    assert not web.hits["/two"]
    async with running(SERVICE, leaving) as successor, connected(successor, tenant) as client:
        assert (await client.ended(instance)).finished_tasks == 2
    assert len(web.hits["/one"]) == 1
