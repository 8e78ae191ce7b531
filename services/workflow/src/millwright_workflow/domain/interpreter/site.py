"""Where a task is being prepared: what its kind's module needs to prepare what is particular to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from millwright_workflow.domain.definition import Task, TaskList, Use
from millwright_workflow.domain.definition.pointers import token
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.plan import ListPlan, TaskPlan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a definition: its pointer, and what stands there as the author wrote it."""

    pointer: str
    written: Any
    use: Use
    plan_task: Callable[[Site, str, Task], TaskPlan]

    def plan_list(self, inner: str, tasks: TaskList) -> ListPlan:
        """Prepare a task list at the pointer `inner`, relative to this place."""
        if not tasks:
            return ListPlan((), {})
        written = self.written
        for key in inner.strip("/").split("/"):
            written = written[key]
        plans = []
        positions: dict[str, int] = {}
        for index, entry in enumerate(tasks):
            pointer = f"{self.pointer}{inner}/{index}/{token(entry.name)}"
            site = Site(pointer, written[index][entry.name], self.use, self.plan_task)
            plans.append(self.plan_task(site, entry.name, entry.task))
            positions.setdefault(entry.name, index)
        return ListPlan(tuple(plans), positions)

    def resolve(self, written: str | T, reusable: Mapping[str, T]) -> T:
        """Give what is written here, or what its name stands for. Throws a configuration fault for an unknown name."""
        if not isinstance(written, str):
            return written
        if written not in reusable:
            raise errors.configuration(self.pointer, f"Nothing under `use` is called {written!r}.")
        return reusable[written]
