"""Whether an instance can go on with another version of its workflow, and if not, how far the two agree.

Owns the comparison of a history with a plan that it was not made by. Moves no instance.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from millwright_workflow.domain.interpreter.effects import History, TaskReference
from millwright_workflow.domain.interpreter.plan import TaskPlan, WorkflowPlan
from millwright_workflow.domain.interpreter.references import is_inside, read_reference
from millwright_workflow.domain.json import Json

_INDEXES: Final = re.compile(r"(/(?:do|branches|try))/\d+(?=/)", re.ASCII)
_APPLIED_AT_THE_END: Final = frozenset({"output", "export", "then", "timeout", "metadata"})
_LISTS: Final = frozenset({"do", "try", "catch", "branches"})


class Hindrance(StrEnum):
    """Why the target cannot take over what an instance has done."""

    CHANGED = "CHANGED"
    """The task stands where it stood, or elsewhere in its list, and is another."""
    MOVED = "MOVED"
    """The task is the same and stands elsewhere in its list: something was put in, taken out or exchanged before it."""
    REMOVED = "REMOVED"
    """The target has no such task."""
    SURROUNDINGS_CHANGED = "SURROUNDINGS_CHANGED"
    """A task around it is not over and goes about it differently: other items, another condition, another input."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why an instance cannot go on with the target as it is."""

    reference: str
    """Of the task that has finished, failed an attempt or begun."""
    hindrance: Hindrance
    pointer: str | None
    """Where the target has the task, or the task around it that changed; None if it has none."""


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What came of a comparison."""

    obstacles: tuple[Obstacle, ...]
    """In the order of the history."""
    common: History
    """What a new instance of the target may begin with: the longest beginning of the history that has no obstacle.

    A `try` that is not over begins anew there, unless there is no obstacle at all.
    """

    @property
    def is_compatible(self) -> bool:
        """Whether the instance can go on with the target just as it is."""
        return not self.obstacles


def compare(source: WorkflowPlan, target: WorkflowPlan, history: History, begun: Collection[str] = ()) -> Compatibility:
    """Hold what an instance has done under `source` against `target`.

    It can go on if each task that counts stands in the target with the same pointer and the same hash, and no task
    around it that is not over has changed but in the tasks it holds and in what is applied when it finishes. Those
    count that have finished, unless something around them has too; each `try` that has failed an attempt and is not
    over; and the tasks in `begun`, by reference: those that wait for something that is kept outside of the history (a
    timer, a subscription, a child, a person). A task that moved is an obstacle: its result is kept by pointer, and
    what was put in before it has not been done.
    """
    done = [(text, read_reference(text, source)) for text in history.results]
    finished = [reference for _, reference in done if reference]
    counting = [(text, reference) for text, reference in done if not _is_over(reference, finished)]
    open_tries = [(text, read_reference(text, source)) for text in history.failures if text not in history.results]
    others = [(text, read_reference(text, source)) for text in begun]
    unfinished = [(text, reference) for text, reference in open_tries + others if not _is_over(reference, finished)]
    obstacles = []
    for text, reference in counting + unfinished:
        if obstacle := _obstacle(text, reference, source, target):
            obstacles.append(obstacle)
    if not obstacles:
        return Compatibility((), history)
    return Compatibility(tuple(obstacles), _common(source, history, obstacles))


def _is_over(reference: TaskReference | None, finished: list[TaskReference]) -> bool:
    return reference is not None and any(is_inside(reference, outer) for outer in finished)


def _obstacle(
    text: str, reference: TaskReference | None, source: WorkflowPlan, target: WorkflowPlan
) -> Obstacle | None:
    if reference is None:
        return Obstacle(text, Hindrance.REMOVED, None)
    task = source.tasks[reference.pointer]
    same = target.tasks.get(task.pointer)
    if same is None or same.task_hash != task.task_hash:
        return _departure(text, task, target)
    for around in _around(task.pointer, source):
        counterpart = target.tasks.get(around.pointer)
        if counterpart is None or _manner(counterpart.definition) != _manner(around.definition):
            return Obstacle(text, Hindrance.SURROUNDINGS_CHANGED, around.pointer)
    return None


def _departure(text: str, task: TaskPlan, target: WorkflowPlan) -> Obstacle:
    """Tell what became of a task that is not where it was, or not what it was."""
    namesakes = [each for each in target.tasks.values() if _by_name(each.pointer) == _by_name(task.pointer)]
    for each in namesakes:
        if each.task_hash == task.task_hash:
            return Obstacle(text, Hindrance.MOVED, each.pointer)
    if namesakes:
        return Obstacle(text, Hindrance.CHANGED, namesakes[0].pointer)
    return Obstacle(text, Hindrance.REMOVED, None)


def _around(pointer: str, plan: WorkflowPlan) -> Iterator[TaskPlan]:
    while pointer:
        pointer = pointer.rpartition("/")[0]
        if pointer in plan.tasks:
            yield plan.tasks[pointer]


def _manner(definition: Json) -> Json:
    """Give how a task goes about the tasks that it holds: all of it but them and what is applied when it finishes."""
    if not isinstance(definition, dict):
        return definition
    kept = {key: value for key, value in definition.items() if key not in _APPLIED_AT_THE_END}
    return {
        key: {name: part for name, part in value.items() if name not in _LISTS} if isinstance(value, dict) else value
        for key, value in kept.items()
        if key not in _LISTS
    }


def _by_name(pointer: str) -> str:
    """Give a pointer without the places in lists: names lead to the same task wherever it stands in its list."""
    return _INDEXES.sub(r"\1", pointer)


def _common(source: WorkflowPlan, history: History, obstacles: list[Obstacle]) -> History:
    hindered = {obstacle.reference for obstacle in obstacles}
    failed = [read_reference(text, source) for text in history.failures if text not in history.results]
    kept = {}
    for text, result in history.results.items():
        if text in hindered:
            break
        reference = read_reference(text, source)
        if reference is None or not any(outer and is_inside(reference, outer) for outer in failed):
            kept[text] = result
    return History(kept)
