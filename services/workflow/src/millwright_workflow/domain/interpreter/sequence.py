"""Task lists, and the `do` task, which is one.

Owns where the flow goes after each task of a list: on, out, to the end, or to a sibling by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import DoTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.plan import CONTINUE, END, EXIT, ListPlan, Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.task import walk_task
from millwright_workflow.domain.interpreter.visit import Progress, Scope, Visit


def walk_list(plan: ListPlan, progress: Progress, outer: Scope, data: Json) -> Part[Outcome]:
    """Walk the tasks of a list; each takes the output of the one before it, the first takes `data`.

    The outcome is the last task's output, and `end` where a task ended the workflow. `exit` leaves this list only.
    A list that is looped through by `then` grows nothing, however often.
    """
    scope = outer.enter_list()
    index = 0
    while index < len(plan.tasks):
        result = yield from walk_task(plan.tasks[index], progress, scope, data)
        data = result.output
        if result.next == CONTINUE:
            index += 1
            continue
        if result.next in (EXIT, END):
            return Outcome(data, END if result.next == END else None, is_exit=result.next == EXIT)
        target = plan.positions.get(result.next)
        if target is None:
            pointer = plan.tasks[index].pointer
            raise errors.configuration(pointer, f"There is no task {result.next!r} beside this one to go to.")
        if target <= index:
            scope = scope.jump_back()
        index = target
    return Outcome(data)


@dataclass(frozen=True, slots=True)
class Sequence:
    """The body of `do`."""

    do: ListPlan

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk the list on the task's input."""
        return walk_list(self.do, visit.progress, visit.scope, visit.input)


def plan_do(task: DoTask, site: Site) -> Sequence:
    """Prepare a `do` task."""
    return Sequence(site.plan_list("/do", task.do))
