"""References read back from their text, and how they lie inside one another.

Owns the way from what a history holds to the tasks of a plan.
"""

from __future__ import annotations

import re
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


def is_inside(inner: TaskReference, outer: TaskReference) -> bool:
    """Tell whether one task is part of another, in the same rounds and visits. Both as `read_reference` gives them."""
    return (
        inner.pointer.startswith(f"{outer.pointer}/")
        and inner.iterations[: len(outer.iterations)] == outer.iterations
        and inner.visits[: len(outer.visits)] == outer.visits
    )
