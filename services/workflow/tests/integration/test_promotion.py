"""Promotion: a channel is pointed to a version, or the refusal says why not."""

import uuid

import pytest
from millwright.workflow.v1 import release_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, PROD, SET, WAIT, version_name


@pytest.fixture
async def two(client):
    """A client whose workflow has two versions and no channel."""
    await client.publish(SET, "1.0.0")
    await client.publish(WAIT, "2.0.0")
    return client


async def latest(client):
    """Give the newest row of the release log."""
    return (await client.ListReleases(workflow=NAME, page_size=1)).releases[0]


async def test_the_first_promotion_makes_the_channel(two):
    answer = await two.PromoteVersion(channel=PROD, version=1, reason="begin")
    assert answer.changed
    assert (answer.channel.version, answer.channel.revision) == (1, 3)
    assert (await two.GetChannel(name=PROD)).channel == answer.channel


async def test_the_log_says_who_promoted_what_and_why(two):
    answer = await two.PromoteVersion(channel=PROD, version=1, reason="begin")
    release = await latest(two)
    assert release == answer.release
    assert release.operation == release_pb2.Release.OPERATION_PROMOTE
    assert (release.revision, release.from_version, release.to_version) == (3, 0, 1)
    assert (release.channel, release.reason, release.actor) == ("prod", "begin", "local")


async def test_promoting_to_where_the_channel_points_changes_nothing(two):
    first = await two.PromoteVersion(channel=PROD, version=1)
    again = await two.PromoteVersion(channel=PROD, version=1)
    assert not again.changed
    assert not again.HasField("release")
    assert again.channel == first.channel
    assert (await latest(two)).revision == first.channel.revision


async def test_channels_move_apart_from_one_another(two):
    await two.PromoteVersion(channel=PROD, version=1)
    await two.PromoteVersion(channel=f"{NAME}/channels/line-2", version=2)
    channels = (await two.GetWorkflow(name=NAME)).channels
    assert [(channel.name, channel.version) for channel in channels] == [(f"{NAME}/channels/line-2", 2), (PROD, 1)]


async def test_a_stale_view_is_refused_with_the_revision_as_it_is(two):
    await two.PromoteVersion(channel=PROD, version=1)
    refusal = await refused(two.PromoteVersion(channel=PROD, version=2, expected_revision=2))
    assert refusal.kind == ("ABORTED", "REVISION_MISMATCH")
    assert refusal.info.metadata["revision"] == "3"


async def test_a_fresh_view_is_let_through(two):
    revision = (await two.PromoteVersion(channel=PROD, version=1)).channel.revision
    assert (await two.PromoteVersion(channel=PROD, version=2, expected_revision=revision)).changed


async def test_revision_0_means_a_channel_that_must_not_exist(two):
    assert (await two.PromoteVersion(channel=PROD, version=1, expected_revision=0)).changed
    refusal = await refused(two.PromoteVersion(channel=PROD, version=2, expected_revision=0))
    assert refusal.reason == "REVISION_MISMATCH"


async def test_a_bad_version_is_not_promoted(two):
    await two.MarkVersionBad(version=version_name(2), reason="it leaks")
    refusal = await refused(two.PromoteVersion(channel=PROD, version=2))
    assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_BAD")
    assert refusal.info.metadata["bad_reason"] == "it leaks"


async def test_an_unknown_version_is_not_found(two):
    refusal = await refused(two.PromoteVersion(channel=PROD, version=3))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")


async def test_a_version_of_an_unknown_workflow_is_not_found(two):
    refusal = await refused(two.PromoteVersion(channel="workflows/plant.none/channels/prod", version=1))
    assert refusal.kind == ("NOT_FOUND", "VERSION_NOT_FOUND")


async def test_an_automatic_promotion_must_say_what_it_saw(two):
    refusal = await refused(two.PromoteVersion(channel=PROD, version=1, automatic=True))
    assert refusal.faults == [("expected_revision", "REQUIRED")]


async def test_every_wrong_field_is_told_at_once(two):
    refusal = await refused(two.PromoteVersion(channel=PROD, version=0, expected_revision=-1))
    assert refusal.fields == ["version", "expected_revision"]


@pytest.mark.parametrize(
    "channel", ["", "prod", f"{NAME}/channels/", f"{NAME}/channels/Prod", f"{NAME}/channels/{'x' * 64}", f"{PROD}\n"]
)
async def test_a_malformed_channel_is_refused(two, channel):
    refusal = await refused(two.PromoteVersion(channel=channel, version=1))
    assert refusal.faults == [("channel", "MALFORMED_NAME")]


async def test_a_channel_of_63_signs_is_taken(two):
    assert (await two.PromoteVersion(channel=f"{NAME}/channels/{'x' * 63}", version=1)).changed


async def test_a_reason_with_a_nul_is_refused(two):
    refusal = await refused(two.PromoteVersion(channel=PROD, version=1, reason="a\0b"))
    assert refusal.faults == [("reason", "INVALID_CHARACTER")]


async def test_validating_only_answers_as_promoting_would_and_writes_nothing(two):
    preview = await two.PromoteVersion(channel=PROD, version=1, validate_only=True)
    assert (await refused(two.GetChannel(name=PROD))).kind == ("NOT_FOUND", "CHANNEL_NOT_FOUND")
    real = await two.PromoteVersion(channel=PROD, version=1)
    assert preview.changed
    assert preview.release.revision == real.release.revision


async def test_a_request_id_gives_the_first_answer_again_even_after_the_channel_has_moved_on(two):
    request_id = str(uuid.uuid4())
    first = await two.PromoteVersion(channel=PROD, version=1, request_id=request_id)
    await two.PromoteVersion(channel=PROD, version=2)
    again = await two.PromoteVersion(channel=PROD, version=1, request_id=request_id)
    assert again.replayed
    assert again.channel == first.channel
    assert (await two.GetChannel(name=PROD)).channel.version == 2


async def test_a_request_id_with_another_body_is_refused(two):
    request_id = str(uuid.uuid4())
    await two.PromoteVersion(channel=PROD, version=1, request_id=request_id)
    refusal = await refused(two.PromoteVersion(channel=PROD, version=2, request_id=request_id))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
