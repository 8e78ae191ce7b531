"""What a person sees: the command in a pseudo-terminal."""

from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import (
    GetInstanceResponse,
    ListInstancesResponse,
    WatchInstanceResponse,
)
from millwright.workflow.v1.workflow_pb2 import OutlinedTask, Version
from millwright.workflow.v1.workflow_service_pb2 import GetVersionResponse

NAME = "instances/0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"


OUTLINE = [
    OutlinedTask(pointer=f"/do/{place}/{name}", name=name, kind="set") for place, name in enumerate(("check", "pack"))
]
VERSION = GetVersionResponse(version=Version(name="workflows/a.b/versions/3", outline=OUTLINE, task_count=2))


def instance(**known):
    return Instance(name=NAME, workflow="workflows/a.b", start_time=Timestamp(seconds=2), version=3, **known)


def event(sequence, kind, **more):
    told = InstanceEvent(kind=f"KIND_{kind}", sequence=sequence, event_time=Timestamp(seconds=sequence), **more)
    return WatchInstanceResponse(sequence=sequence, event=told)


def test_a_watch_draws_the_tasks_as_a_tree_and_leaves_it_with_what_the_instance_ended_with(peer, typed):
    ended = instance(state="STATE_COMPLETED", finished_tasks=2, sequence=5, end_time=Timestamp(seconds=5))
    running = instance(state="STATE_RUNNING", finished_tasks=1, sequence=3)
    peer.answers("GetInstance", GetInstanceResponse(instance=running), GetInstanceResponse(instance=ended))
    peer.answers("GetVersion", VERSION)
    peer.answers(
        "WatchInstance",
        [
            event(1, "CREATED"),
            event(2, "STARTED", version=3),
            event(3, "TASK_COMPLETED", task="/do/0/check"),
            peer.refusal(peer.UNAVAILABLE),
        ],
        [event(4, "TASK_COMPLETED", task="/do/1/pack"), event(5, "COMPLETED")],
    )

    code, drawn = typed("instance", "watch", NAME)

    assert code == 0
    assert [request.from_sequence for request in peer.requests("WatchInstance")] == [0, 3]
    assert "running" in drawn
    assert "tasks done: 1 of 2, 50 %" in drawn
    assert "going on after event 3" in drawn
    check, pack = drawn.splitlines()[-2:]
    assert "✔ \x1b[0mcheck" in check
    assert "✔ \x1b[0mpack" in pack
    assert "tasks done: 2 of 2, 100 %" in drawn.splitlines()[-3]
    assert "unspecified" not in drawn


def test_where_the_first_events_are_not_kept_the_tree_begins_with_those_to_come(peer, typed):
    running = instance(state="STATE_RUNNING", finished_tasks=900, sequence=1000)
    ended = instance(state="STATE_FAULTED", sequence=1001, end_time=Timestamp(seconds=5))
    peer.answers("GetInstance", GetInstanceResponse(instance=running), GetInstanceResponse(instance=ended))
    peer.answers("GetVersion", VERSION)
    expired = peer.refusal(peer.OUT_OF_RANGE, "SEQUENCE_EXPIRED")
    peer.answers("WatchInstance", [expired], [event(1001, "FAULTED")])
    code, _ = typed("instance", "watch", NAME)
    assert code == 8
    assert [request.from_sequence for request in peer.requests("WatchInstance")] == [0, 1000]


def test_a_table_keeps_ids_whole_where_the_terminal_is_narrow(peer, typed):
    found = Instance(name=NAME, workflow="workflows/quality.defect-alert", state="STATE_RUNNING")
    peer.answers("ListInstances", ListInstancesResponse(instances=[found]))
    code, drawn = typed("instance", "list", "--lang", "ko")
    assert code == 0
    assert NAME.removeprefix("instances/") in drawn
    assert "워크플로" in drawn


def test_a_definition_is_coloured_and_cannot_steer_the_terminal(peer, typed):
    version = Version(name="workflows/a.b/versions/1", state="STATE_GOOD", definition="do:\n- a: '\x1b]0;owned\x07'\n")
    peer.answers("GetVersion", GetVersionResponse(version=version))
    code, drawn = typed("workflow", "show", "a.b", "1")
    assert code == 0
    assert "\x1b[" in drawn
    assert "\x1b]" not in drawn
    assert "owned" in drawn
