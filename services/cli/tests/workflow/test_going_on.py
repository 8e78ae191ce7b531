"""`millwright instance pause | retry | fork | checkpoints`: how instances stop and go on."""

import json
import uuid

import grpc
from millwright.workflow.v1.checkpoint_pb2 import Checkpoint
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import (
    ForkInstanceResponse,
    ListCheckpointsResponse,
    PauseInstanceResponse,
    RetryInstanceResponse,
)

ID = "0193a7b2-0000-7000-8000-000000000001"
NAME = f"instances/{ID}"


def test_pausing_sends_the_reason_and_says_when_it_takes_hold(run, peer):
    peer.answers("PauseInstance", PauseInstanceResponse(instance=Instance(name=NAME, state="STATE_RUNNING")))
    result = run("instance", "pause", ID, "--reason", "cleaning")
    assert result.stdout == f"‖ {ID} pauses before its next task\n"
    assert peer.requests("PauseInstance")[0].reason == "cleaning"


def test_retrying_says_that_it_goes_on(run, peer):
    peer.answers("RetryInstance", RetryInstanceResponse(instance=Instance(name=NAME, state="STATE_RUNNING")))
    assert run("instance", "retry", ID).stdout == f"▶ {ID} goes on at the task that failed\n"


def test_a_fork_is_sent_with_a_request_id_and_what_was_asked(run, peer):
    peer.answers("ForkInstance", ForkInstanceResponse(instance=Instance(name=NAME), adopted_tasks=4))
    result = run("instance", "fork", ID, "--version", "2", "--from", "7")
    request = peer.requests("ForkInstance")[0]
    assert (request.version, request.from_checkpoint) == (2, 7)
    assert uuid.UUID(request.request_id)
    assert "goes on with 4 finished tasks" in result.stdout


def test_a_fork_that_does_not_fit_says_what_to_do(run, peer):
    peer.answers("ForkInstance", peer.refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_COMPATIBLE"))
    result = run("instance", "fork", ID)
    assert result.exit_code == 4
    assert "--from" in result.stderr


def test_checkpoints_are_a_table_or_json(run, peer):
    kept = [Checkpoint(instance=NAME, sequence=3, task="/do/1/b", size_bytes=12)]
    peer.answers("ListCheckpoints", ListCheckpointsResponse(checkpoints=kept))
    assert "/do/1/b" in run("instance", "checkpoints", ID).stdout
    peer.answers("ListCheckpoints", ListCheckpointsResponse(checkpoints=kept))
    answer = json.loads(run("-o", "json", "instance", "checkpoints", ID).stdout)
    assert answer["checkpoints"][0]["task"] == "/do/1/b"
