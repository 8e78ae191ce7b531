"""Where a setting says so, events are kept a while for those who begin to listen after they came."""

import pytest
from google.protobuf import json_format
from millwright_local.processes import until
from workflow_rig.events import event, listen, one


@pytest.fixture(scope="module")
def settings(settings):
    """The settings of a service that keeps events."""
    return settings.model_copy(update={"event_keep_seconds": 60})


async def test_an_event_shortly_before_its_listener_is_heard(client):
    await client.release([listen(one("go"))])
    await client.PublishEvents(events=[event("go", "early"), event("stay", "early")])
    ended = await client.ended(await client.start())
    assert json_format.MessageToDict(ended.output) == ["early"]


async def test_it_is_heard_by_each_who_comes_in_time_and_by_each_once(client):
    await client.release([listen({"any": [{"with": {"type": "go"}}], "until": "${ length == 2 }"})])
    await client.PublishEvents(events=[event("go", 1)])
    names = [await client.start() for _ in range(3)]
    await client.PublishEvents(events=[event("go", 2)])
    for name in names:
        assert json_format.MessageToDict((await client.ended(name)).output) in ([1, 2], [2, 1])


async def test_what_is_kept_is_of_its_tenant_alone(client, stranger, sql):
    await stranger.PublishEvents(events=[event("go", 1)])
    await client.release([listen(one("go"))])
    await client.start()

    async def listening():
        return await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", client.tenant)

    await until(listening, 10.0)
    assert await sql.fetchval("SELECT count(*) FROM workflow.delivery WHERE tenant = $1", client.tenant) == 0
