"""A service is killed that listens, or awaits a child: what came stays and counts once, as does the child."""

import asyncio

import asyncpg
import pytest
from google.protobuf import json_format
from millwright.workflow.v1.event_service_pb2 import CloudEvent, PublishEventsRequest, PublishEventsResponse
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.processes import until
from millwright_local.workflow_client import to_value

WORKFLOW = "workflows/test.ear"
THREE = """
document: {dsl: 1.0.1, namespace: test, name: ear, version: 1.0.0}
do:
- hear:
    listen:
      to:
        any: [{with: {type: spoken}, correlate: {who: {from: '${ .data.who }', expect: '${ .who }'}}}]
        until: '${ length == 3 }'
"""
PARENT = """
document: {dsl: 1.0.1, namespace: test, name: parent, version: 1.0.0}
do:
- tell: {emit: {event: {with: {source: 'https://plant.example', type: begun, data: '${ .who }'}}}}
- run: {input: {from: '{who: .data}'}, run: {workflow: {namespace: test, name: ear, version: latest}}}
"""
INSTANCES = 40


@pytest.fixture
async def sql(replicas):
    """A connection that sees everything."""
    connection = await asyncpg.connect(replicas.stack.postgres.url("millwright"))
    yield connection
    await connection.close()


async def publish(client, *events: CloudEvent) -> PublishEventsResponse:
    return await client.call(client.events.PublishEvents, PublishEventsRequest(events=events))


def spoken(number: int, word: int) -> CloudEvent:
    event = CloudEvent(id=f"{number}-{word}", source="https://plant.example", type="spoken")
    event.data.CopyFrom(to_value({"who": number, "word": word}))
    return event


async def test_subscriptions_and_what_came_outlive_a_killed_service(replicas, connect, tenant, sql):
    first, second = connect(replicas.first), connect(replicas.second)
    await second.call(second.workflows.PublishVersion, PublishVersionRequest(definition=THREE, promote_to="prod"))
    names = await second.start(WORKFLOW, [{"who": number} for number in range(INSTANCES)])

    async def all_listen():
        count = await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", tenant)
        return count == INSTANCES

    await until(all_listen, 20.0)
    await publish(first, *(spoken(number, 1) for number in range(INSTANCES)))
    await replicas.first.kill()
    for word in (1, 2, 2, 3):  # the first again: whoever sent it does not know that it was taken
        await publish(second, *(spoken(number, word) for number in range(INSTANCES)))
    ended = await asyncio.gather(*(second.end_of(name) for name in names))
    for number, instance in enumerate(ended):
        words = [(each["who"], each["word"]) for each in json_format.MessageToDict(instance.output)]
        assert words == [(number, 1), (number, 2), (number, 3)]
    assert await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", tenant) == 0


async def test_children_are_found_again_by_parents_whose_service_was_killed(replicas, connect, tenant, sql):
    first, second = connect(replicas.first), connect(replicas.second)
    for definition in (THREE, PARENT):
        request = PublishVersionRequest(definition=definition, promote_to="prod")
        await second.call(second.workflows.PublishVersion, request)
    names = await first.start("workflows/test.parent", [{"who": number} for number in range(INSTANCES)])
    await replicas.first.kill()

    async def all_listen():
        count = await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", tenant)
        return count == INSTANCES

    await until(all_listen, 30.0)
    for word in (1, 2, 3):
        await publish(second, *(spoken(number, word) for number in range(INSTANCES)))
    for number, instance in enumerate(await asyncio.gather(*(second.end_of(name) for name in names))):
        assert [each["who"] for each in json_format.MessageToDict(instance.output)] == [number] * 3
        children = await second.call(second.instances.ListInstances, ListInstancesRequest(parent=instance.name))
        assert len(children.instances) == 1
    emitted = await sql.fetchval("SELECT count(*) FROM workflow.inbox WHERE message_id LIKE $1 || ':%'", tenant)
    assert emitted == 4 * INSTANCES  # an event each, and three words
