"""References read back from their text, and how they lie inside one another.

Owns the way from what a history holds to the tasks of a plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from millwright_workflow.domain.interpreter.effects import TaskReference
from millwright_workflow.domain.interpreter.plan import WorkflowPlan

_PATH: Final = re.compile(r"(?:@(\d+(?:\.\d+)*))?(?:#(\d+(?:\.\d+)*))?\Z", re.ASCII)


def read_reference(text: str, plan: WorkflowPlan) -> TaskReference | None:
    """Read a reference to a task of the plan, with a number for each list around it; None for any other text."""
    if text in plan.tasks:  # also a name that ends like a path
        return TaskReference(text, (), (0,) * plan.tasks[text].depth)
    match = _PATH.search(text)
    assert match is not None  # the path may be empty
    task = plan.tasks.get(text[: match.start()])
    if task is None:
        return None
    iterations, visits = (tuple(map(int, part.split("."))) if part else () for part in match.groups())
    return TaskReference(task.pointer, iterations, visits or (0,) * task.depth)


@dataclass(slots=True)
class ReferenceSet:
    """References, as `read_reference` gives them, that can be asked what lies inside them."""

    _paths: dict[str, set[tuple[tuple[int, ...], tuple[int, ...]]]] = field(default_factory=dict)

    def add(self, reference: TaskReference) -> None:
        """Add a reference."""
        self._paths.setdefault(reference.pointer, set()).add((reference.iterations, reference.visits))

    def surrounds(self, inner: TaskReference) -> bool:
        """Tell whether a task is part of one of these, in the same rounds and visits. Takes time by its depth alone."""
        pointer = inner.pointer
        while pointer := pointer.rpartition("/")[0]:
            if paths := self._paths.get(pointer):
                iterations, visits = next(iter(paths))  # all paths of one pointer are of one length
                if (inner.iterations[: len(iterations)], inner.visits[: len(visits)]) in paths:
                    return True
        return False
