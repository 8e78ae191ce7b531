"""Workflows emit events: to one another at once, to everybody over NATS, each exactly once."""

import json

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright_local.processes import until
from nats.aio.client import Client as NatsClient
from workflow_rig.definitions import NAME, written
from workflow_rig.events import emit, listen


@pytest.fixture
async def overheard(nats, client):
    """Every message of the tenant's events, as they are published."""
    connection = NatsClient()
    await connection.connect(nats.url)
    messages = []

    async def hear(message):
        messages.append(message)

    await connection.subscribe(f"millwright.{client.tenant}.events.>", cb=hear)
    await connection.flush()
    yield messages
    await connection.close()


async def heard(messages, count=1):
    async def enough():
        return len(messages) >= count

    await until(enough, 10.0)
    return messages


async def test_the_event_is_what_the_task_gives_with_all_its_attributes(client):
    await client.release([emit("weld.done", data={"seam": "${ .seam }"}, line="north")])
    ended = await client.run(input=json_format.ParseDict({"seam": 7}, Value()))
    got = json_format.MessageToDict(ended.output)
    assert got.pop("id")
    assert got.pop("time")
    assert got == {
        "specversion": "1.0",
        "source": "https://plant.example/line-1",
        "type": "weld.done",
        "datacontenttype": "application/json",
        "data": {"seam": 7},
        "line": "north",
    }


async def test_it_goes_out_over_nats_as_a_cloud_event(client, overheard):
    await client.release([emit("weld.done", data={"seam": "한"}, note="ä b%")])
    ended = await client.run()
    (message,) = await heard(overheard)
    sent = json_format.MessageToDict(ended.output)
    assert message.subject == f"millwright.{client.tenant}.events.weld.done"
    assert json.loads(message.data) == {"seam": "한"}
    assert message.headers["ce-id"] == sent["id"]
    assert message.headers["ce-type"] == "weld.done"
    assert message.headers["ce-note"] == "%C3%A4 b%25"
    assert message.headers["Nats-Msg-Id"]


async def test_who_listens_here_gets_it_once_though_it_comes_back_over_nats(client, overheard, sql):
    either = {"any": [{"with": {"type": "weld.done"}}], "until": "${ length == 2 }"}
    await client.PublishVersion(definition=written([listen(either)]).replace('"line"', '"ear"'), promote_to="prod")
    await client.release([emit("weld.done", data=1), emit("weld.done", "again", data=2)])
    ear = await client.start(workflow="workflows/plant.ear")

    async def listening():
        return await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", client.tenant) == 1

    await until(listening, 10.0)
    await client.run(workflow=NAME)
    await heard(overheard, 2)
    assert json_format.MessageToDict((await client.ended(ear)).output) == [1, 2]


async def test_an_event_whose_type_no_subject_can_have_goes_out_all_the_same(client, overheard):
    await client.release([emit("weld *.>. done")])
    await client.run()
    (message,) = await heard(overheard)
    assert message.subject == f"millwright.{client.tenant}.events.weld%20%2A.%3E.%20done"


async def test_an_event_that_is_too_large_is_a_fault_of_the_task(client):
    await client.release([emit("weld.done", data="${ [range(60000)] }")])
    ended = await client.run()
    assert ended.error.type.endswith("/expression")
    assert "at most 262144" in ended.error.detail


async def test_what_was_emitted_is_forgotten_once_the_task_has_finished(client, sql):
    await client.release([emit("weld.done"), emit("weld.done", "again")])
    await client.run()
    assert await sql.fetchval("SELECT count(*) FROM workflow.emission WHERE tenant = $1", client.tenant) == 0
