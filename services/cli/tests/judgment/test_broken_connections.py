"""Judging a file over a connection that breaks, and in a terminal."""

import json

import grpc
from google.rpc import status_pb2
from millwright.judgment.v1.judgment_pb2 import (
    EXECUTION_VIEW_BASIC,
    EXECUTION_VIEW_FULL,
    Execution,
    Input,
    Judgment,
    Value,
)
from millwright.judgment.v1.judgment_service_pb2 import (
    BatchInput,
    JudgeBatchResponse,
    JudgeResponse,
    JudgeResult,
)
from millwright.judgment.v1.release_pb2 import Channel
from millwright.judgment.v1.release_service_pb2 import GetChannelResponse
from millwright.judgment.v1.ruleset_pb2 import Version
from millwright.judgment.v1.ruleset_service_pb2 import GetVersionResponse
from millwright_cli.judgment.judge_file import _batches
from millwright_cli.judgment.rows import Row

NAME = "quality.weld"
DOCUMENT = json.dumps({"inputs": [{"field": "rate", "type": "number"}]})
NORMAL = Judgment(status="STATUS_DECIDED", outcome="normal")


def batch(count, judgment=NORMAL):
    judged = JudgeResponse(execution=Execution(name="executions/1", judgment=judgment))
    return JudgeBatchResponse(results=[JudgeResult(judged=judged)] * count)


def rows(count):
    return "rate\n" + "0.5\n" * count


def known(peer):
    peer.answers("GetChannel", GetChannelResponse(channel=Channel(version=3)))
    peer.answers("GetVersion", GetVersionResponse(version=Version(document=DOCUMENT)))


def test_a_batch_that_is_not_answered_is_sent_again_with_the_same_keys(run, peer, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    known(peer)
    away = peer.refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    busy = peer.refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_BUSY")
    peer.answers("JudgeBatch", away, busy, batch(2))

    result = run("judge", NAME, "--file", "-", stdin=rows(2))

    assert result.exit_code == 0
    assert "2 judged, 0 refused" in result.stdout
    first, *again = peer.requests("JudgeBatch")
    assert len(again) == 2
    assert all(each == first for each in again)
    assert len({each.idempotency_key for each in first.inputs}) == 2
    assert peer.requests("GetVersion")[0].name == "rulesets/quality.weld/versions/3"


def test_a_batch_that_is_refused_says_how_to_go_on(run, peer):
    known(peer)
    peer.answers("JudgeBatch", batch(1_000), peer.refusal(grpc.StatusCode.FAILED_PRECONDITION, "VERSION_BAD"))
    result = run("judge", NAME, "--file", "-", "--run", "r-7", stdin=rows(1_500))
    assert result.exit_code == 4
    assert "--run r-7" in result.stderr
    assert "ruleset mark-good" in result.stderr


def test_rows_that_no_message_can_hold_together_go_in_several():
    text = BatchInput(input=Input(values={"note": Value(text="x" * 4_000)}))
    rows = [Row(number, text) for number in range(1, 1_001)]
    batches = list(_batches(iter(rows)))
    assert [row for batch in batches for row in batch] == rows
    assert all(sum(row.input.ByteSize() for row in batch) < 1_048_576 for batch in batches)


def test_a_message_too_large_is_not_sent_again_and_again(run, peer):
    known(peer)
    peer.answers("JudgeBatch", peer.refusal(grpc.StatusCode.RESOURCE_EXHAUSTED))
    assert run("judge", NAME, "--file", "-", stdin=rows(1)).exit_code == 7
    assert len(peer.requests("JudgeBatch")) == 1


def test_a_batch_whose_answer_would_be_too_large_goes_in_halves(run, peer):
    known(peer)
    large = peer.refusal(grpc.StatusCode.INVALID_ARGUMENT, "ANSWER_TOO_LARGE")
    peer.answers("JudgeBatch", large, batch(1), large, batch(1), batch(1))

    result = run("judge", NAME, "--file", "-", stdin=rows(3))

    assert "3 judged, 0 refused" in result.stdout
    sent = [[each.idempotency_key for each in request.inputs] for request in peer.requests("JudgeBatch")]
    whole = sent[0]
    assert sent == [whole, whole[:1], whole[1:], whole[1:2], whole[2:]]


def test_one_row_whose_answer_would_be_too_large_ends_the_run(run, peer):
    known(peer)
    peer.answers("JudgeBatch", peer.refusal(grpc.StatusCode.INVALID_ARGUMENT, "ANSWER_TOO_LARGE"))
    result = run("judge", NAME, "--file", "-", "--run", "r-7", stdin=rows(1))
    assert result.exit_code != 0
    assert "--run r-7" in result.stderr
    assert len(peer.requests("JudgeBatch")) == 1


def test_only_what_is_written_down_is_asked_for(run, peer, tmp_path):
    known(peer)
    peer.answers("JudgeBatch", batch(1), batch(1))
    run("judge", NAME, "--file", "-", stdin=rows(1))
    known(peer)
    run("judge", NAME, "--file", "-", "--results", str(tmp_path / "results.jsonl"), stdin=rows(1))
    views = [request.view for request in peer.requests("JudgeBatch")]
    assert views == [EXECUTION_VIEW_BASIC, EXECUTION_VIEW_FULL]


def test_a_version_is_read_by_its_number(run, peer):
    peer.answers("GetVersion", GetVersionResponse(version=Version(document=DOCUMENT)))
    peer.answers("JudgeBatch", batch(1))
    assert run("judge", NAME, "--version", "2", "--file", "-", stdin=rows(1)).exit_code == 0
    assert peer.requests("JudgeBatch")[0].ruleset == "rulesets/quality.weld/versions/2"


def test_a_terminal_shows_how_far_it_is_and_then_what_came_of_it(typed, peer, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(rows(2_000))
    known(peer)
    error = JudgeResult(error=status_pb2.Status(code=3, message="it is \x1b]0;owned"))
    answers = batch(1_000), JudgeBatchResponse(results=[error, *batch(999).results])
    peer.answers("JudgeBatch", *answers)
    code, drawn = typed("judge", NAME, "--file", str(file))
    assert code == 5
    assert "2,000 of 2,000" in drawn
    assert "1,999 judged, 1 refused" in drawn
    assert "row 1001" in drawn
    assert "\x1b]" not in drawn
