"""Rollback: a channel goes back in one call; where to, under which conditions, and what that leaves behind."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import release_pb2, workflow_pb2
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, PROD, SET, WAIT, get, version_name

GOOD, BAD = workflow_pb2.Version.STATE_GOOD, workflow_pb2.Version.STATE_BAD
OTHER = [get("http://127.0.0.1:1")]
LOCK_VERSION = "SELECT FROM workflow.version WHERE tenant = $1 AND number = $2 FOR SHARE"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def released(client):
    """A client whose `prod` has gone over the versions 1, 2 and 3."""
    await client.release(SET, WAIT, OTHER)
    return client


async def state(client):
    """Give all that a rollback may change."""
    releases = (await client.ListReleases(workflow=NAME)).releases
    versions = (await client.ListVersions(workflow=NAME)).versions
    channel = (await client.GetChannel(name=PROD)).channel
    return [message.SerializeToString(deterministic=True) for message in (*releases, *versions, channel)]


async def test_without_a_target_it_goes_to_the_version_before(released):
    answer = await released.rollback()
    assert answer.changed
    assert answer.channel.version == 2
    assert (await released.GetChannel(name=PROD)).channel == answer.channel


async def test_the_version_left_is_marked_bad_with_the_reason(released):
    await released.rollback(reason="it leaks")
    version = (await released.GetVersion(name=version_name(3))).version
    assert (version.state, version.bad_reason) == (BAD, "it leaks")


async def test_the_version_left_stays_good_if_told(released):
    answer = await released.rollback(keep_source_good=True)
    assert not answer.release.marked_bad
    assert (await released.GetVersion(name=version_name(3))).version.state == GOOD


async def test_the_log_says_everything_about_it(released):
    answer = await released.rollback(automatic=True, run_policy=release_pb2.RUN_POLICY_PAUSE)
    release = (await released.ListReleases(workflow=NAME, page_size=1)).releases[0]
    assert release == answer.release
    assert release.name == f"{NAME}/releases/{release.revision}"
    assert release.operation == release_pb2.Release.OPERATION_ROLLBACK
    assert (release.channel, release.from_version, release.to_version) == ("prod", 3, 2)
    assert (release.marked_bad, release.automatic) == (True, True)
    assert (release.reason, release.actor) == ("it leaks", "local")
    assert release.run_policy == release_pb2.RUN_POLICY_PAUSE


async def test_drain_is_the_default_policy(released):
    assert (await released.rollback()).release.run_policy == release_pb2.RUN_POLICY_DRAIN


async def test_a_second_rollback_goes_further_back(released):
    await released.rollback()
    assert (await released.rollback()).channel.version == 1


async def test_bad_versions_are_passed_over(released):
    await released.MarkVersionBad(version=version_name(2), reason="it smokes")
    assert (await released.rollback()).channel.version == 1


async def test_the_version_visited_last_comes_first_not_the_highest_number(released):
    await released.PromoteVersion(channel=PROD, version=1)
    await released.PromoteVersion(channel=PROD, version=2)
    assert (await released.rollback()).channel.version == 1


async def test_a_version_that_the_channel_never_pointed_to_is_no_default_target(client):
    await client.publish(SET, "1.0.0")
    await client.publish(WAIT, "2.0.0", promote_to="prod")
    refusal = await refused(client.rollback())
    assert refusal.kind == ("FAILED_PRECONDITION", "NO_ROLLBACK_TARGET")


async def test_a_target_need_not_have_been_visited(client):
    await client.publish(SET, "1.0.0")
    await client.publish(WAIT, "2.0.0", promote_to="prod")
    assert (await client.rollback(target_version=1)).channel.version == 1


async def test_a_bad_target_is_refused(released):
    await released.MarkVersionBad(version=version_name(1), reason="it smokes")
    before = await state(released)
    refusal = await refused(released.rollback(target_version=1))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_BAD")
    assert await state(released) == before


async def test_a_bad_target_that_is_meant_is_good_again(released):
    await released.MarkVersionBad(version=version_name(1), reason="it smokes")
    assert (await released.rollback(target_version=1, allow_bad_target=True)).changed
    assert (await released.GetVersion(name=version_name(1))).version.state == GOOD


async def test_an_unknown_target_is_not_found(released):
    refusal = await refused(released.rollback(target_version=9))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")


@pytest.mark.parametrize("channel", [f"{NAME}/channels/none", "workflows/plant.none/channels/prod"])
async def test_an_unknown_channel_is_not_found(released, channel):
    refusal = await refused(released.rollback(channel=channel))
    assert refusal.kind == ("NOT_FOUND", "CHANNEL_NOT_FOUND")


async def test_a_stale_view_is_refused_with_the_revision_as_it_is(released):
    before = await state(released)
    refusal = await refused(released.rollback(expected_revision=5))
    assert refusal.kind == ("ABORTED", "REVISION_MISMATCH")
    assert refusal.info.metadata["revision"] == "6"
    assert await state(released) == before


async def test_a_fresh_view_is_let_through(released):
    assert (await released.rollback(expected_revision=6)).changed


async def test_rolling_back_to_where_the_channel_points_changes_nothing(released):
    before = await state(released)
    answer = await released.rollback(target_version=3)
    assert not answer.changed
    assert not answer.HasField("release")
    assert await state(released) == before


async def test_it_freezes_automatic_promotions_and_no_others(released):
    revision = (await released.rollback()).channel.revision
    refusal = await refused(
        released.PromoteVersion(channel=PROD, version=1, automatic=True, expected_revision=revision)
    )
    assert refusal.kind == ("FAILED_PRECONDITION", "CHANNEL_FROZEN")
    assert datetime.fromisoformat(refusal.info.metadata["freeze_time"]) > datetime.now(UTC)
    assert (await released.PromoteVersion(channel=PROD, version=1)).changed


async def test_a_freeze_is_an_hour_unless_told(released):
    channel = (await released.rollback()).channel
    assert channel.freeze_time.ToDatetime() - channel.update_time.ToDatetime() == timedelta(hours=1)


async def test_a_freeze_of_nothing_freezes_nothing(released):
    revision = (await released.rollback(freeze=Duration())).channel.revision
    promotion = released.PromoteVersion(channel=PROD, version=1, automatic=True, expected_revision=revision)
    assert (await promotion).changed


WRONG = {
    "no reason": ({"reason": " "}, "reason"),
    "a reason too long": ({"reason": "x" * 1001}, "reason"),
    "a reason with a NUL": ({"reason": "a\0"}, "reason"),
    "a target of 0": ({"target_version": 0}, "target_version"),
    "a negative revision": ({"expected_revision": -1}, "expected_revision"),
    "a negative freeze": ({"freeze": Duration(seconds=-1)}, "freeze"),
    "a freeze over 30 days": ({"freeze": Duration(seconds=30 * 86400 + 1)}, "freeze"),
    "a freeze past all time": ({"freeze": Duration(seconds=2**62)}, "freeze"),
    "an unknown policy": ({"run_policy": 99}, "run_policy"),
    "a malformed channel": ({"channel": "prod"}, "channel"),
    "a request_id that is none": ({"request_id": "x"}, "request_id"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_field_is_named_and_nothing_changes(released, what):
    fields, field = WRONG[what]
    before = await state(released)
    refusal = await refused(released.rollback(**fields))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.fields == [field]
    assert await state(released) == before


async def test_validating_only_answers_as_rolling_back_would_and_writes_nothing(released):
    before = await state(released)
    preview = await released.rollback(validate_only=True)
    assert await state(released) == before
    real = await released.rollback()
    for answer in (preview, real):
        for field, time in (("channel", "freeze_time"), ("channel", "update_time"), ("release", "create_time")):
            getattr(answer, field).ClearField(time)
    assert preview == real


async def test_validating_only_is_refused_as_rolling_back_would_be(released):
    refusal = await refused(released.rollback(validate_only=True, target_version=9))
    assert refusal.reason == "VERSION_NOT_FOUND"


async def test_a_request_id_gives_the_first_answer_again(released):
    request_id = str(uuid.uuid4())
    first = await released.rollback(request_id=request_id)
    before = await state(released)
    again = await released.rollback(request_id=request_id)
    assert again.replayed
    again.replayed = False
    assert again == first
    assert await state(released) == before


async def test_a_request_id_with_another_body_is_refused(released):
    request_id = str(uuid.uuid4())
    await released.rollback(request_id=request_id)
    refusal = await refused(released.rollback(request_id=request_id, reason="it smokes"))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")


async def test_a_rollback_locks_versions_in_the_order_of_a_claim(released, sql, urls):
    await released.MarkVersionBad(version=version_name(1), reason="it smokes")
    watching = await asyncpg.connect(urls.superuser)

    async def waits():
        return bool(await watching.fetchval(WAITING))

    async with sql.transaction():
        await sql.execute(LOCK_VERSION, released.tenant, 1)
        rollback = asyncio.ensure_future(released.rollback(target_version=1, allow_bad_target=True))
        await until(waits, 10)
        await sql.execute(LOCK_VERSION, released.tenant, 3)
    assert (await rollback).changed
    await watching.close()
