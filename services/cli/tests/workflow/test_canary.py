"""`millwright workflow canary start | step | abort | show`."""

import json

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.release_pb2 import Canary, CanaryStep, Channel, Gate, GateResult, Release
from millwright.workflow.v1.release_service_pb2 import (
    AbortCanaryResponse,
    GetChannelResponse,
    ListReleasesResponse,
    StartCanaryResponse,
    StepCanaryResponse,
)

NAME = "quality.defect-alert"
PROD = f"workflows/{NAME}/channels/prod"
STEPS = [CanaryStep(weight_bp=1000), CanaryStep(weight_bp=10_000)]
RESULTS = [
    GateResult(
        gate=Gate(min_success_rate=0.99),
        verdict="VERDICT_PASS",
        value=0.995,
        canary_instances=40,
        measure_time=Timestamp(seconds=9),
    ),
    GateResult(
        gate=Gate(max_p95_duration=Duration(seconds=2)),
        verdict="VERDICT_INCONCLUSIVE",
        canary_instances=4,
        measure_time=Timestamp(seconds=9),
    ),
    GateResult(
        gate=Gate(max_p95_ratio=1.5),
        verdict="VERDICT_FAIL",
        value=2.25,
        canary_instances=40,
        stable_instances=360,
        measure_time=Timestamp(seconds=9),
    ),
]


def tried(step=0, state="STATE_RUNNING", results=()):
    canary = Canary(
        version=3, steps=STEPS, step=step, weight_bp=STEPS[step].weight_bp, state=state, gates=results, revision=8
    )
    return Channel(name=PROD, version=2, revision=8 + step, canary=canary)


STARTED = Release(
    revision=8,
    operation="OPERATION_CANARY_START",
    channel="prod",
    from_version=2,
    to_version=2,
    canary_version=3,
    canary_weight_bp=1000,
)
PLAIN = Channel(name=PROD, version=2, revision=9)


def test_starting_sends_the_steps_with_their_gates_and_says_who_takes_what(run, peer):
    peer.answers("StartCanary", StartCanaryResponse(channel=tried(), release=STARTED))
    options = "--step 10%/30m --step 50% --step 100%/1h --min-instances 50 --min-success-rate 99.5% --max-p95 2s"
    more = "--max-success-rate-drop 2% --max-p95-ratio 1.5 --promote-at-end --reason trial --expected-revision 7"

    result = run("workflow", "canary", "start", NAME, "3", *options.split(), *more.split())

    assert result.stdout.startswith("◔ prod: 10 % begin on version 3, the others on 2, revision 8, in ")
    (request,) = peer.requests("StartCanary")
    assert (request.channel, request.version, request.promote_at_end) == (PROD, 3, True)
    assert (request.reason, request.expected_revision) == ("trial", 7)
    assert [step.weight_bp for step in request.steps] == [1000, 5000, 10_000]
    assert [step.min_duration.seconds for step in request.steps] == [1800, 0, 3600]
    assert {step.min_instances for step in request.steps} == {50}
    rate, drop = Gate(min_success_rate=0.995), Gate(max_success_rate_drop=0.02)
    p95, ratio = Gate(max_p95_duration=Duration(seconds=2)), Gate(max_p95_ratio=1.5)
    assert [list(step.gates) for step in request.steps] == [[rate, drop, p95, ratio]] * 2 + [[rate, p95]]


@pytest.mark.parametrize("step", ["10", "x%", "10%/x", "1000.5%", ""])
def test_a_step_that_cannot_be_read_is_wrong_usage(run, peer, step):
    result = run("workflow", "canary", "start", NAME, "3", "--step", step)
    assert result.exit_code == 2
    assert not peer.calls


def test_a_dry_run_says_so(run, peer):
    peer.answers("StartCanary", StartCanaryResponse(channel=tried(), release=STARTED))
    result = run("workflow", "canary", "start", NAME, "3", "--step", "10%", "--dry-run", "--watch")
    assert "dry run" in result.stdout
    assert peer.requests("StartCanary")[0].validate_only


def test_stepping_says_the_new_share(run, peer):
    release = Release(revision=9, operation="OPERATION_CANARY_STEP")
    peer.answers("StepCanary", StepCanaryResponse(channel=tried(1), release=release))
    result = run("workflow", "canary", "step", NAME, "--reason", "enough")
    assert result.stdout.startswith("◑ prod: 100 % begin on version 3")
    assert peer.requests("StepCanary")[0].reason == "enough"


def test_stepping_past_the_end_says_the_promotion(run, peer):
    release = Release(revision=9, operation="OPERATION_PROMOTE", from_version=2, to_version=3)
    peer.answers("StepCanary", StepCanaryResponse(channel=PLAIN, release=release))
    assert run("workflow", "canary", "step", NAME).stdout.startswith("↑ prod: 2 → 3, revision 9, in ")


def test_aborting_says_what_is_left_and_marked(run, peer):
    release = Release(revision=9, operation="OPERATION_CANARY_ABORT", from_version=3, to_version=2, marked_bad=True)
    peer.answers("AbortCanary", AbortCanaryResponse(channel=PLAIN, release=release))
    result = run("workflow", "canary", "abort", NAME, "--reason", "it smokes", "--mark-bad")
    assert "version 3 is taken back, all begin on 2" in result.stdout
    assert "✘ version 3 is marked bad" in result.stdout
    assert peer.requests("AbortCanary")[0].mark_bad


def test_aborting_needs_a_reason(run, peer):
    assert run("workflow", "canary", "abort", NAME).exit_code == 2
    assert not peer.calls


def test_showing_draws_the_steps_and_what_each_gate_says(run, peer):
    peer.answers("GetChannel", GetChannelResponse(channel=tried(state="STATE_HELD", results=RESULTS)))
    lines = run("workflow", "canary", "show", NAME).stdout.splitlines()
    assert lines[0] == "‖ held  prod: version 3 on 10 %, step 1 of 2  ✔?✘"
    assert lines[2] == "  ██░░░░░░░░░░░░░░░░░░  10 % → 100 %"
    assert lines[3].startswith("  ✔ pass  success rate at least 99 %: 99.5 %  40 on the canary")
    assert lines[4].startswith("  ? inconclusive  95 of 100 within 2.0 s")
    assert "within × 1.50 of the stable version's time: × 2.25" in lines[5]
    assert "360 on the stable version" in lines[5]


def test_showing_in_korean(run, peer):
    peer.answers("GetChannel", GetChannelResponse(channel=tried(results=RESULTS)))
    lines = run("workflow", "canary", "show", NAME, "--lang", "ko").stdout.splitlines()
    assert lines[0].startswith("▶ 실행 중  prod: 버전 3 10 %, 2단계 중 1단계")
    assert "✔ 통과  성공률 99 % 이상" in lines[3]


def test_showing_where_there_is_none(run, peer):
    peer.answers("GetChannel", GetChannelResponse(channel=PLAIN))
    assert run("workflow", "canary", "show", NAME).stdout == "= prod has no canary\n"


ENDS = [("OPERATION_PROMOTE", 0), ("OPERATION_ROLLBACK", 8), ("OPERATION_CANARY_ABORT", 9)]


@pytest.mark.parametrize(("operation", "exit_code"), ENDS)
def test_watching_prints_each_change_and_ends_as_the_canary_does(run, peer, monkeypatch, operation, exit_code):
    monkeypatch.setattr("millwright_cli.workflow.canary._LOOK_SECONDS", 0)
    looks = [tried(), tried(), tried(results=RESULTS[:1]), tried(1), PLAIN]
    peer.answers("GetChannel", *(GetChannelResponse(channel=look) for look in looks))
    later = Release(revision=12, operation="OPERATION_PROMOTE", channel="prod", from_version=2, to_version=5)
    ending = Release(revision=10, operation=operation, channel="prod", from_version=3, to_version=2, actor="millwright")
    peer.answers("ListReleases", ListReleasesResponse(releases=[later, ending, STARTED]))

    result = run("workflow", "canary", "show", NAME, "--watch")

    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert "step 2 of 2" in lines[2]
    assert "  10  " in lines[3]
    assert lines[3].endswith("millwright")
    assert result.exit_code == exit_code


def test_watching_as_json_is_a_line_for_each_change(run, peer, monkeypatch):
    monkeypatch.setattr("millwright_cli.workflow.canary._LOOK_SECONDS", 0)
    peer.answers("GetChannel", *(GetChannelResponse(channel=look) for look in (tried(), tried(1), PLAIN)))
    ending = Release(revision=10, operation="OPERATION_PROMOTE", channel="prod", from_version=2, to_version=3)
    peer.answers("ListReleases", ListReleasesResponse(releases=[ending, STARTED]))
    result = run("workflow", "canary", "show", NAME, "--watch", "-o", "json")
    *looks, end = [json.loads(line) for line in result.stdout.splitlines()]
    assert [look["channel"]["canary"]["step"] for look in looks] == [0, 1]
    assert end["operation"] == "OPERATION_PROMOTE"


def test_a_refusal_comes_with_a_hint(run, peer):
    peer.answers("StepCanary", peer.refusal(grpc.StatusCode.FAILED_PRECONDITION, "NO_CANARY"))
    result = run("workflow", "canary", "step", NAME)
    assert result.exit_code == 4
    assert "canary start" in result.stderr
