"""Extensions: tasks of `use.extensions` around the tasks of a kind.

Owns which tasks an extension extends, in which order several do, and on what data their tasks run. To the history an
extension's tasks are tasks inside the one that they extend, at `/extensions/<index>/<name>/before` and `…/after` of
its pointer, and so is what is extended, at `/extended`, where something comes after it. The hash of a task that is
extended covers its extensions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.definition import Task, canonical_json
from millwright_workflow.domain.definition.pointers import token
from millwright_workflow.domain.interpreter.effects import (
    Begin,
    Commit,
    Evaluate,
    Fail,
    Part,
    TaskResult,
    WorkflowFault,
)
from millwright_workflow.domain.interpreter.plan import CONTINUE, END, Body, ListPlan, Outcome
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, is_true, plan_condition
from millwright_workflow.domain.interpreter.visit import Visit

PLACE: Final = "/extended"
"""What follows a task's pointer in the pointer of what its extensions extend."""
_COMPOSITE: Final = frozenset({"do", "fork"})
"""The kinds of tasks that `extend` has no other word for."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension of one task, prepared."""

    condition: Template | None
    before: ListPlan
    after: ListPlan
    written: JsonObject
    """As its author wrote it."""


@dataclass(frozen=True, slots=True)
class Extended:
    """The body of a task with extensions around it, the first outermost."""

    extensions: tuple[Extension, ...]
    body: Body

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk what comes before, the task, and what comes after it, in the opposite order.

        `before` runs on the task's input and `after` on its output; what they give is dropped. An `exit` from `before`
        stands for the task and all that is nearer to it: what was given there is the task's output. An `end` in either
        ends the workflow; a fault is the task's.
        """
        applied: list[Extension] = []
        outcome = None
        for extension in self.extensions:
            if not (yield from _applies(extension, visit)):
                continue
            left = yield from _walk(extension.before, visit, visit.input)
            if left.next == END:
                return left
            if left.is_exit:
                outcome = Outcome(left.output)
                break
            applied.append(extension)
        if outcome is None:
            is_last = not any(extension.after.tasks for extension in applied)
            outcome = yield from (self.body.run(visit) if is_last else self._run_and_keep(visit))
        visit.raw_output = outcome.output
        for extension in reversed(applied):
            left = yield from _walk(extension.after, visit, outcome.output)
            if left.next == END:
                return left
        return outcome

    def _run_and_keep(self, visit: Visit) -> Part[Outcome]:
        """Walk the task and commit what it gave, so that it does not run again while what comes after it does."""
        reference = visit.scope.refer(visit.pointer + PLACE)
        task_hash = visit.plan.task_hash
        known = visit.progress.history.results.get(str(reference))
        if known is not None and known.task_hash == task_hash:
            visit.progress.context = known.context
            return Outcome(known.output, None if known.next == CONTINUE else known.next)
        yield Begin(reference, visit.plan.name, visit.plan.kind)
        try:
            outcome = yield from self.body.run(visit)
            following = outcome.next or CONTINUE
            yield Commit(TaskResult(str(reference), task_hash, outcome.output, visit.progress.context, following))
        except WorkflowFault as fault:
            if visit.progress.is_watched:
                yield Fail(reference, fault.error)
            raise
        return outcome


def plan_extensions(task: Task, site: Site) -> tuple[Extension, ...]:
    """Prepare the extensions of a task, in the order they are written. A task of an extension has none."""
    if site.is_extension:
        return ()
    extensions = []
    for index, (name, extension) in enumerate((each.name, each.extension) for each in site.use.extensions):
        if _extends(extension.extend, task.kind):
            place, written = f"/extensions/{index}/{token(name)}", site.extensions[index][name]
            before = site.plan_extension(place, written, "/before", extension.before)
            after = site.plan_extension(place, written, "/after", extension.after)
            extensions.append(Extension(plan_condition(extension.when), before, after, written))
    return tuple(extensions)


def hash_extended(task_hash: bytes, extensions: Sequence[Json]) -> bytes:
    """Give the hash of a task with its extensions as they are written: its own where it has none."""
    if not extensions:
        return task_hash
    return hashlib.sha256(task_hash + canonical_json(list(extensions))).digest()


def _extends(word: str, kind: str) -> bool:
    kind = kind.partition(":")[0]
    return word in ("all", kind) or (word == "composite" and kind in _COMPOSITE)


def _applies(extension: Extension, visit: Visit) -> Part[bool]:
    """Tell whether `when` holds; `$task` has the keys of the task too, as the specification's examples use it."""
    if extension.condition is None:
        return True
    known = visit.variables()
    known["task"] = {**visit.plan.definition, **visit.describe()}
    return is_true((yield Evaluate(extension.condition.value, visit.input, known, visit.pointer)))


def _walk(tasks: ListPlan, visit: Visit, data: Json) -> Part[Outcome]:
    return walk_list(tasks, visit.progress, visit.scope.enter_extension(visit.describe()), data)
