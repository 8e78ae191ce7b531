"""Marks: a version is called bad, or good again, and what that keeps from happening."""

import uuid

import pytest
from millwright.workflow.v1 import instance_pb2, release_pb2, workflow_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, SET, WAIT, version_name

ONE, TWO = version_name(1), version_name(2)


@pytest.fixture
async def released(client):
    """A client whose `prod` has gone from version 1 to version 2."""
    await client.release(SET, WAIT)
    return client


async def operations(client):
    """Give what the release log says was done, newest first."""
    releases = (await client.ListReleases(workflow=NAME)).releases
    return [release_pb2.Release.Operation.Name(release.operation).removeprefix("OPERATION_") for release in releases]


async def test_a_version_marked_bad_says_why(released):
    answer = await released.MarkVersionBad(version=ONE, reason="it leaks")
    assert answer.changed
    version = (await released.GetVersion(name=ONE)).version
    assert (version.state, version.bad_reason) == (workflow_pb2.Version.STATE_BAD, "it leaks")


async def test_marking_is_in_the_log(released):
    await released.MarkVersionBad(version=ONE, reason="it leaks")
    await released.MarkVersionGood(version=ONE, reason="it was the sensor")
    assert (await operations(released))[:2] == ["MARK_GOOD", "MARK_BAD"]


async def test_marking_what_is_marked_changes_nothing(released):
    await released.MarkVersionBad(version=ONE, reason="it leaks")
    before = await operations(released)
    again = await released.MarkVersionBad(version=ONE, reason="it smokes")
    assert not again.changed
    assert again.version.bad_reason == "it leaks"
    assert await operations(released) == before


async def test_clearing_what_is_good_changes_nothing(released):
    before = await operations(released)
    assert not (await released.MarkVersionGood(version=ONE, reason="sure")).changed
    assert await operations(released) == before


async def test_a_version_that_is_good_again_can_be_promoted(released):
    await released.MarkVersionBad(version=ONE, reason="it leaks")
    answer = await released.MarkVersionGood(version=ONE, reason="it was the sensor")
    assert answer.version.state == workflow_pb2.Version.STATE_GOOD
    assert answer.version.bad_reason == ""
    assert (await released.PromoteVersion(channel=f"{NAME}/channels/prod", version=1)).changed


async def test_a_version_that_a_channel_points_to_cannot_be_marked(released):
    refusal = await refused(released.MarkVersionBad(version=TWO, reason="it leaks"))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_IN_USE")
    assert refusal.info.metadata["channel"] == "prod"


@pytest.mark.parametrize("rpc", ["MarkVersionBad", "MarkVersionGood"])
async def test_a_mark_needs_a_reason(released, rpc):
    refusal = await refused(getattr(released, rpc)(version=ONE, reason="  "))
    assert refusal.faults == [("reason", "REQUIRED")]


@pytest.mark.parametrize("rpc", ["MarkVersionBad", "MarkVersionGood"])
@pytest.mark.parametrize("version", [version_name(9), version_name(1, "workflows/plant.none")])
async def test_an_unknown_version_is_not_found(released, rpc, version):
    refusal = await refused(getattr(released, rpc)(version=version, reason="it leaks"))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")


@pytest.mark.parametrize("rpc", ["MarkVersionBad", "MarkVersionGood"])
async def test_a_request_id_gives_the_first_answer_again(released, rpc):
    mark, request_id = getattr(released, rpc), str(uuid.uuid4())
    first = await mark(version=ONE, reason="it leaks", request_id=request_id)
    again = await mark(version=ONE, reason="it leaks", request_id=request_id)
    assert (again.replayed, again.changed) == (True, first.changed)
    refusal = await refused(mark(version=TWO, reason="it leaks", request_id=request_id))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_no_instance_is_started_on_a_bad_version(released):
    await released.MarkVersionBad(version=ONE, reason="it leaks")
    refusal = await refused(released.start(version=1))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_BAD")


async def test_an_instance_that_is_pending_when_its_version_is_marked_faults(released, sql):
    async with sql.transaction():  # the claim waits for whoever is marking the version
        await sql.execute("SELECT FROM workflow.version WHERE tenant = $1 AND number = 1 FOR UPDATE", released.tenant)
        instance = await released.start(version=1)
        await sql.execute(
            "UPDATE workflow.version SET bad_reason = 'it leaks' WHERE tenant = $1 AND number = 1", released.tenant
        )
    ended = await released.ended(instance)
    assert ended.state == instance_pb2.Instance.STATE_FAULTED
    assert ended.error.type.endswith("/configuration")
    assert "it leaks" in ended.error.detail
    assert not ended.HasField("start_time")
