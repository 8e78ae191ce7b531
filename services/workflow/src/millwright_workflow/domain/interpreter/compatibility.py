"""Whether an instance can go on with another version of its workflow, and if not, how far the two agree.

Owns the comparison of a history with a plan that it was not made by. Moves no instance.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from millwright_runtime.json import Json

from millwright_workflow.domain.interpreter.effects import History
from millwright_workflow.domain.interpreter.plan import TaskPlan, WorkflowPlan
from millwright_workflow.domain.interpreter.references import ReferenceSet, read_reference

_INDEXES: Final = re.compile(r"(/(?:do|branches|try|extensions|before|after))/\d+(?=/)", re.ASCII)
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
    over = ReferenceSet()
    for reference in map(partial(read_reference, plan=source), history.results):
        if reference is not None:
            over.add(reference)
    open_tries = [text for text in history.failures if text not in history.results]
    comparison = _Comparison(source, target)
    obstacles = []
    for text in (*history.results, *open_tries, *begun):
        reference = read_reference(text, source)
        if reference is None:
            obstacles.append(Obstacle(text, Hindrance.REMOVED, None))
        elif not over.surrounds(reference) and (found := comparison.hindrance(reference.pointer)):
            obstacles.append(Obstacle(text, *found))
    return Compatibility(tuple(obstacles), _common(source, history, obstacles) if obstacles else history)


class _Comparison:
    """Two plans, task by task; each task is compared once, however often it ran."""

    def __init__(self, source: WorkflowPlan, target: WorkflowPlan) -> None:
        self._source = source
        self._target = target
        self._known: dict[str, tuple[Hindrance, str | None] | None] = {}
        self._namesakes: dict[str, list[TaskPlan]] = {}
        for task in target.tasks.values():
            self._namesakes.setdefault(_by_name(task.pointer), []).append(task)

    def hindrance(self, pointer: str) -> tuple[Hindrance, str | None] | None:
        """Give what stands against a task of the source, and where; None if nothing does."""
        if pointer not in self._known:
            self._known[pointer] = self._compare(self._source.tasks[pointer])
        return self._known[pointer]

    def _compare(self, task: TaskPlan) -> tuple[Hindrance, str | None] | None:
        same = self._target.tasks.get(task.pointer)
        if same is None or same.task_hash != task.task_hash:
            return self._departure(task)
        for around in _around(task.pointer, self._source):
            counterpart = self._target.tasks.get(around.pointer)
            if (
                counterpart is None
                or _manner(counterpart.definition) != _manner(around.definition)
                or counterpart.extensions != around.extensions
            ):
                return Hindrance.SURROUNDINGS_CHANGED, around.pointer
        return None

    def _departure(self, task: TaskPlan) -> tuple[Hindrance, str | None]:
        """Tell what became of a task that is not where it was, or not what it was."""
        namesakes = self._namesakes.get(_by_name(task.pointer), [])
        for each in namesakes:
            if each.task_hash == task.task_hash:
                return Hindrance.MOVED, each.pointer
        return (Hindrance.CHANGED, namesakes[0].pointer) if namesakes else (Hindrance.REMOVED, None)


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
    anew = ReferenceSet()
    for text in history.failures:
        reference = read_reference(text, source)
        if reference is not None and text not in history.results:
            anew.add(reference)
    kept = {}
    for text, result in history.results.items():
        if text in hindered:
            break
        reference = read_reference(text, source)
        if reference is None or not anew.surrounds(reference):
            kept[text] = result
    return History(kept)
