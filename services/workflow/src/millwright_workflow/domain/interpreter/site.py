"""Where a task is being prepared: what its kind's module needs to prepare what is particular to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """What walks know the place by. Of a function's task, where the function is used."""
    origin: str
    """Where it is written."""
    written: Any
    library: Mapping[str, Any]
    """`use.functions`, as the author wrote it."""
    extensions: Sequence[Any]
    """`use.extensions`, as the author wrote it."""
    use: Use
    plan_task: Callable[[Site, str, Task], TaskPlan]
    callers: tuple[str, ...] = ()
    """The functions that this place is inside of, outermost first."""
    depth: int = 0
    """How many task lists are around this place, those around the callers of its function included."""
    is_undo: bool = False
    """Whether this place is inside the undo of a task, where nothing has an undo of its own."""
    is_extension: bool = False
    """Whether this place is inside an extension, where nothing is extended."""

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
            step = f"{inner}/{index}/{token(entry.name)}"
            site = replace(
                self,
                pointer=self.pointer + step,
                origin=self.origin + step,
                written=written[index][entry.name],
                depth=self.depth + 1,
            )
            plans.append(self.plan_task(site, entry.name, entry.task))
            positions.setdefault(entry.name, index)
        return ListPlan(tuple(plans), positions)

    def plan_function(self, inner: str, name: str, *, is_undo: bool = False) -> TaskPlan:
        """Prepare the function `name` for its use at the pointer `inner`, relative to this place.

        Each use of a function is a task of its own to the history. Throws a configuration fault for an unknown name
        and for a function that comes to use itself.
        """
        task = self.resolve_name(name, self.use.functions)
        if name in self.callers:
            raise errors.configuration(self.pointer, f"The function {name!r} uses itself.")
        site = replace(
            self,
            pointer=self.pointer + inner,
            origin=f"/use/functions/{token(name)}",
            written=self.library[name],
            callers=(*self.callers, name),
            is_undo=self.is_undo or is_undo,
        )
        return self.plan_task(site, name, task)

    def plan_extension(self, place: str, written: Any, inner: str, tasks: TaskList) -> ListPlan:
        """Prepare a list of the extension at the pointer `place` under `use` for the task that stands here.

        Each task that is extended has the extension's tasks as tasks of its own. They may use the functions that this
        place is inside of: those are not extended in there, so nothing comes to use itself.
        """
        site = replace(
            self,
            pointer=self.pointer + place,
            origin=f"/use{place}",
            written=written,
            callers=("",) * len(self.callers),
            is_extension=True,
        )
        return site.plan_list(inner, tasks)

    def resolve(self, written: str | T, reusable: Mapping[str, T]) -> T:
        """Give what is written here, or what its name stands for. Throws a configuration fault for an unknown name."""
        return self.resolve_name(written, reusable) if isinstance(written, str) else written

    def resolve_name(self, name: str, reusable: Mapping[str, T]) -> T:
        """Give what a name stands for. Throws a configuration fault for an unknown name."""
        if name not in reusable:
            raise errors.configuration(self.pointer, f"Nothing under `use` is called {name!r}.")
        return reusable[name]
