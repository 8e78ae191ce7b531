"""What a person sees: the command in a pseudo-terminal."""

import os
import pty
import subprocess
import sys

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import (
    GetInstanceResponse,
    ListInstancesResponse,
    WatchInstanceResponse,
)
from millwright.workflow.v1.workflow_pb2 import Version
from millwright.workflow.v1.workflow_service_pb2 import GetVersionResponse

NAME = "instances/0f5c9d1e-7a52-4f0e-9a63-0d8d3b2f4c11"


@pytest.fixture
def typed(peer):
    """Run the command in a terminal of 100 columns and give its exit code and all that it drew."""

    def run(*args):
        ours, theirs = pty.openpty()
        env = {**os.environ, "MILLWRIGHT_WORKFLOW_ENDPOINT": peer.endpoint, "COLUMNS": "100", "TERM": "xterm-256color"}
        env |= {"LANG": "en_US.UTF-8", "LC_ALL": "C.UTF-8"}
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        process = subprocess.Popen([sys.executable, "-m", "millwright_cli", *args], env=env, **streams)
        os.close(theirs)
        drawn = b""
        try:
            while part := os.read(ours, 65_536):
                drawn += part
        except OSError:
            pass  # Linux says EIO where the other end has closed
        finally:
            os.close(ours)
        return process.wait(), drawn.decode()

    return run


def test_a_watch_draws_one_line_that_says_where_the_instance_stands_and_leaves_the_events(peer, typed):
    done = InstanceEvent(kind="KIND_TASK_COMPLETED", task="/do/0/check", version=3, event_time=Timestamp(seconds=3))
    final = InstanceEvent(kind="KIND_COMPLETED", version=3, event_time=Timestamp(seconds=4))
    running = Instance(name=NAME, version=3, state="STATE_RUNNING", start_time=Timestamp(seconds=2))
    ended = Instance(
        name=NAME,
        version=3,
        state="STATE_COMPLETED",
        finished_tasks=1,
        start_time=Timestamp(seconds=2),
        end_time=Timestamp(seconds=4),
    )
    peer.answers(
        "WatchInstance",
        [
            WatchInstanceResponse(sequence=2, snapshot=running),
            WatchInstanceResponse(sequence=3, event=done),
            peer.refusal(peer.UNAVAILABLE),
        ],
        [WatchInstanceResponse(sequence=4, event=final)],
    )
    peer.answers("GetInstance", GetInstanceResponse(instance=ended))

    code, drawn = typed("instance", "watch", NAME)

    assert code == 0
    assert "▶ running" in drawn
    assert "task done" in drawn
    assert "going on after event 3" in drawn
    assert "tasks done: 1" in drawn.splitlines()[-1]
    assert "unspecified" not in drawn


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
