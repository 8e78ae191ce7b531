"""What can be told of an instance's course before it runs: its tasks, and how many it will finish."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from millwright_workflow.domain.interpreter.branches import Branches
from millwright_workflow.domain.interpreter.plan import CONTINUE, TaskPlan, WorkflowPlan


@dataclass(frozen=True, slots=True)
class Outline:
    """The tasks of a workflow."""

    tasks: tuple[TaskPlan, ...]
    """In the order of the definition, a task before those inside it."""
    count: int | None
    """How many tasks a completed instance has finished; None where data decides it."""


def outline(plan: WorkflowPlan) -> Outline:
    """Give the outline of a plan."""
    children: defaultdict[str, list[TaskPlan]] = defaultdict(list)
    for task in plan.tasks.values():
        children[_parent(task.pointer, plan)].append(task)

    def inside(pointer: str) -> Iterator[TaskPlan]:
        for task in children[pointer]:
            yield task
            yield from inside(task.pointer)

    is_fixed = all(_is_certain(task, holds_tasks=bool(children[task.pointer])) for task in plan.tasks.values())
    return Outline(tuple(inside("")), len(plan.tasks) if is_fixed else None)


def _parent(pointer: str, plan: WorkflowPlan) -> str:
    """Give the pointer of the task around a task; empty for the workflow's own."""
    while pointer := pointer.rpartition("/")[0]:
        if pointer in plan.tasks:
            break
    return pointer


def _is_certain(task: TaskPlan, *, holds_tasks: bool) -> bool:
    """Tell whether a completed instance has finished this task and those right inside it, and each of them once."""
    if task.condition is not None or task.then != CONTINUE or task.kind in _UNCERTAIN:
        return False
    if task.kind == "listen" and holds_tasks:  # once an event
        return False
    return not (isinstance(task.body, Branches) and task.body.is_race)


_UNCERTAIN = frozenset({"for", "try", "switch"})
