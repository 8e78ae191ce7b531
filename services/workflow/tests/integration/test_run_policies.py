"""What a rollback does with instances that run on the version left: they drain, pause or are cancelled."""

import pytest
from millwright.workflow.v1 import instance_pb2, release_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import PROD, SET, WAIT, get

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent
DRAIN, PAUSE, CANCEL = (f"RUN_POLICY_{name}" for name in ("DRAIN", "PAUSE", "CANCEL"))


@pytest.fixture
async def asking(client, web):
    """A client with an instance whose first of two tasks waits for the web server; its `prod` is at version 2."""
    await client.release(SET, [get(web.hold("/first"), "first"), get(web.url + "/second", "second")])
    client.instance = await client.start()
    await web.arrival("/first")
    return client


@pytest.fixture
async def resting(client):
    """A client with an instance that waits for an hour; its `prod` is at version 2."""
    await client.release(SET, [*WAIT, *SET])
    client.instance = await client.start()
    await client.reached(client.instance, Kind.KIND_STARTED)
    return client


async def test_drained_instances_run_to_their_end_on_the_version_they_began_on(asking, web):
    await asking.rollback(run_policy=DRAIN)
    web.let_go("/first")
    ended = await asking.ended(asking.instance)
    assert (ended.state, ended.version) == (Instance.STATE_COMPLETED, 2)


async def test_paused_instances_finish_their_task_and_begin_no_other(asking, web):
    await asking.rollback(run_policy=PAUSE)
    web.let_go("/first")
    await asking.reached(asking.instance, Kind.KIND_PAUSED)
    instance = await asking.get(asking.instance)
    assert (instance.state, instance.finished_tasks) == (Instance.STATE_PAUSED, 1)
    assert not web.hits["/second"]


async def test_an_instance_pauses_in_the_middle_of_waiting(resting):
    await resting.rollback(run_policy=PAUSE)
    await resting.reached(resting.instance, Kind.KIND_PAUSED)


async def test_a_resumed_instance_goes_on_where_it_stopped_and_does_not_pause_again(asking, web):
    await asking.rollback(run_policy=PAUSE)
    web.let_go("/first")
    await asking.reached(asking.instance, Kind.KIND_PAUSED)
    resumed = (await asking.ResumeInstance(name=asking.instance)).instance
    assert resumed.state == Instance.STATE_RUNNING
    ended = await asking.ended(asking.instance)
    assert (ended.state, ended.version, ended.finished_tasks) == (Instance.STATE_COMPLETED, 2, 2)
    assert len(web.hits["/first"]) == 1


async def test_the_events_of_a_pause_are_in_order(asking, web):
    await asking.rollback(run_policy=PAUSE)
    web.let_go("/first")
    await asking.reached(asking.instance, Kind.KIND_PAUSED)
    await asking.ResumeInstance(name=asking.instance)
    kinds = [Kind.Kind.Name(event.kind).removeprefix("KIND_") for event in await asking.events(asking.instance)]
    assert kinds == ["CREATED", "STARTED", "TASK_COMPLETED", "PAUSED", "RESUMED", "TASK_COMPLETED", "COMPLETED"]


async def test_an_instance_that_is_not_paused_cannot_be_resumed(resting):
    refusal = await refused(resting.ResumeInstance(name=resting.instance))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_PAUSED")


async def test_a_paused_instance_can_be_cancelled(resting):
    await resting.rollback(run_policy=PAUSE)
    await resting.reached(resting.instance, Kind.KIND_PAUSED)
    answer = await resting.CancelInstance(name=resting.instance, reason="enough")
    assert answer.instance.state == Instance.STATE_CANCELLED


async def test_cancelled_instances_end_in_the_middle_of_a_task_with_the_reason(asking):
    await asking.rollback(run_policy=CANCEL, reason="it leaks")
    ended = await asking.ended(asking.instance)
    assert ended.state == Instance.STATE_CANCELLED
    assert ended.error.detail == "it leaks"


async def test_instances_that_are_paused_already_are_cancelled_too(resting):
    await resting.rollback(run_policy=PAUSE)
    await resting.reached(resting.instance, Kind.KIND_PAUSED)
    await resting.PromoteVersion(channel=PROD, version=1)
    await resting.MarkVersionGood(version="workflows/plant.line/versions/2", reason="again")
    await resting.PromoteVersion(channel=PROD, version=2)
    answer = await resting.rollback(run_policy=CANCEL)
    assert (answer.impact.running, answer.impact.paused) == (0, 1)
    assert (await resting.ended(resting.instance)).state == Instance.STATE_CANCELLED


async def test_instances_started_on_the_version_by_number_are_not_touched(client, web):
    await client.release(SET, [get(web.hold("/first"), "first")])
    instance = await client.start(version=2)
    await web.arrival("/first")
    answer = await client.rollback(run_policy=CANCEL)
    assert answer.impact.running == 0
    web.let_go("/first")
    assert (await client.ended(instance)).state == Instance.STATE_COMPLETED


async def test_instances_of_another_channel_are_not_touched(client, web):
    await client.release(SET, [get(web.hold("/first"), "first")])
    await client.PromoteVersion(channel="workflows/plant.line/channels/line-2", version=2)
    instance = await client.start(channel="line-2")
    await web.arrival("/first")
    await client.rollback(run_policy=CANCEL)
    web.let_go("/first")
    assert (await client.ended(instance)).state == Instance.STATE_COMPLETED


async def test_instances_that_begin_after_the_channel_has_come_back_are_not_touched(resting):
    await resting.rollback(run_policy=CANCEL, keep_source_good=True)
    await resting.ended(resting.instance)
    await resting.PromoteVersion(channel=PROD, version=2)
    later = await resting.start()
    await resting.reached(later, Kind.KIND_STARTED)
    await resting.CancelInstance(name=later, reason="the test is over")
    assert (await resting.ended(later)).error.detail == "the test is over"


@pytest.mark.parametrize("validate_only", [True, False])
async def test_the_answer_counts_whom_the_policy_concerns(client, web, validate_only):
    await client.release(SET, [get(web.hold("/first"), "first")])
    for _ in range(3):
        await client.start()
    await client.start(version=2)
    await web.arrival("/first", 4)
    answer = await client.rollback(validate_only=validate_only, run_policy=PAUSE)
    assert answer.impact == release_pb2.RunImpact(running=3)


async def test_an_instance_that_paused_while_its_cancellation_was_asked_for_is_cancelled(resting, sql):
    """The request came between the engine's decision to pause and its commit: nobody may forget it."""
    await resting.rollback(run_policy=PAUSE)
    await resting.reached(resting.instance, Kind.KIND_PAUSED)
    await sql.execute("UPDATE workflow.instance SET cancel_reason = 'enough' WHERE tenant = $1", resting.tenant)
    ended = await resting.ended(resting.instance)
    assert (ended.state, ended.error.detail) == (Instance.STATE_CANCELLED, "enough")
