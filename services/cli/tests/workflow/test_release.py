"""`millwright workflow promote | rollback | mark-bad | mark-good | releases`."""

import json

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.release_pb2 import Channel, Release, RunImpact
from millwright.workflow.v1.release_service_pb2 import (
    ListReleasesResponse,
    MarkVersionBadResponse,
    MarkVersionGoodResponse,
    PromoteVersionResponse,
    ReleaseSnapshot,
    RollbackVersionResponse,
    WatchReleasesResponse,
)
from millwright.workflow.v1.workflow_pb2 import Version

NAME = "quality.defect-alert"
PROD = Channel(name=f"workflows/{NAME}/channels/prod", version=2, revision=7)
ROLLBACK = Release(
    revision=7,
    operation="OPERATION_ROLLBACK",
    channel="prod",
    from_version=3,
    to_version=2,
    marked_bad=True,
    run_policy="RUN_POLICY_PAUSE",
    reason="faults on every lot",
    actor="kim",
)
ROLLED_BACK = RollbackVersionResponse(
    channel=PROD, release=ROLLBACK, changed=True, impact=RunImpact(running=4, paused=1)
)


def test_promoting_says_where_the_channel_went(run, peer):
    release = Release(revision=1, operation="OPERATION_PROMOTE", from_version=0, to_version=2)
    peer.answers("PromoteVersion", PromoteVersionResponse(channel=PROD, release=release, changed=True))

    result = run("workflow", "promote", NAME, "2", "--expected-revision", "0", "--reason", "ready")

    assert result.stdout.startswith("↑ prod: – → 2, revision 1, in ")
    (request,) = peer.requests("PromoteVersion")
    assert (request.channel, request.version, request.reason) == (PROD.name, 2, "ready")
    assert request.HasField("expected_revision")
    assert request.expected_revision == 0


def test_without_an_expected_revision_none_is_sent(run, peer):
    peer.answers("PromoteVersion", PromoteVersionResponse(channel=PROD, changed=False))
    result = run("workflow", "promote", NAME, "2", "--channel", "line-4")
    (request,) = peer.requests("PromoteVersion")
    assert not request.HasField("expected_revision")
    assert request.channel.endswith("/channels/line-4")
    assert "on version 2 already, nothing changed" in result.stdout


def test_a_rollback_says_the_move_the_mark_and_the_instances_concerned(run, peer):
    peer.answers("RollbackVersion", ROLLED_BACK)

    result = run("workflow", "rollback", NAME, "--reason", "faults on every lot")

    assert "prod: 3 → 2, revision 7, in " in result.stdout
    assert "✘ version 3 is marked bad" in result.stdout
    assert "4 running and 1 paused on version 3: they pause" in result.stdout
    (request,) = peer.requests("RollbackVersion")
    assert not request.HasField("target_version")
    assert not request.HasField("freeze")
    assert request.run_policy == 0


def test_a_rollback_sends_every_option(run, peer):
    peer.answers("RollbackVersion", ROLLED_BACK)
    options = "--from 2 --to 1 --channel canary --policy cancel --keep-source-good --allow-bad-target --freeze 1h30m"
    run("workflow", "rollback", NAME, "--reason", "r", *options.split(), "--dry-run", "--expected-revision", "6")
    (request,) = peer.requests("RollbackVersion")
    assert (request.target_version, request.expected_revision, request.freeze.seconds) == (1, 6, 5400)
    assert request.source_version == 2
    assert request.run_policy == 3
    assert request.keep_source_good
    assert request.allow_bad_target
    assert request.validate_only


def test_a_rollback_needs_a_reason(run, peer):
    result = run("workflow", "rollback", NAME)
    assert result.exit_code == 2
    assert "--reason" in result.stderr
    assert not peer.calls


def test_a_broken_connection_repeats_a_write_with_the_same_request_id(run, peer):
    unavailable = peer.refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    again = RollbackVersionResponse()
    again.CopyFrom(ROLLED_BACK)
    again.replayed = True
    peer.answers("RollbackVersion", unavailable, unavailable, again)

    result = run("workflow", "rollback", NAME, "--reason", "r")

    assert result.exit_code == 0
    assert len(peer.requests("RollbackVersion")) == 3
    assert len({request.request_id for request in peer.requests("RollbackVersion")}) == 1
    assert "the first answer again" in result.stdout


def test_each_command_has_a_request_id_of_its_own(run, peer):
    peer.answers("RollbackVersion", ROLLED_BACK, ROLLED_BACK)
    for _ in range(2):
        run("workflow", "rollback", NAME, "--reason", "r")
    assert len({request.request_id for request in peer.requests("RollbackVersion")}) == 2


def test_json_is_the_answer_with_every_field_and_nothing_else(run, peer):
    peer.answers("RollbackVersion", ROLLED_BACK)
    result = run("workflow", "rollback", NAME, "--reason", "r", "-o", "json")
    answer = json.loads(result.stdout)
    assert answer["channel"]["revision"] == "7"
    assert answer["release"]["runPolicy"] == "RUN_POLICY_PAUSE"
    assert answer["replayed"] is False
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("verb", "method", "answer", "said"),
    [
        ("mark-bad", "MarkVersionBad", MarkVersionBadResponse, "✘ version 3 is bad, in"),
        ("mark-good", "MarkVersionGood", MarkVersionGoodResponse, "✔ version 3 is good, in"),
    ],
)
def test_marking_a_version_names_it_and_says_its_state(run, peer, verb, method, answer, said):
    version = Version(number=3, state="STATE_BAD" if verb == "mark-bad" else "STATE_GOOD")
    peer.answers(method, answer(version=version, changed=True))
    result = run("workflow", verb, NAME, "3", "--reason", "line 4")
    assert said in result.stdout
    (request,) = peer.requests(method)
    assert (request.version, request.reason) == (f"workflows/{NAME}/versions/3", "line 4")
    assert request.request_id


def test_releases_are_a_table_newest_first(run, peer):
    publish = Release(revision=6, operation="OPERATION_PUBLISH", to_version=3, actor="lee")
    peer.answers("ListReleases", ListReleasesResponse(releases=[ROLLBACK, publish]))
    result = run("workflow", "releases", NAME, "--channel", "prod")
    rows = [line for line in result.stdout.splitlines() if line[:1].isdigit()]
    assert "↩ rollback" in rows[0]
    assert "3 → 2  ✘ 3" in rows[0]
    assert "+ publish" in rows[1]
    assert peer.requests("ListReleases")[0].channel == "prod"


def test_watching_releases_goes_on_from_the_last_sequence_when_the_stream_breaks(run, peer):
    def moved(revision, channel="prod"):
        release = Release(
            revision=revision,
            operation="OPERATION_PROMOTE",
            channel=channel,
            to_version=1,
            create_time=Timestamp(seconds=9),
        )
        return WatchReleasesResponse(sequence=revision, release=release)

    snapshot = WatchReleasesResponse(sequence=7, snapshot=ReleaseSnapshot(channels=[PROD]))
    broken, end = peer.refusal(grpc.StatusCode.UNAVAILABLE), peer.refusal(grpc.StatusCode.NOT_FOUND, "GONE")
    heartbeat = WatchReleasesResponse(sequence=9, heartbeat=Timestamp(seconds=1))
    peer.answers("WatchReleases", [snapshot, moved(8), heartbeat, broken], [moved(10, "canary"), moved(11), end])

    result = run("workflow", "releases", NAME, "--watch", "--channel", "prod", "-o", "json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["sequence"] for line in lines] == ["7", "8", "11"]
    first, second = peer.requests("WatchReleases")
    assert not first.HasField("from_sequence")
    assert second.from_sequence == 9
    assert result.exit_code == 3
