"""NATS stops, comes back, or is wiped: events go on by RPC, what waits is published, and none is taken twice."""

import json
import shutil
from uuid import uuid4

import pytest
from google.protobuf import json_format
from millwright_local.nats import Nats
from millwright_local.processes import until
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from nats.aio.client import Client as NatsClient
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from workflow_rig.events import Bus, emit, event, listen, one

OPEN = "SELECT count(*) FROM workflow.subscription WHERE tenant = $1"


@pytest.fixture(scope="module")
async def broker(local_directory):
    """A NATS server of this test file's own; each test leaves it running."""
    async with Nats(local_directory / f"nats-{uuid4().hex[:8]}") as server:
        yield server


@pytest.fixture(scope="module")
def settings(urls, broker, service_settings):
    """The settings of the test file's service."""
    return service_settings(SERVICE, urls.service, nats_url=broker.url)


@pytest.fixture
async def bus(broker, client):
    """What another system of the tenant has; it connects anew for each event."""

    class Stubborn:
        async def send(self, *args, **fields):
            async def sent():
                connection = NatsClient()
                try:
                    await connection.connect(broker.url, connect_timeout=1, allow_reconnect=False)
                    await Bus(connection, client.tenant).send(*args, **fields)
                except (NatsError, JetStreamError, OSError):
                    return False
                finally:
                    await connection.close()
                return True

            await until(sent, 20.0)

    return Stubborn()


@pytest.fixture
def listening(client, sql):
    """Give a function that starts an instance which listens, and waits until it does."""

    async def begin(do, number=1):
        await client.publish(do, f"{number}.0.0", "prod")
        name = await client.start()
        await until(lambda: is_open(sql, client.tenant), 15.0)
        return name

    return begin


async def is_open(sql, tenant):
    return await sql.fetchval(OPEN, tenant) == 1


def two(kind):
    return [listen({"any": [{"with": {"type": kind}}], "until": "${ length == 2 }"})]


def output(instance):
    return json_format.MessageToDict(instance.output)


async def test_without_nats_callers_publish_and_instances_hear(client, listening, broker):
    name = await listening([listen(one("go"))])
    await broker.stop()
    try:
        await client.PublishEvents(events=[event("go", 1)])
        assert output(await client.ended(name)) == [1]
    finally:
        await broker.start()


async def test_without_nats_one_workflow_hears_another_and_nats_hears_later(client, listening, broker):
    ear = await listening([listen(one("told"))])
    await client.publish([emit("told", data=7)], "2.0.0", "prod")
    await broker.stop()
    try:
        await client.ended(await client.start())
        assert output(await client.ended(ear)) == [7]
    finally:
        await broker.start()
    connection = NatsClient()
    await connection.connect(broker.url)

    async def published():
        try:
            return await connection.jetstream().get_last_msg("MILLWRIGHT_EVENTS", subject)
        except (NatsError, JetStreamError):
            return False

    subject = f"millwright.{client.tenant}.events.told"
    await until(published, 20.0)
    assert json.loads((await published()).data) == 7
    await connection.close()


async def test_events_flow_again_after_nats_was_killed(client, listening, broker, bus):
    name = await listening(two("go"))
    await bus.send("go", 1)
    await broker.kill()
    await broker.start()
    await bus.send("go", 2)
    assert output(await client.ended(name)) == [1, 2]


async def test_events_flow_again_after_nats_was_wiped_and_none_counts_twice(client, listening, broker, bus):
    name = await listening(two("go"))
    await bus.send("go", 1, event_id="first")
    await broker.stop()
    shutil.rmtree(broker.directory / "jetstream")
    await broker.start()
    await bus.send("go", 1, event_id="first")  # its sender cannot know that it was taken
    await bus.send("go", 2)
    assert output(await client.ended(name)) == [1, 2]


async def test_what_a_service_left_behind_is_received_by_the_next(settings, sql, connected):
    async with running(SERVICE, settings) as other, connected(other) as neighbour:
        await neighbour.publish(two("go"), "1.0.0", "prod")
        name = await neighbour.start()
        await until(lambda: is_open(sql, neighbour.tenant), 15.0)
        await neighbour.PublishEvents(events=[event("go", 1)])
        tenant = neighbour.tenant
    async with running(SERVICE, settings) as third, connected(third, tenant) as neighbour:
        await neighbour.PublishEvents(events=[event("go", 2)])
        assert output(await neighbour.ended(name)) == [1, 2]


async def test_an_event_published_at_one_replica_is_heard_at_another(client, settings, sql, connected):
    async with running(SERVICE, settings) as other, connected(other, client.tenant) as beside:
        await client.publish([listen(one("go"))], "1.0.0", "prod")
        names = [await client.start() for _ in range(10)]

        async def all_open():
            return await sql.fetchval(OPEN, client.tenant) == 10

        await until(all_open, 20.0)
        assert (await beside.PublishEvents(events=[event("go", 1)])).deliveries == 10
        assert [output(await client.ended(name)) for name in names] == [[1]] * 10
