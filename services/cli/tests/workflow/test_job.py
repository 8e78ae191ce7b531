"""`millwright workflow job get | list | watch | cancel`."""

import json

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.release_pb2 import Channel, Release, RunJob, RunJobCounts, RunJobOutcome
from millwright.workflow.v1.release_service_pb2 import (
    CancelRunJobResponse,
    GetRunJobResponse,
    ListRunJobOutcomesResponse,
    RollbackVersionResponse,
    WatchRunJobResponse,
)

ID = "01a20993-78db-710b-bddc-74249338ad91"
NAME = f"runJobs/{ID}"


def job(state="STATE_RUNNING", **counts):
    return RunJob(
        name=NAME,
        release="workflows/quality.defect-alert/releases/7",
        run_policy="RUN_POLICY_MIGRATE_COMPATIBLE",
        state=state,
        total=10,
        counts=RunJobCounts(**counts),
        create_time=Timestamp(seconds=9),
    )


@pytest.mark.parametrize("typed", [ID, NAME])
def test_getting_says_how_far_it_is(run, peer, typed):
    peer.answers("GetRunJob", GetRunJobResponse(run_job=job(migrated=4, paused=1)))
    lines = run("workflow", "job", "get", typed).stdout.splitlines()
    assert lines[0] == f"▶ running  {ID}  ██████████░░░░░░░░░░  5 of 10  migrated 4 · paused 1"
    assert "they migrate where compatible" in lines[1]
    assert peer.requests("GetRunJob")[0].name == NAME


def test_in_korean(run, peer):
    peer.answers("GetRunJob", GetRunJobResponse(run_job=job("STATE_COMPLETED", forked=10)))
    assert "10개 중 10개  분기됨 10" in run("workflow", "job", "get", ID, "--lang", "ko").stdout


def test_a_job_of_nobody_is_whole(run, peer):
    empty = job("STATE_COMPLETED")
    empty.total = 0
    peer.answers("GetRunJob", GetRunJobResponse(run_job=empty))
    assert "████████████████████  0 of 0" in run("workflow", "job", "get", ID).stdout


def test_outcomes_are_a_table_with_the_reasons(run, peer):
    outcomes = [
        RunJobOutcome(instance="instances/a", kind="KIND_FORKED", successor="instances/b"),
        RunJobOutcome(instance="instances/c", kind="KIND_PAUSED", reason="/do/0/one CHANGED"),
    ]
    peer.answers("ListRunJobOutcomes", ListRunJobOutcomesResponse(outcomes=outcomes))
    result = run("workflow", "job", "list", ID, "--kind", "paused")
    assert [line.split()[:3] for line in result.stdout.splitlines()[2:]] == [["a", "forked", "b"], ["c", "paused", "–"]]
    assert "/do/0/one CHANGED" in result.stdout
    assert peer.requests("ListRunJobOutcomes")[0].kind == RunJobOutcome.KIND_PAUSED


def test_watching_prints_each_change_and_goes_on_after_a_break(run, peer):
    broken = peer.refusal(grpc.StatusCode.UNAVAILABLE)
    heartbeat = WatchRunJobResponse(heartbeat=Timestamp(seconds=1))
    changes = [WatchRunJobResponse(run_job=job(migrated=count)) for count in (0, 4)]
    last = WatchRunJobResponse(run_job=job("STATE_COMPLETED", migrated=10))
    peer.answers("WatchRunJob", [changes[0], heartbeat, broken], [changes[1], last])
    result = run("workflow", "job", "watch", ID, "-o", "json")
    counts = [json.loads(line)["runJob"]["counts"]["migrated"] for line in result.stdout.splitlines()]
    assert counts == ["0", "4", "10"]
    assert result.exit_code == 0


def test_watching_one_that_was_cancelled_ends_so(run, peer):
    peer.answers("WatchRunJob", [WatchRunJobResponse(run_job=job("STATE_CANCELLED", migrated=3))])
    result = run("workflow", "job", "watch", ID)
    assert result.stdout.startswith("■ cancelled")
    assert result.exit_code == 9


def test_watching_an_unknown_one_is_not_found(run, peer):
    peer.answers("WatchRunJob", [peer.refusal(grpc.StatusCode.NOT_FOUND, "RUN_JOB_NOT_FOUND")])
    assert run("workflow", "job", "watch", ID).exit_code == 3


def test_cancelling_says_what_stays_done(run, peer):
    peer.answers("CancelRunJob", CancelRunJobResponse(run_job=job("STATE_CANCELLED", migrated=3)))
    assert "3 of 10  migrated 3" in run("workflow", "job", "cancel", ID).stdout


def test_a_rollback_says_how_to_follow_its_job(run, peer):
    release = Release(revision=7, operation="OPERATION_ROLLBACK", from_version=3, to_version=2, run_job=NAME)
    channel = Channel(name="workflows/quality.defect-alert/channels/prod", version=2)
    peer.answers("RollbackVersion", RollbackVersionResponse(channel=channel, release=release, changed=True))
    options = ("--reason", "it leaks", "--policy", "migrate-compatible")
    result = run("workflow", "rollback", "quality.defect-alert", *options)
    assert f"millwright workflow job watch {ID}" in result.stdout
