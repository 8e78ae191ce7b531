"""`millwright instance`: starting, listing, following to the end."""

import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.instance_pb2 import Instance, InstanceError, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import (
    CancelInstanceResponse,
    GetInstanceResponse,
    ListInstancesResponse,
    ResumeInstanceResponse,
    StartInstanceResponse,
    WatchInstanceResponse,
)

ID = "0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"
NAME = f"instances/{ID}"
ACCEPTED = Instance(
    name=NAME, workflow="workflows/quality.defect-alert", channel="prod", state="STATE_PENDING", sequence=1
)
BROKEN = InstanceError(
    type="https://serverlessworkflow.io/spec/1.0.0/errors/communication",
    status=503,
    title="Communication error",
    detail="connection refused",
    instance="/do/1/notify",
)


def event(sequence, kind, **fields):
    happened = InstanceEvent(
        instance=NAME, sequence=sequence, kind=f"KIND_{kind}", event_time=Timestamp(seconds=sequence), **fields
    )
    return WatchInstanceResponse(sequence=sequence, event=happened)


def ended(state, **fields):
    return GetInstanceResponse(
        instance=Instance(
            name=NAME,
            state=f"STATE_{state}",
            version=3,
            finished_tasks=1,
            start_time=Timestamp(seconds=2),
            end_time=Timestamp(seconds=4),
            **fields,
        )
    )


COURSE = [event(2, "STARTED", version=3), event(3, "TASK_COMPLETED", version=3, task="/do/0/check")]


@pytest.fixture
def started(peer):
    peer.answers("StartInstance", StartInstanceResponse(instance=ACCEPTED))
    return peer


def test_starting_says_the_id_and_how_to_follow_it(run, started):
    result = run("instance", "start", "quality.defect-alert")
    assert f"{ID} accepted for quality.defect-alert, channel prod, in" in result.stdout
    assert f"millwright instance watch {ID}" in result.stdout
    (request,) = started.requests("StartInstance")
    assert (request.workflow, request.channel, request.version) == ("workflows/quality.defect-alert", "", 0)
    assert request.request_id
    assert not request.HasField("input")


@pytest.mark.parametrize("way", ["as it is", "from a file", "from standard input"])
def test_the_input_is_any_json(run, started, tmp_path, way):
    text = '{"lot": "4711", "열": [1, 2.5, null, true]}'
    (tmp_path / "input.json").write_text(text)
    given = {"as it is": text, "from a file": "@input.json", "from standard input": "-"}[way]
    assert run("instance", "start", "a.b", "--input", given, "--id", ID, stdin=text).exit_code == 0
    (request,) = started.requests("StartInstance")
    assert MessageToDict(request.input) == json.loads(text)
    assert request.instance_id == ID


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"lot": }', "line 1, column 9"),
        ("{'lot': 1}", "The input is no JSON"),
        ("", "The input is no JSON"),
        ("NaN", "NaN is not JSON"),
        ("1e999", "cannot be sent"),
        ("[" * 5_000 + "]" * 5_000, "cannot be sent"),
        ("[" * 200_000, "nested too deeply"),
        ("@absent.json", "absent.json cannot be read"),
        ('{"order": 9007199254740993}', "9007199254740993 in the input would be rounded"),
        ("9" * 5_000, "would be rounded"),
    ],
)
def test_input_that_is_no_json_or_would_change_on_the_way_is_a_usage_error(run, peer, text, said):
    result = run("instance", "start", "a.b", "--input", text)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not peer.calls


def test_an_instance_starts_on_a_channel_or_on_a_version_but_not_on_both(run, started):
    assert run("instance", "start", "a.b", "--channel", "prod", "--version", "2").exit_code == 2
    assert run("instance", "start", "a.b", "--version", "2").exit_code == 0
    assert [request.version for request in started.requests("StartInstance")] == [2]


def test_an_instance_shows_all_that_is_known_of_it(run, peer):
    peer.answers("GetInstance", ended("FAULTED", input=Value(number_value=3), error=BROKEN, workflow="workflows/a.b"))
    result = run("instance", "get", ID)
    assert peer.requests("GetInstance")[0].name == NAME
    for said in (ID, "a.b", "✘ faulted", "2.0 s", "Communication error: connection refused", "/do/1/notify"):
        assert said in result.stdout


def test_instances_are_filtered_by_what_the_service_knows(run, peer):
    peer.answers("ListInstances", ListInstancesResponse(instances=[ACCEPTED]))
    filters = "--workflow a.b --version 2 --state running --state paused --since 2h --limit 700"
    result = run("instance", "list", *filters.split())
    (request,) = peer.requests("ListInstances")
    assert (request.workflow, request.version, list(request.states), request.page_size) == (
        "workflows/a.b",
        2,
        [2, 3],
        500,
    )
    since = request.created_after.ToDatetime(tzinfo=UTC)
    assert abs(datetime.now(UTC) - timedelta(hours=2) - since) < timedelta(minutes=1)
    assert "○ pending" in result.stdout
    assert ID in result.stdout


def test_since_may_be_an_instant(run, peer):
    peer.answers("ListInstances", ListInstancesResponse())
    run("instance", "list", "--since", "2026-07-01T08:00+09:00")
    assert peer.requests("ListInstances")[0].created_after.ToJsonString() == "2026-06-30T23:00:00Z"


@pytest.mark.parametrize("args", [("--since", "soon"), ("--version", "2"), ("--limit", "0"), ("--state", "lost")])
def test_a_filter_that_makes_no_sense_is_a_usage_error(run, peer, args):
    assert run("instance", "list", *args).exit_code == 2
    assert not peer.calls


@pytest.mark.parametrize(
    ("state", "code", "glyph"), [("COMPLETED", 0, "✔"), ("FAULTED", 8, "✘"), ("CANCELLED", 9, "■")]
)
def test_a_watch_ends_with_the_instance_and_its_exit_code(run, peer, state, code, glyph):
    snapshot = WatchInstanceResponse(sequence=1, snapshot=ACCEPTED)
    peer.answers("WatchInstance", [snapshot, *COURSE, event(4, state)])
    peer.answers("GetInstance", ended(state, output=Value(string_value="판정 완료")))

    result = run("instance", "watch", ID)

    assert result.exit_code == code
    lines = result.stdout.splitlines()
    assert lines[0].startswith("○ pending")
    assert lines[1].endswith("▶ started on version 3")
    assert lines[2].endswith("· task done  /do/0/check")
    assert lines[3].endswith(f"{glyph} {state.lower()}")
    assert lines[4].startswith(f"{glyph} {state.lower()}  ·  version 3  ·  tasks done: 1  ·  2.0 s")
    assert "판정 완료" in lines[5]


def test_a_broken_watch_goes_on_from_its_last_sequence_without_gap_or_repeat(run, peer):
    snapshot = WatchInstanceResponse(sequence=1, snapshot=ACCEPTED)
    broken = peer.refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    peer.answers("WatchInstance", broken, [snapshot, COURSE[0], broken], [COURSE[1], event(4, "COMPLETED")])

    result = run("instance", "watch", ID, "-o", "json")

    assert result.exit_code == 0
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == ["1", "2", "3", "4"]
    requests = peer.requests("WatchInstance")
    assert [request.HasField("from_sequence") for request in requests] == [False, False, True]
    assert requests[2].from_sequence == 2
    assert result.stderr == ""


def test_a_person_is_told_that_the_watch_was_broken(run, peer):
    peer.answers("WatchInstance", [COURSE[0], peer.refusal(grpc.StatusCode.UNAVAILABLE)], [event(4, "COMPLETED")])
    peer.answers("GetInstance", ended("COMPLETED"))
    result = run("instance", "watch", ID)
    assert "connection lost, going on after event 2" in result.stderr


def test_a_watch_that_was_refused_is_not_tried_again(run, peer):
    peer.answers("WatchInstance", peer.refusal(grpc.StatusCode.NOT_FOUND, "INSTANCE_NOT_FOUND"))
    result = run("instance", "watch", ID)
    assert result.exit_code == 3
    assert "millwright instance list" in result.stderr
    assert len(peer.requests("WatchInstance")) == 1


def test_a_watch_of_an_instance_that_has_ended_ends_at_once(run, peer):
    peer.answers("WatchInstance", [WatchInstanceResponse(sequence=9, snapshot=ended("FAULTED").instance)])
    assert run("instance", "watch", ID, "-o", "json").exit_code == 8
    assert len(peer.requests("WatchInstance")) == 1


def test_starting_with_watch_goes_on_from_what_the_answer_told(run, started):
    started.answers("WatchInstance", [*COURSE, event(4, "FAULTED", error=BROKEN)])
    started.answers("GetInstance", ended("FAULTED", error=BROKEN))
    result = run("instance", "start", "quality.defect-alert", "--watch")
    assert result.exit_code == 8
    assert started.requests("WatchInstance")[0].from_sequence == 1
    assert "(communication 503)" in result.stdout


def test_starting_with_watch_gives_the_accepted_instance_as_the_first_line_of_json(run, started):
    started.answers("WatchInstance", [*COURSE, event(4, "COMPLETED")])
    result = run("instance", "start", "quality.defect-alert", "--watch", "-o", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["sequence"] for line in lines] == ["1", "2", "3", "4"]
    assert lines[0]["snapshot"]["name"] == NAME


def test_cancelling_says_whether_it_has_happened_yet(run, peer):
    running = Instance(name=NAME, state="STATE_RUNNING", cancel_requested=True)
    peer.answers("CancelInstance", CancelInstanceResponse(instance=running))
    peer.answers("CancelInstance", CancelInstanceResponse(instance=Instance(name=NAME, state="STATE_CANCELLED")))
    assert run("instance", "cancel", NAME, "--reason", "wrong lot").stdout == f"□ {ID} is being cancelled\n"
    assert run("instance", "cancel", NAME).stdout == f"■ {ID} is cancelled\n"
    assert peer.requests("CancelInstance")[0].reason == "wrong lot"


UNDOING = {"state": "STATE_STOPPED", "undone": ["/do/1/drill@2", "/do/0/clamp"], "cause": {"detail": "wrong lot"}}


def test_cancelling_with_compensation_says_that_what_was_done_is_being_undone(run, peer):
    asked = Instance(name=NAME, state="STATE_RUNNING", compensation={"state": "STATE_REQUESTED"})
    undoing = Instance(name=NAME, state="STATE_COMPENSATING", compensation={"state": "STATE_RUNNING"})
    undone = Instance(name=NAME, state="STATE_CANCELLED", compensation={"state": "STATE_COMPLETED"})
    for found in (asked, undoing, undone):
        peer.answers("CancelInstance", CancelInstanceResponse(instance=found))
    for _ in (asked, undoing):
        assert run("instance", "cancel", NAME, "--compensate").stdout == f"↩ what {ID} did is being undone\n"
    assert run("instance", "cancel", NAME, "--compensate").stdout == f"■ {ID} is cancelled\n"
    assert peer.requests("CancelInstance")[0].compensate


def test_an_instance_tells_what_is_undone_for_what_and_how_to_go_on(run, peer):
    found = Instance(name=NAME, state="STATE_FAULTED", compensation=UNDOING, error=BROKEN)
    peer.answers("GetInstance", GetInstanceResponse(instance=found))
    shown = run("instance", "get", NAME).stdout
    assert "/do/1/drill@2" in shown
    assert "/do/0/clamp" in shown
    assert "wrong lot" in shown
    assert "millwright instance retry" in shown


def test_a_watch_tells_of_undos_by_the_tasks_that_they_undo(run, peer):
    peer.answers(
        "WatchInstance",
        [
            *COURSE,
            event(4, "COMPENSATION_STARTED", error=BROKEN),
            event(5, "TASK_COMPLETED", task="/do/1/drill/metadata/undo/do/0/turn@2"),
            event(6, "TASK_COMPLETED", task="/do/1/drill/metadata/undo@2#0.1"),
            event(7, "FAULTED", error=BROKEN),
        ],
    )
    peer.answers("GetInstance", ended("FAULTED", error=BROKEN))
    lines = run("instance", "watch", NAME).stdout.splitlines()
    assert any("what it did is being undone" in line for line in lines)
    assert any("task undone  /do/1/drill@2#0.1" in line for line in lines)
    assert any("task done  /do/1/drill/metadata/undo/do/0/turn@2" in line for line in lines)


def test_resuming_is_never_repeated_by_itself_since_nothing_tells_it_from_a_second_one(run, peer):
    peer.answers("ResumeInstance", peer.refusal(grpc.StatusCode.UNAVAILABLE))
    assert run("instance", "resume", ID).exit_code == 7
    peer.answers("ResumeInstance", ResumeInstanceResponse(instance=Instance(name=NAME, state="STATE_RUNNING")))
    assert run("instance", "resume", ID).stdout == f"▶ {ID} goes on\n"
    assert len(peer.requests("ResumeInstance")) == 2
