"""Schedules: what `prod` points to starts by itself, each tick once, and a release switches it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf import json_format
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from millwright_workflow.commands import scheduling
from workflow_rig.definitions import NAME, PROD, SET, written
from workflow_rig.events import event, listen, one

STARTED = "SELECT count(*) FROM workflow.instance WHERE tenant = $1"
OFTEN = {"every": {"seconds": 1}}
NIGHTLY = {"cron": "0 3 * * *"}


@pytest.fixture
def scheduled(client):
    """Give a function that publishes and promotes versions of `plant.line`, each with a schedule."""

    async def make(*schedules, do=SET):
        for number, schedule in enumerate(schedules, 1):
            sections = {"schedule": schedule} if schedule else {}
            await client.publish([*do, {f"n{number}": {"set": {"n": number}}}], f"{number}.0.0", "prod", **sections)

    return make


@pytest.fixture
def started(client, sql):
    """Give a function that waits until so many instances were started, and gives them oldest first."""

    async def wait(count, seconds=10.0):
        async def enough():
            return await sql.fetchval(STARTED, client.tenant) >= count

        await until(enough, seconds)
        found = (await client.ListInstances(page_size=500)).instances
        return [await client.get(each.name) for each in reversed(found)]

    return wait


async def schedule_of(client):
    (schedule,) = (await client.ListSchedules(workflow=NAME)).schedules
    return schedule


async def test_an_interval_starts_instances_again_and_again(client, scheduled, started):
    await scheduled(OFTEN)
    instances = await started(3)
    assert {each.creator for each in instances} == {"schedule"}
    assert {each.channel for each in instances} == {"prod"}


async def test_a_cron_schedule_tells_its_next_start(client, scheduled):
    await scheduled(NIGHTLY)
    schedule = await schedule_of(client)
    assert json_format.MessageToDict(schedule.definition) == NIGHTLY
    assert schedule.version == 1
    due = schedule.next_time.ToDatetime(UTC)
    assert (due.hour, due.minute) == (3, 0)
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(days=1)
    assert not schedule.HasField("last_time")


async def test_a_start_that_was_missed_is_made_up_for_once(client, scheduled, started, sql):
    await scheduled(NIGHTLY)
    missed = datetime(2020, 5, 1, 3, tzinfo=UTC)
    await sql.execute("UPDATE workflow.schedule SET next_time = $2 WHERE tenant = $1", client.tenant, missed)
    (instance,) = await started(1)
    schedule = await schedule_of(client)
    assert schedule.last_time.ToDatetime(UTC) == missed
    assert schedule.last_instance == instance.name
    assert schedule.next_time.ToDatetime(UTC) > datetime.now(UTC)


async def test_a_tick_starts_one_instance_however_often_it_comes(client, scheduled, started, sql):
    await scheduled(NIGHTLY)
    tick = datetime(2020, 5, 1, 3, tzinfo=UTC)
    for _ in range(2):
        await sql.execute("UPDATE workflow.schedule SET next_time = $2 WHERE tenant = $1", client.tenant, tick)

        async def looked_at():
            return (await schedule_of(client)).next_time.ToDatetime(UTC) > tick

        await until(looked_at, 10.0)
    assert len(await started(1)) == 1


async def test_after_begins_at_once_and_waits_for_the_end_of_the_last(client, scheduled, started, sql):
    await scheduled({"after": {"milliseconds": 200}}, do=[listen(one("done"))])
    (first,) = await started(1)

    async def listening():
        return await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", client.tenant) == 1

    await until(listening, 10.0)
    assert not (await schedule_of(client)).HasField("next_time")
    await client.PublishEvents(events=[event("done")])
    ended = await client.ended(first.name)
    _, second = await started(2)
    wait = second.create_time.ToDatetime(UTC) - ended.end_time.ToDatetime(UTC)
    assert wait >= timedelta(milliseconds=200)


async def test_an_event_starts_an_instance_with_the_event_as_its_input(client, scheduled, started):
    await scheduled({"on": one("order.placed")})
    answer = await client.PublishEvents(events=[event("order.placed", {"n": n}) for n in (1, 2)])
    assert (answer.accepted, answer.deliveries) == (2, 2)
    instances = await started(2)
    inputs = [json_format.MessageToDict(each.input) for each in instances]
    assert sorted(given["data"]["n"] for (given,) in inputs) == [1, 2]
    assert inputs[0][0]["type"] == "order.placed"


async def test_all_of_several_events_start_one_instance(client, scheduled, started, sql):
    await scheduled({"on": {"all": [{"with": {"type": "left"}}, {"with": {"type": "right"}}]}})
    await client.PublishEvents(events=[event("left", 1)])

    async def looked():
        return await sql.fetchval("SELECT looked FROM workflow.schedule WHERE tenant = $1", client.tenant) == 1

    await until(looked, 10.0)
    await client.PublishEvents(events=[event("right", 2), event("left", 3)])
    (instance,) = await started(1)
    assert [each["data"] for each in json_format.MessageToDict(instance.input)] == [1, 2]


async def test_an_event_that_is_sent_twice_starts_one_instance(client, scheduled, started):
    await scheduled({"on": one("order.placed")})
    again = event("order.placed", event_id="again")
    for _ in range(2):
        await client.PublishEvents(events=[again])
    await client.PublishEvents(events=[event("order.placed")])
    assert len(await started(2)) == 2


async def test_a_promotion_switches_the_schedule(client, scheduled):
    await scheduled(NIGHTLY, {"cron": "30 4 * * *"})
    schedule = await schedule_of(client)
    assert schedule.version == 2
    assert schedule.next_time.ToDatetime(UTC).hour == 4


async def test_a_rollback_brings_the_schedule_back(client, scheduled):
    await scheduled(NIGHTLY, {"cron": "30 4 * * *"})
    await client.rollback()
    schedule = await schedule_of(client)
    assert (schedule.version, schedule.next_time.ToDatetime(UTC).hour) == (1, 3)


async def test_a_version_without_a_schedule_ends_it(client, scheduled, sql):
    await scheduled({"on": one("order.placed")}, None)
    assert (await client.ListSchedules()).schedules == []
    assert (await client.PublishEvents(events=[event("order.placed")])).deliveries == 0
    assert await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", client.tenant) == 0


async def test_a_version_with_the_same_schedule_keeps_its_times(client, scheduled):
    await scheduled(NIGHTLY)
    before = await schedule_of(client)
    await scheduled(NIGHTLY, NIGHTLY)
    after = await schedule_of(client)
    assert after.version == 2
    assert after.begin_time == before.begin_time


async def test_another_channel_has_no_schedule(client):
    await client.publish(SET, schedule=OFTEN, promote_to="test")
    assert (await client.ListSchedules()).schedules == []


async def test_schedules_are_listed_by_workflow_and_page(client, scheduled):
    await scheduled(NIGHTLY)
    page = await client.ListSchedules(page_size=1)
    assert [each.workflow for each in page.schedules] == [NAME]
    assert page.next_page_token == ""
    assert (await refused(client.ListSchedules(workflow="workflows/plant.none"))).reason == "WORKFLOW_NOT_FOUND"
    assert (await refused(client.ListSchedules(page_token="x"))).reason == "PAGE_TOKEN_MISMATCH"


async def test_two_replicas_start_each_tick_once(client, scheduled, started, settings, sql):
    async with running(SERVICE, settings), running(SERVICE, settings):
        await scheduled(OFTEN)
        await started(3)
        await client.publish(SET, "2.0.0", promote_to="prod")
    rows = await sql.fetch("SELECT create_time FROM workflow.instance WHERE tenant = $1 ORDER BY 1", client.tenant)
    begun = (rows[-1]["create_time"] - rows[0]["create_time"]) / timedelta(seconds=1)
    assert len(rows) <= begun + 2


async def test_releases_and_starts_at_the_same_moment_block_nobody(client, scheduled, sql):
    await scheduled(OFTEN, NIGHTLY)
    overdue = "UPDATE workflow.schedule SET next_time = now() - interval '1 hour' WHERE tenant = $1"
    for _ in range(20):
        await asyncio.gather(
            sql.execute(overdue, client.tenant),
            client.PromoteVersion(channel=PROD, version=1),
            client.PromoteVersion(channel=PROD, version=2),
        )


async def test_a_schedule_that_cannot_be_kept_stops_no_other(client, started, sql, monkeypatch):
    """The one that cannot be kept is the one that is looked at first, whichever that is, and each time."""
    both = ("plant.left", "plant.right")
    for workflow in both:
        definition = written(SET, schedule=NIGHTLY).replace('"name": "line"', f'"name": "{workflow[6:]}"')
        await client.PublishVersion(definition=definition, promote_to="prod")
    first = []
    advance = scheduling.advance

    async def fail_at_the_first(connection, log, workflow):
        if workflow in both and workflow == (first or [workflow])[0]:
            first[:] = [workflow]
            raise ZeroDivisionError
        return await advance(connection, log, workflow)

    monkeypatch.setattr(scheduling, "advance", fail_at_the_first)
    await sql.execute("UPDATE workflow.schedule SET next_time = now() WHERE tenant = $1", client.tenant)
    (instance,) = await started(1)
    assert [instance.workflow] == [f"workflows/{workflow}" for workflow in both if workflow not in first]
