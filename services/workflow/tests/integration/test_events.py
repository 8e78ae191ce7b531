"""Events on NATS: CloudEvents whose bodies are the contract's own messages in JSON, in the order of the log."""

import asyncio
import json

import nats as nats_client
import pytest
from google.protobuf import json_format
from millwright.workflow.v1 import instance_pb2, release_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, SET, WAIT, version_name


@pytest.fixture
async def heard(nats, client):
    """Give a function that waits for the next messages of the tenant, as they come off NATS."""
    connection = await nats_client.connect(nats.url)
    messages = asyncio.Queue()
    await connection.subscribe(f"millwright.{client.tenant}.>", cb=messages.put)
    await connection.flush()

    async def take(count):
        async with asyncio.timeout(15):
            return [await messages.get() for _ in range(count)]

    yield take
    await connection.close()


def body(message, kind):
    """Give the body as a message of the contract; it must read as the contract itself would write it."""
    parsed = json_format.Parse(message.data, kind())
    assert json.loads(message.data) == json_format.MessageToDict(parsed)
    return parsed


async def test_a_rollback_is_told_with_its_row_of_the_log(client, heard):
    await client.release(SET, WAIT)
    await heard(4)
    answer = await client.rollback(run_policy=release_pb2.RUN_POLICY_PAUSE, automatic=True)
    (message,) = await heard(1)
    assert message.subject == f"millwright.{client.tenant}.workflow.rollback.plant.line"
    assert message.headers["ce-type"] == "io.millwright.workflow.channel.rolled-back.v1"
    assert body(message, release_pb2.Release) == answer.release


async def test_every_change_of_the_log_is_told_once_and_in_order(client, heard):
    await client.release(SET, WAIT)
    await client.rollback()
    await client.MarkVersionGood(version=version_name(2), reason="it was the sensor")
    await client.MarkVersionBad(version=version_name(2), reason="it was not")
    bodies = [body(message, release_pb2.Release) for message in await heard(7)]
    assert bodies == list(reversed((await client.ListReleases(workflow=NAME)).releases))


async def test_the_headers_are_those_of_a_cloud_event(client, heard):
    await client.publish()
    (message,) = await heard(1)
    release = (await client.ListReleases(workflow=NAME)).releases[0]
    headers = dict(message.headers)
    assert {name: headers[name] for name in headers if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": f"{NAME}/1",
        "ce-source": f"/millwright/{client.tenant}/workflow",
        "ce-type": "io.millwright.workflow.version.published.v1",
        "ce-subject": NAME,
        "ce-time": release.create_time.ToDatetime().isoformat() + "Z",
        "ce-datacontenttype": "application/json",
    }
    assert headers["Nats-Msg-Id"] == f"/millwright/{client.tenant}/workflow/{NAME}/1"


async def test_an_instance_is_told_from_beginning_to_end(client, heard):
    await client.release(SET)
    await heard(2)
    ended = await client.run()
    messages = await heard(4)
    assert [body(message, instance_pb2.InstanceEvent) for message in messages] == await client.events(ended.name)
    instance_id = ended.name.partition("/")[2]
    prefix = f"millwright.{client.tenant}.workflow"
    assert [message.subject for message in messages] == [
        f"{prefix}.{kind}.{instance_id}" for kind in ("lifecycle", "lifecycle", "checkpoint", "lifecycle")
    ]
    assert [message.headers["ce-type"] for message in messages] == [
        "io.millwright.workflow.instance.created.v1",
        "io.serverlessworkflow.workflow.started.v1",
        "io.serverlessworkflow.task.completed.v1",
        "io.serverlessworkflow.workflow.completed.v1",
    ]


async def test_what_is_refused_is_not_told(client, heard):
    await client.publish()
    await heard(1)
    await refused(client.publish(WAIT))
    await client.publish(WAIT, "2.0.0")
    (message,) = await heard(1)
    assert message.headers["ce-id"] == f"{NAME}/2"
