"""Instances: started through a channel or on a version, read, filtered, cancelled; what they take and give."""

import uuid
from datetime import timedelta

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import ListValue, Value
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from millwright_workflow.store import releases
from workflow_rig.definitions import NAME, RAISE, SET, WAIT, get, version_name, written

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent
ECHO = [{"echo": {"set": {"said": "${ .said }"}}}]


def value(data):
    """Give JSON as the contract has it."""
    return json_format.ParseDict(data, Value())


async def test_an_instance_runs_on_the_version_of_its_channel(client):
    await client.release(RAISE, SET)
    ended = await client.run()
    assert (ended.state, ended.version, ended.channel) == (Instance.STATE_COMPLETED, 2, "prod")
    assert ended.output == value({"ok": True})


async def test_an_instance_can_be_started_on_a_version_past_every_channel(client):
    await client.release(SET, RAISE)
    ended = await client.run(version=1)
    assert (ended.state, ended.version, ended.channel) == (Instance.STATE_COMPLETED, 1, "")


async def test_an_instance_can_be_started_through_a_channel_by_name(client):
    await client.release(SET)
    await client.PromoteVersion(channel=f"{NAME}/channels/line-2", version=1)
    assert (await client.run(channel="line-2")).channel == "line-2"


async def test_an_accepted_instance_is_pending_and_bound_to_nothing(client):
    await client.release(SET)
    accepted = (await client.StartInstance(workflow=NAME, input=value({"a": 1}))).instance
    assert (accepted.state, accepted.version, accepted.sequence) == (Instance.STATE_PENDING, 0, 1)
    assert accepted.input == value({"a": 1})
    assert accepted.creator == "local"


async def test_the_times_of_an_instance_are_in_order(client):
    await client.release(SET)
    ended = await client.run()
    times = [ended.create_time.ToNanoseconds(), ended.start_time.ToNanoseconds(), ended.end_time.ToNanoseconds()]
    assert times == sorted(times)


async def test_a_faulted_instance_says_what_was_raised_and_where(client):
    await client.release(RAISE)
    ended = await client.run()
    assert ended.state == Instance.STATE_FAULTED
    assert not ended.HasField("output")
    error = ended.error
    assert (error.type, error.status, error.title) == ("https://plant.example/errors/seal", 500, "Seal")
    assert error.instance == "/do/0/fail"


async def test_the_caller_may_choose_the_id(client):
    await client.release(SET)
    instance_id = str(uuid.uuid4())
    assert await client.start(instance_id=instance_id.upper()) == f"instances/{instance_id}"


async def test_an_id_that_is_taken_is_refused(client):
    await client.release(SET)
    instance_id = str(uuid.uuid4())
    await client.start(instance_id=instance_id)
    refusal = await refused(client.start(instance_id=instance_id))
    assert refusal.kind == ("ALREADY_EXISTS", "INSTANCE_EXISTS")


async def test_a_request_id_starts_one_instance(client):
    await client.release(SET)
    request_id = str(uuid.uuid4())
    first = await client.StartInstance(workflow=NAME, request_id=request_id)
    again = await client.StartInstance(workflow=NAME, request_id=request_id)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.instance == first.instance
    refusal = await refused(client.StartInstance(workflow=NAME, request_id=request_id, version=1))
    assert refusal.reason == "REQUEST_ID_REUSED"


NOT_THERE = {
    "workflow": ({"workflow": "workflows/plant.none"}, "WORKFLOW_NOT_FOUND"),
    "channel": ({"channel": "none"}, "CHANNEL_NOT_FOUND"),
    "version": ({"version": 9}, "VERSION_NOT_FOUND"),
}


@pytest.mark.parametrize("what", NOT_THERE)
async def test_what_is_not_there_cannot_be_started(client, what):
    fields, reason = NOT_THERE[what]
    await client.release(SET)
    refusal = await refused(client.start(**fields))
    assert refusal.kind == ("NOT_FOUND", reason)


WRONG = {
    "channel and version": ({"channel": "prod", "version": 1}, ("version", "EXCLUSIVE")),
    "a negative version": ({"version": -1}, ("version", "OUT_OF_RANGE")),
    "an id that is none": ({"instance_id": "x"}, ("instance_id", "NOT_A_UUID")),
    "a malformed workflow": ({"workflow": "line"}, ("workflow", "MALFORMED_NAME")),
    "a malformed channel": ({"channel": "Prod"}, ("channel", "MALFORMED_NAME")),
    "NaN": ({"input": Value(number_value=float("nan"))}, ("input", "NOT_A_NUMBER")),
    "infinity inside": (
        {"input": Value(list_value=ListValue(values=[Value(number_value=float("inf"))]))},
        ("input[0]", "NOT_A_NUMBER"),
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_field_is_named_and_nothing_is_started(client, what):
    fields, fault = WRONG[what]
    await client.release(SET)
    refusal = await refused(client.start(**fields))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.faults == [fault]
    assert not (await client.ListInstances()).instances


async def test_a_filter_finds_by_workflow_version_state_and_time(client):
    await client.release(SET, RAISE)
    good, bad = await client.run(version=1), await client.run()
    await client.PublishVersion(definition=written().replace('"line"', '"other"'), promote_to="prod")
    other = await client.run(workflow="workflows/plant.other")

    async def names(**fields):
        return [instance.name for instance in (await client.ListInstances(**fields)).instances]

    after = Timestamp()
    after.FromDatetime(bad.create_time.ToDatetime())
    assert await names() == [other.name, bad.name, good.name]
    assert await names(workflow=NAME) == [bad.name, good.name]
    assert await names(workflow=NAME, version=1) == [good.name]
    assert await names(states=[Instance.STATE_FAULTED]) == [bad.name]
    assert await names(states=[Instance.STATE_FAULTED, Instance.STATE_COMPLETED]) == [other.name, bad.name, good.name]
    assert await names(created_after=after) == [other.name, bad.name]
    assert await names(created_before=after) == [good.name]


async def test_lists_leave_out_what_may_be_large(client):
    await client.release(ECHO)
    await client.run(input=value({"said": "much"}))
    (listed,) = (await client.ListInstances()).instances
    assert not listed.HasField("input")
    assert not listed.HasField("output")


FILTERS = {
    "a version without a workflow": ({"version": 1}, ("version", "NEEDS_WORKFLOW")),
    "an unknown state": ({"states": [99]}, ("states", "UNKNOWN_VALUE")),
    "a state that is none": ({"states": [0]}, ("states", "UNKNOWN_VALUE")),
    "a time before all time": ({"created_after": Timestamp(seconds=-(2**60))}, ("created_after", "OUT_OF_RANGE")),
    "an end after all time": ({"created_before": Timestamp(seconds=2**60)}, ("created_before", "OUT_OF_RANGE")),
}


@pytest.mark.parametrize("what", FILTERS)
async def test_a_wrong_filter_is_refused(client, what):
    fields, fault = FILTERS[what]
    assert (await refused(client.ListInstances(**fields))).faults == [fault]


@pytest.mark.parametrize(
    "name", ["", "instances/", "instances/x", f"instances/{uuid.UUID(int=1)} ", str(uuid.UUID(int=1))]
)
async def test_a_malformed_name_is_refused(client, name):
    assert (await refused(client.GetInstance(name=name))).faults == [("name", "MALFORMED_NAME")]


async def test_an_instance_that_is_not_there_is_not_found(client):
    for rpc in ("GetInstance", "CancelInstance", "ResumeInstance", "WatchInstance", "ListInstanceEvents"):
        refusal = await refused(getattr(client, rpc)(name=f"instances/{uuid.uuid4()}"))
        assert refusal.kind == ("NOT_FOUND", "INSTANCE_NOT_FOUND")


async def test_a_running_instance_is_interrupted_where_it_is(client, web):
    await client.release([get(web.hold("/first"))])
    instance = await client.start()
    await web.arrival("/first")
    answer = await client.CancelInstance(name=instance, reason="enough")
    assert answer.instance.cancel_requested
    ended = await client.ended(instance)
    assert (ended.state, ended.cancel_requested) == (Instance.STATE_CANCELLED, False)
    assert (ended.error.status, ended.error.detail) == (499, "enough")
    assert ended.end_time.ToDatetime() - ended.start_time.ToDatetime() < timedelta(seconds=5)


async def test_a_pending_instance_is_cancelled_in_the_call(client, sql):
    await client.release(SET)
    async with sql.transaction():  # no worker's pass gets through meanwhile
        await sql.execute("LOCK TABLE workflow.hold IN ACCESS EXCLUSIVE MODE")
        instance = await client.start()
        answer = await client.CancelInstance(name=instance, reason="too early")
    assert answer.instance.state == Instance.STATE_CANCELLED
    assert (await client.get(instance)).error.detail == "too early"


async def test_cancelling_what_is_cancelled_changes_nothing(client):
    await client.release(WAIT)
    instance = await client.start()
    await client.reached(instance, Kind.KIND_STARTED)
    await client.CancelInstance(name=instance, reason="enough")
    ended = await client.ended(instance)
    again = await client.CancelInstance(name=instance, reason="more")
    assert again.instance == ended


@pytest.mark.parametrize(("do", "state"), [(SET, "COMPLETED"), (RAISE, "FAULTED")])
async def test_what_has_ended_cannot_be_cancelled(client, do, state):
    await client.release(do)
    ended = await client.run()
    refusal = await refused(client.CancelInstance(name=ended.name))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_ENDED")
    assert refusal.info.metadata["state"] == state


async def test_what_has_ended_cannot_be_resumed(client):
    await client.release(SET)
    refusal = await refused(client.ResumeInstance(name=(await client.run()).name))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_PAUSED")


async def test_an_instance_whose_version_is_bad_is_not_accepted(client):
    await client.release(SET, RAISE)
    await client.rollback()
    refusal = await refused(client.start(version=2))
    assert refusal.info.metadata["version"] == "2"
    assert (await client.GetVersion(name=version_name(2))).version.bad_reason == "it leaks"


async def test_a_start_through_a_channel_that_is_rolled_back_meanwhile_is_accepted(client, monkeypatch):
    await client.release(SET, RAISE)
    find = releases.get_channel

    async def find_and_be_overtaken(connection, workflow, channel):
        found = await find(connection, workflow, channel)
        monkeypatch.setattr(releases, "get_channel", find)
        await client.rollback()
        return found

    monkeypatch.setattr(releases, "get_channel", find_and_be_overtaken)
    ended = await client.run()
    assert (ended.state, ended.version) == (Instance.STATE_COMPLETED, 1)
    assert (await client.GetVersion(name=version_name(2))).version.bad_reason == "it leaks"


async def test_a_start_through_a_channel_that_stands_on_a_bad_version_is_not_accepted(client):
    await client.release(SET, RAISE)
    await client.PromoteVersion(channel=f"{NAME}/channels/line-2", version=2)
    await client.rollback()
    refusal = await refused(client.start(channel="line-2"))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_BAD")
