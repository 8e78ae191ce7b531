"""Compensation: what undoes a task, and the walk that undoes what an instance has done.

A task names its undo in its metadata, `metadata: {undo: <function>}`, a function under `use.functions`. Owns which
finished tasks are undone, in which order and on what data. Whether an instance asks for it is the engine's to know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Task
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import History, Part, TaskReference, TaskResult, path_suffix
from millwright_workflow.domain.interpreter.plan import TaskPlan, WorkflowPlan
from millwright_workflow.domain.interpreter.references import ReferenceSet, read_reference
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.task import walk_task
from millwright_workflow.domain.interpreter.visit import Identity, Scope
from millwright_workflow.domain.interpreter.workflow import begin_progress

PLACE: Final = "/metadata/undo"
"""What follows a task's pointer in the pointer of its undo."""


def walk_undo(plan: WorkflowPlan, raw_input: Json, history: History, identity: Identity) -> Part[list[str]]:
    """Undo the finished tasks that name an undo, one after another, the last to finish first.

    Gives the references of the tasks that are undone. Each undo is walked like any task, with a reference of its own
    (that of the task with `/metadata/undo` in its pointer), on the output of what it undoes and with `$context` as it
    stood after it; its result is committed, so that a walk that is resumed goes on after it. A fault of an undo that
    nothing in it catches leaves the walk, and the tasks before stay as they are.
    """
    undone = []
    for reference, result, undo in _to_undo(plan, history):
        progress = begin_progress(plan, raw_input, history, identity)
        progress.context = result.context
        scope = Scope(
            reference.iterations, reference.visits, suffix=path_suffix(reference.iterations, reference.visits)
        )
        yield from walk_task(undo, progress, scope, result.output)
        undone.append(result.reference)
    return undone


def plan_undo(task: Task, site: Site) -> TaskPlan | None:
    """Prepare what undoes a task. Throws a configuration fault for a name that is no function of the workflow."""
    name = task.metadata.get("undo")
    if name is None or site.is_undo:
        return None
    if not isinstance(name, str):
        raise errors.configuration(site.pointer, "The undo of a task must be the name of a function.")
    return site.plan_function(PLACE, name, is_undo=True)


def undone_task(reference: str) -> str | None:
    """Give the reference of the task that the result of `reference` undid; None if it is no undo as a whole."""
    pointer = min((at for mark in "@#" if (at := reference.find(mark)) >= 0), default=len(reference))
    if not reference[:pointer].endswith(PLACE):
        return None
    return reference[: pointer - len(PLACE)] + reference[pointer:]


def _to_undo(plan: WorkflowPlan, history: History) -> Iterator[tuple[TaskReference, TaskResult, TaskPlan]]:
    """Give what is to be undone, the last to finish first.

    A task that names an undo and has finished stands for all that finished inside it: whoever says how the whole is
    undone has said how its parts are.
    """
    wholes = ReferenceSet()
    for result in reversed(list(history.results.values())):
        reference = read_reference(result.reference, plan)
        if reference is None or reference.pointer not in plan.undos or result.is_skipped:
            continue
        if not wholes.surrounds(reference):
            wholes.add(reference)
            yield reference, result, plan.undos[reference.pointer]
