"""Instances listen for events: what comes, from whichever side and however often, is consumed once and in order."""

import asyncio
import json

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from nats.aio.client import Client as NatsClient
from nats.js.errors import NotFoundError
from workflow_rig.client import InstanceEvent
from workflow_rig.definitions import NAME
from workflow_rig.events import Bus, event, listen, one

HEARD = "SELECT count(*) FROM workflow.subscription WHERE tenant = $1"
WAITING = "SELECT count(*) FROM workflow.delivery WHERE tenant = $1"


@pytest.fixture
async def bus(nats, client):
    """What another system of the tenant has."""
    connection = NatsClient()
    await connection.connect(nats.url)

    async def there():
        try:
            return await connection.jetstream().stream_info("MILLWRIGHT_EVENTS")
        except NotFoundError:
            return False

    await until(there, 10.0)  # the service makes it
    yield Bus(connection, client.tenant)
    await connection.close()


@pytest.fixture
def listening(client, sql):
    """Give a function that publishes tasks, starts instances and waits until so many subscriptions are open."""

    async def begin(*tasks, count=1, subscriptions=None, **fields):
        await client.release(list(tasks))
        instances = [await client.start(**fields) for _ in range(count)]
        await subscribed(sql, client.tenant, count if subscriptions is None else subscriptions)
        return instances

    return begin


async def subscribed(sql, tenant, count):
    async def enough():
        return await sql.fetchval(HEARD, tenant) == count

    await until(enough, 15.0)


def output(instance):
    return json_format.MessageToDict(instance.output)


async def test_an_event_that_a_caller_publishes_is_what_the_task_gives(client, listening):
    (name,) = await listening(listen(one("weld.done")))
    answer = await client.PublishEvents(events=[event("weld.done", {"seam": 7})])
    assert (answer.accepted, answer.deliveries) == (1, 1)
    assert output(await client.ended(name)) == [{"seam": 7}]


async def test_what_a_task_listened_for_is_gone_once_it_has_finished(client, listening, sql):
    (name,) = await listening(listen(one("weld.done")))
    await client.PublishEvents(events=[event("weld.done", {})])
    await client.ended(name)
    assert await sql.fetchval(HEARD, client.tenant) == 0
    assert await sql.fetchval(WAITING, client.tenant) == 0


async def test_an_event_of_another_kind_is_not_for_it(client, listening):
    await listening(listen(one("weld.done")))
    answer = await client.PublishEvents(events=[event("weld.begun")])
    assert (answer.accepted, answer.deliveries) == (1, 0)


async def test_an_event_of_another_tenant_is_not_for_it(client, stranger, listening):
    await listening(listen(one("weld.done")))
    assert (await stranger.PublishEvents(events=[event("weld.done")])).deliveries == 0


async def test_an_event_that_nobody_listened_for_is_not_kept(client, listening, sql):
    await client.PublishEvents(events=[event("weld.done", 1)])
    (name,) = await listening(listen(one("weld.done")))
    await client.PublishEvents(events=[event("weld.done", 2)])
    assert output(await client.ended(name)) == [2]


async def test_an_event_that_is_sent_twice_is_taken_once(client, listening):
    either = {"any": [{"with": {"type": "weld.done"}}], "until": "${ length == 2 }"}
    (name,) = await listening(listen(either))
    first = event("weld.done", 1, event_id="first")
    answers = [await client.PublishEvents(events=[first]) for _ in range(2)]
    assert [(answer.accepted, answer.deliveries) for answer in answers] == [(1, 1), (0, 0)]
    await client.PublishEvents(events=[event("weld.done", 2)])
    assert output(await client.ended(name)) == [1, 2]


async def test_two_in_one_call_of_the_same_source_and_id_are_one(client, listening):
    await listening(listen(one("weld.done")))
    twin = event("weld.done", event_id="twin")
    answer = await client.PublishEvents(events=[twin, twin])
    assert (answer.accepted, answer.deliveries) == (1, 1)


async def test_of_the_same_id_and_two_sources_both_count(client, listening):
    await listening(listen(one("weld.done")))
    twins = [event("weld.done", event_id="twin", source=f"https://plant.example/{n}") for n in (1, 2)]
    assert (await client.PublishEvents(events=twins)).accepted == 2


@pytest.mark.parametrize("structured", [False, True])
async def test_an_event_over_nats_is_what_the_task_gives(client, listening, bus, structured):
    (name,) = await listening(listen(one("weld.done")))
    await bus.send("weld.done", {"seam": "한"}, structured=structured)
    assert output(await client.ended(name)) == [{"seam": "한"}]


async def test_an_event_that_comes_by_rpc_and_over_nats_counts_once(client, listening, bus, sql):
    either = {"any": [{"with": {"type": "weld.done"}}], "until": "${ length == 2 }"}
    (name,) = await listening(listen(either))
    await client.PublishEvents(events=[event("weld.done", 1, event_id="both")])
    await bus.send("weld.done", 1, event_id="both")
    await bus.send("weld.done", 2)
    assert output(await client.ended(name)) == [1, 2]


async def test_a_message_that_is_no_event_stops_nobody(client, listening, bus):
    (name,) = await listening(listen(one("weld.done")))
    subject = f"millwright.{client.tenant}.events.weld.done"
    await bus.nats.jetstream().publish(subject, b"{", headers={"content-type": "application/cloudevents+json"})
    await bus.nats.jetstream().publish(subject, b"\xff")
    await bus.send("weld.done", 3)
    assert output(await client.ended(name)) == [3]


async def test_the_envelope_is_given_where_it_is_asked_for(client, listening):
    (name,) = await listening(listen(one("weld.done"), read="envelope"))
    await client.PublishEvents(events=[event("weld.done", {"seam": 7}, event_id="w1", line="north")])
    (got,) = output(await client.ended(name))
    got.pop("time")
    assert got == {
        "specversion": "1.0",
        "id": "w1",
        "source": "https://plant.example/line-1",
        "type": "weld.done",
        "datacontenttype": "application/json",
        "line": "north",
        "data": {"seam": 7},
    }


async def test_one_event_reaches_everybody_who_listens_for_it(client, listening):
    names = await listening(listen(one("shift.over")), count=5)
    assert (await client.PublishEvents(events=[event("shift.over", 1)])).deliveries == 5
    assert [output(await client.ended(name)) for name in names] == [[1]] * 5


async def test_all_of_some_events_are_waited_for_in_any_order(client, listening):
    both = {"all": [{"with": {"type": "left"}}, {"with": {"type": "right"}}]}
    (name,) = await listening(listen(both))
    await client.PublishEvents(events=[event("right", "r"), event("right", "again"), event("left", "l")])
    assert output(await client.ended(name)) == ["r", "l"]


async def test_an_event_is_only_for_the_instance_whose_key_it_carries(client, sql):
    mine = {"type": "part.measured"}
    task = listen({"one": {"with": mine, "correlate": {"part": {"from": "${ .data.part }", "expect": "${ .part }"}}}})
    await client.release([task])
    names = {}
    for part in ("a", "b", "3"):
        data = {"part": int(part) if part.isdecimal() else part}
        names[part] = (await client.StartInstance(workflow=NAME, input=json_format.ParseDict(data, Value()))).instance
    await subscribed(sql, client.tenant, 3)
    for part in ("b", "3"):
        answer = await client.PublishEvents(events=[event("part.measured", {"part": part})])
        assert answer.deliveries == 1
        assert output(await client.ended(names[part].name)) == [{"part": part}]
    assert (await client.get(names["a"].name)).state == 2


async def open_at(sql, tenant, pointer):
    """Wait until the one thing that is listened for is that of the task at `pointer`."""

    async def there():
        found = await sql.fetch("SELECT pointer FROM workflow.subscription WHERE tenant = $1", tenant)
        return [row["pointer"] for row in found] == [pointer]

    await until(there, 15.0)


async def test_a_listen_inside_a_try_lets_go_when_its_time_is_up(client, sql):
    hear = {**listen(one("never"))["hear"], "timeout": {"after": {"milliseconds": 300}}}
    task = {"attempt": {"try": [{"hear": hear}], "catch": {"do": [{"wait": listen(one("later"), "wait")["wait"]}]}}}
    await client.release([task])
    name = await client.start()
    await open_at(sql, client.tenant, "/do/0/attempt/catch/do/0/wait")
    assert (await client.PublishEvents(events=[event("never")])).deliveries == 0
    await client.PublishEvents(events=[event("later", 1)])
    assert output(await client.ended(name)) == [1]


async def test_a_cancelled_instance_listens_no_more(client, listening, sql):
    (name,) = await listening(listen(one("weld.done")))
    await client.CancelInstance(name=name)
    await client.reached(name, InstanceEvent.KIND_CANCELLED)
    assert await sql.fetchval(HEARD, client.tenant) == 0


async def test_events_that_come_at_once_are_consumed_in_their_order(client, sql):
    either = {"any": [{"with": {"type": "weld.done"}}], "until": "${ length == 3 }"}
    await client.release([listen(either)])
    name = await client.start()
    await subscribed(sql, client.tenant, 1)
    await client.PublishEvents(events=[event("weld.done", n) for n in (1, 2, 3)])
    assert output(await client.ended(name)) == [1, 2, 3]


async def test_500_events_are_taken_in_one_call_and_501_are_not(client):
    events = [event("tick", n) for n in range(501)]
    assert (await client.PublishEvents(events=events[:500])).accepted == 500
    refusal = await refused(client.PublishEvents(events=events))
    assert refusal.faults == [("events", "OUT_OF_RANGE")]
    assert (await refused(client.PublishEvents())).fields == ["events"]


async def test_data_over_256_kib_is_refused(client):
    refusal = await refused(client.PublishEvents(events=[event("tick"), event("tick", "x" * 256 * 1024)]))
    assert refusal.kind == ("INVALID_ARGUMENT", "EVENT_TOO_LARGE")
    assert refusal.info.metadata["place"] == "1"


async def test_every_wrong_event_is_told_at_once(client):
    wrong = [event(""), event("tick", source=""), event("tick", Line="1"), event("t" * 1025), event("tick")]
    refusal = await refused(client.PublishEvents(events=wrong))
    assert refusal.fields == ["events[0].type", "events[1].source", "events[2].Line", "events[3].type"]


async def test_a_thousand_instances_get_each_its_own_event(client, sql):
    with_key = {"type": "part.done"}
    task = listen({"one": {"with": with_key, "correlate": {"p": {"from": "${ .data.part }", "expect": "${ .part }"}}}})
    await client.release([task])
    parts = [f"part-{number}" for number in range(1000)]

    async def start(part):
        given = json_format.ParseDict({"part": part}, Value())
        return (await client.StartInstance(workflow=NAME, input=given)).instance.name

    names = []
    for place in range(0, 1000, 100):
        names += await asyncio.gather(*(start(part) for part in parts[place : place + 100]))
    await subscribed(sql, client.tenant, 1000)
    for place in (0, 500):
        answer = await client.PublishEvents(
            events=[event("part.done", {"part": part}) for part in parts[place : place + 500]]
        )
        assert (answer.accepted, answer.deliveries) == (500, 500)

    async def all_ended():
        count = await sql.fetchval(
            "SELECT count(*) FROM workflow.instance WHERE tenant = $1 AND state = 'COMPLETED'", client.tenant
        )
        return count == 1000

    await until(all_ended, 40.0)
    rows = await sql.fetch("SELECT input, output FROM workflow.instance WHERE tenant = $1", client.tenant)
    assert all(json.loads(row["output"]) == [json.loads(row["input"])] for row in rows)
    assert await sql.fetchval(HEARD, client.tenant) == 0


async def test_the_instance_tells_when_it_begins_to_listen_and_when_it_has_what_it_listened_for(client, listening):
    (name,) = await listening(listen(one("weld.done")))
    await client.PublishEvents(events=[event("weld.done")])
    await client.ended(name)
    events = await client.events(name)
    assert [each.sequence for each in events] == [1, 2, 3, 4, 5, 6]
    told = [(InstanceEvent.Kind.Name(each.kind), each.task) for each in events][2:5]
    assert told == [
        ("KIND_CORRELATION_STARTED", "/do/0/hear"),
        ("KIND_CORRELATION_COMPLETED", "/do/0/hear"),
        ("KIND_TASK_COMPLETED", "/do/0/hear"),
    ]
