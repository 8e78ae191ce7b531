"""The tree that a watch folds from events, and what it looks like."""

import io

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.workflow.v1.instance_pb2 import InstanceError, InstanceEvent
from millwright.workflow.v1.workflow_pb2 import OutlinedTask
from millwright_cli.words import Language, Words
from millwright_cli.workflow.task_tree import TaskTree
from millwright_cli.workflow.views.task_tree import task_tree
from rich.console import Console

LINE = {
    "/do/0/measure": "set",
    "/do/1/stations": "fork",
    "/do/1/stations/fork/branches/0/press": "do",
    "/do/1/stations/fork/branches/0/press/do/0/heat": "wait",
    "/do/1/stations/fork/branches/0/press/do/1/stamp": "call:http",
    "/do/1/stations/fork/branches/1/camera": "call:function",
    "/do/2/lots": "for",
    "/do/2/lots/do/0/seam": "set",
    "/do/2/lots/do/1/check": "set",
    "/do/3/send": "try",
    "/do/3/send/try/0/post": "call:http",
    "/do/3/send/catch/do/0/note": "set",
    "/do/4/choose": "switch",
    "/do/5/pack": "set",
    "/do/6/archive": "set",
}
PRESS = "/do/1/stations/fork/branches/0/press"
CAMERA = "/do/1/stations/fork/branches/1/camera"
FAULT = InstanceError(title="Refused", instance="/do/3/send/try/0/post")


class Line:
    """An instance of `LINE`: every event comes a second after the last."""

    def __init__(self, outline=LINE):
        self.tree = TaskTree(
            OutlinedTask(pointer=pointer, name=pointer.rpartition("/")[2], kind=kind)
            for pointer, kind in outline.items()
        )
        self.seconds = 0
        self.take("STARTED")

    def take(self, kind, task="", **more):
        event = InstanceEvent(kind=f"KIND_{kind}", task=task, event_time=Timestamp(seconds=self.seconds), **more)
        self.tree.take(event)
        self.seconds += 1

    def done(self, *tasks, **more):
        for task in tasks:
            self.take("TASK_COMPLETED", task, **more)

    def drawn(self, language=Language.EN):
        console = Console(file=io.StringIO(), width=90)
        console.print(task_tree(self.tree, Words(language), now_seconds=self.seconds))
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    def states(self):
        return {task.name: task.state.value for task in self.tree.root.all_inside}


@pytest.fixture
def line():
    return Line()


def test_what_follows_a_finished_task_is_under_way_and_branches_run_side_by_side(line):
    line.done("/do/0/measure")
    line.take("TASK_PROGRESS", CAMERA, percent=40)
    assert "━━━━╌╌╌╌╌╌ 40 %" in "\n".join(line.drawn())
    states = line.states()
    assert [states[name] for name in ("measure", "stations", "heat", "stamp", "camera", "lots")] == [
        "DONE",
        "RUNNING",
        "RUNNING",
        "PENDING",
        "RUNNING",
        "PENDING",
    ]


def test_a_finished_task_is_one_line_with_its_time(line):
    line.done("/do/0/measure", f"{PRESS}/do/0/heat", f"{PRESS}/do/1/stamp", PRESS, CAMERA, "/do/1/stations")
    drawn = line.drawn()
    assert drawn[1].split() == ["├─", "✔", "stations", "5.0", "s", "tasks", "inside:", "4"]
    assert "press" not in "\n".join(drawn)


def test_a_loop_is_shown_in_its_newest_round(line):
    line.done(CAMERA, "/do/1/stations")
    for number in range(3):
        line.done(f"/do/2/lots/do/0/seam@{number}", f"/do/2/lots/do/1/check@{number}")
    assert line.states()["seam"] == "RUNNING"
    assert "round 4" in "\n".join(line.drawn())
    line.done("/do/2/lots")
    assert "rounds: 3" in "\n".join(line.drawn())
    assert line.states()["send"] == "RUNNING"


def test_a_watch_that_joins_a_loop_late_finds_its_round(line):
    line.done("/do/2/lots/do/0/seam@41")
    assert "round 42" in "\n".join(line.drawn())
    assert [line.states()[name] for name in ("stations", "seam", "check")] == ["SKIPPED", "DONE", "RUNNING"]


def test_a_try_tells_its_attempt_and_why_the_last_one_failed(line):
    line.done("/do/2/lots")
    line.take("TASK_RETRIED", "/do/3/send", error=FAULT)
    (drawn,) = [each for each in line.drawn() if "send" in each]
    assert "↻ send" in drawn
    assert "attempt 2" in drawn
    assert drawn.endswith("Refused")
    line.done("/do/3/send/try/0/post@1", "/do/3/send")
    assert [line.states()[name] for name in ("post", "note", "send")] == ["DONE", "SKIPPED", "DONE"]


def test_what_handles_an_error_shows_only_once_it_does(line):
    line.done("/do/2/lots")
    assert "note" not in "\n".join(line.drawn())
    line.done("/do/3/send/catch/do/0/note@0")
    assert "note" in "\n".join(line.drawn())
    assert line.states()["post"] == "FAILED"


def test_a_jump_passes_over_what_lies_between(line):
    line.done("/do/3/send")
    line.done("/do/4/choose", then="archive")
    assert [line.states()[name] for name in ("pack", "archive")] == ["SKIPPED", "RUNNING"]


def test_a_jump_back_begins_anew_what_was_done(line):
    line.done("/do/0/measure", "/do/1/stations")
    line.done("/do/2/lots", then="measure")
    assert [line.states()[name] for name in ("measure", "stations", "lots", "send")] == [
        "RUNNING",
        "PENDING",
        "PENDING",
        "PENDING",
    ]
    line.done("/do/0/measure#1")
    assert line.states()["stations"] == "RUNNING"


def test_a_fault_marks_the_task_that_raised_it_and_what_is_around_it(line):
    line.done("/do/2/lots")
    line.take("FAULTED", error=FAULT)
    assert [line.states()[name] for name in ("post", "send", "choose")] == ["FAILED", "FAILED", "PENDING"]
    assert any("✘ post" in each and each.endswith("Refused") for each in line.drawn())
    line.take("RESUMED")
    assert [line.states()[name] for name in ("post", "send")] == ["RUNNING", "RUNNING"]


def test_a_cancelled_instance_shows_what_was_stopped(line):
    line.done("/do/0/measure")
    line.take("CANCELLED")
    assert [line.states()[name] for name in ("measure", "stations", "heat")] == ["DONE", "STOPPED", "STOPPED"]


def test_a_task_that_listens_is_waiting_until_it_has_its_events():
    line = Line({"/do/0/hear": "listen"})
    line.take("CORRELATION_STARTED", "/do/0/hear")
    assert line.states() == {"hear": "WAITING"}
    line.take("CORRELATION_COMPLETED", "/do/0/hear")
    assert line.states() == {"hear": "RUNNING"}


def test_the_end_passes_over_what_never_ran(line):
    line.done("/do/0/measure", then="end")
    line.take("COMPLETED")
    assert {state for name, state in line.states().items() if name != "measure"} == {"SKIPPED"}


def test_a_long_list_is_folded_around_what_is_under_way():
    line = Line({f"/do/{number}/t{number}": "set" for number in range(40)})
    line.done(*(f"/do/{number}/t{number}" for number in range(20)))
    drawn = [each.split()[1:] for each in line.drawn()]
    assert drawn[0] == ["…", "16", "more", "done"]
    assert [each[1] for each in drawn[1:10]] == [f"t{number}" for number in range(16, 25)]
    assert drawn[10] == ["…", "15", "more", "to", "come"]
    assert len(drawn) == 11
    assert "예정 15개 더" in "\n".join(line.drawn(Language.KO))


def test_a_name_that_ends_like_a_path_is_a_name():
    line = Line({"/do/0/lot@2": "set", "/do/1/next": "set"})
    line.done("/do/0/lot@2")
    assert line.states() == {"lot@2": "DONE", "next": "RUNNING"}


def test_tasks_that_the_outline_does_not_know_change_nothing(line):
    before = line.states()
    line.done("/undo/do/0/measure")
    assert line.states() == before
