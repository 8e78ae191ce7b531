"""An instance's tasks as a tree, folded from its events: which is done, which runs, which was passed over.

Events tell what has finished; which task runs is concluded from the order of the definition, and set right by the next
event. A loop is shown in its newest round, a `try` in its newest attempt. It draws nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from millwright.workflow.v1.instance_pb2 import InstanceEvent
from millwright.workflow.v1.workflow_pb2 import OutlinedTask

_PATH = re.compile(r"(?:@([\d.]+))?(?:#[\d.]+)?\Z", re.ASCII)
_ROUNDED = frozenset({"for", "try", "listen"})


class TaskState(Enum):
    """Where a task stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_open(self) -> bool:
        """Whether the task is under way."""
        return self in (TaskState.RUNNING, TaskState.WAITING)


@dataclass(eq=False)
class Task:
    """A task, in the newest round of the loops around it."""

    pointer: str
    name: str
    kind: str
    parent: Task | None
    lists: dict[str, list[Task]] = field(default_factory=dict)
    """The task lists inside it, by where they stand in it."""
    state: TaskState = TaskState.PENDING
    begin_seconds: float | None = None
    end_seconds: float | None = None
    percent: float | None = None
    round: int = 0
    """Which round or attempt is under way, from 0."""
    retries: int = 0
    error: str = ""

    @property
    def inner(self) -> Iterator[Task]:
        """Give the tasks right inside it."""
        for tasks in self.lists.values():
            yield from tasks

    @property
    def all_inside(self) -> Iterator[Task]:
        """Give the tasks inside it, at any depth."""
        for task in self.inner:
            yield task
            yield from task.all_inside

    def enter(self, seconds: float) -> None:
        """Begin, with the tasks that begin with it."""
        self.state, self.begin_seconds, self.end_seconds = TaskState.RUNNING, seconds, None
        self._enter_first(seconds)

    def enter_round(self, number: int, seconds: float) -> None:
        """Begin a round or an attempt: nothing of it has been done."""
        self.round = number
        for task in self.all_inside:
            task.reset()
        self._enter_first(seconds)

    def settle(self, state: TaskState, seconds: float) -> None:
        """End; what is not done inside it never will be."""
        self.state, self.end_seconds = state, seconds
        for task in self.all_inside:
            if task.state.is_open or task.state is TaskState.PENDING:
                task.state, task.end_seconds = TaskState.SKIPPED, seconds

    def reset(self) -> None:
        """Stand as before it began."""
        self.state, self.begin_seconds, self.end_seconds = TaskState.PENDING, None, None
        self.percent, self.round, self.retries, self.error = None, 0, 0, ""

    def _enter_first(self, seconds: float) -> None:
        for place, tasks in self.lists.items():
            if place == "/fork/branches":
                for task in tasks:
                    task.enter(seconds)
            elif place in ("/do", "/try") and tasks:
                tasks[0].enter(seconds)


class TaskTree:
    """The tasks of one instance."""

    def __init__(self, outline: Iterable[OutlinedTask]) -> None:
        self.root = Task("", "", "do", None)
        self._tasks: dict[str, Task] = {}
        for each in outline:
            parent = self._around(each.pointer)
            task = self._tasks[each.pointer] = Task(each.pointer, each.name, each.kind, parent)
            place = each.pointer.removeprefix(parent.pointer).rsplit("/", 2)[0]
            parent.lists.setdefault(place, []).append(task)

    def take(self, event: InstanceEvent) -> None:
        """Take note of an event; events come in order."""
        seconds = event.event_time.ToNanoseconds() / 1e9
        match event.kind:
            case InstanceEvent.KIND_STARTED:
                self.root.enter(seconds)
            case InstanceEvent.KIND_RESUMED:
                self._resume(seconds)
            case InstanceEvent.KIND_COMPLETED:
                self.root.settle(TaskState.DONE, seconds)
            case InstanceEvent.KIND_FAULTED | InstanceEvent.KIND_CANCELLED:
                self._break_off(event, seconds)
            case _ if task := self._arrive(event.task, seconds):
                self._take_of(task, event, seconds)

    def _take_of(self, task: Task, event: InstanceEvent, seconds: float) -> None:
        match event.kind:
            case InstanceEvent.KIND_TASK_COMPLETED:
                task.percent = None
                task.settle(TaskState.DONE, seconds)
                self._go_on(task, event.then, seconds)
            case InstanceEvent.KIND_TASK_RETRIED:
                task.retries += 1
                task.error = event.error.title or event.error.detail
                task.enter_round(task.round + 1, seconds)
            case InstanceEvent.KIND_TASK_PROGRESS:
                task.state, task.percent = TaskState.RUNNING, event.percent
            case InstanceEvent.KIND_CORRELATION_STARTED:
                task.state = TaskState.WAITING
            case InstanceEvent.KIND_CORRELATION_COMPLETED:
                task.state = TaskState.RUNNING

    def _arrive(self, reference: str, seconds: float) -> Task | None:
        """Give the task of a reference, once everything around it stands as an event of it says."""
        task, rounds = self._find(reference)
        if task is None:
            return None
        around = [task]
        while (parent := around[0].parent) is not None:
            around.insert(0, parent)
        rounded = [each for each in around[:-1] if each.kind in _ROUNDED]
        numbers = dict(zip(rounded, rounds, strict=False))
        for each in around:
            if not each.state.is_open:
                each.enter(seconds)
            number = numbers.get(each)
            if number is not None and number != each.round:
                each.enter_round(number, seconds)
            _pass_over(each, seconds)
        return task

    def _go_on(self, task: Task, then: str, seconds: float) -> None:
        """Begin what follows a finished task: the next one, the one it names, or the next round of the loop."""
        parent, (place, tasks) = _list_of(task)
        if place == "/fork/branches":
            return
        index = tasks.index(task)
        if not then and index + 1 < len(tasks):
            tasks[index + 1].enter(seconds)
        elif target := next((each for each in tasks if each.name == then), None):
            for each in tasks[tasks.index(target) : index + 1]:
                each.reset()
                for inside in each.all_inside:
                    inside.reset()
            target.enter(seconds)
            _pass_over(target, seconds)
        elif then != "end" and parent.kind == "for":
            parent.enter_round(parent.round + 1, seconds)

    def _break_off(self, event: InstanceEvent, seconds: float) -> None:
        is_fault = event.kind == InstanceEvent.KIND_FAULTED
        failed = self._find(event.error.instance)[0] if is_fault else None
        for task in self.root.all_inside:
            if task.state.is_open and task is not failed:
                task.state, task.end_seconds = TaskState.STOPPED, seconds
        if failed is not None:
            failed.error = event.error.title or event.error.detail
        while failed is not None:
            failed.state, failed.end_seconds = TaskState.FAILED, seconds
            failed = failed.parent

    def _resume(self, seconds: float) -> None:
        for task in (self.root, *self.root.all_inside):
            if task.state in (TaskState.FAILED, TaskState.STOPPED):
                task.state, task.begin_seconds, task.end_seconds, task.error = TaskState.RUNNING, seconds, None, ""

    def _find(self, reference: str) -> tuple[Task | None, list[int]]:
        """Give the task that a reference names, and the rounds around it."""
        if reference in self._tasks:  # also a name that ends like a path
            return self._tasks[reference], []
        path = _PATH.search(reference)
        assert path is not None  # it may be empty
        rounds = [int(number) for number in (path[1] or "").split(".") if number]
        return self._tasks.get(reference[: path.start()]), rounds

    def _around(self, pointer: str) -> Task:
        while pointer := pointer.rpartition("/")[0]:
            if pointer in self._tasks:
                return self._tasks[pointer]
        return self.root


def _list_of(task: Task) -> tuple[Task, tuple[str, list[Task]]]:
    parent = task.parent
    assert parent is not None  # the root is in no list
    return parent, next((place, tasks) for place, tasks in parent.lists.items() if task in tasks)


def _pass_over(task: Task, seconds: float) -> None:
    """Settle what stands before a task that has begun: nothing told of it, so it was passed over.

    Before the tasks that handle an error stands what was tried: there, what was under way has failed.
    """
    if task.parent is None:
        return
    parent, (place, tasks) = _list_of(task)
    if place == "/fork/branches":
        return
    if place == "/catch/do":
        for tried in parent.lists.get("/try", ()):
            if tried.state.is_open:
                tried.settle(TaskState.FAILED, seconds)
            elif tried.state is TaskState.PENDING:
                tried.settle(TaskState.SKIPPED, seconds)
    for before in tasks[: tasks.index(task)]:
        if before.state.is_open or before.state is TaskState.PENDING:
            before.settle(TaskState.SKIPPED, seconds)
