"""The `for` task: its list once for each item, each round on the output of the one before."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import ForTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.plan import END, ListPlan, Outcome
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_condition, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Loop:
    """The body of `for`."""

    items: Template
    each: str
    at: str
    condition: Template | None
    do: ListPlan

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk the rounds until the items end, `while` no longer holds, or a task ends the workflow.

        `while` is asked before every round, on what that round would take. `exit` inside leaves the round, not the
        loop. Nothing is kept of a round but its output.
        """
        items = yield from visit.evaluate(self.items, visit.input)
        if not isinstance(items, list):
            raise errors.expression(visit.plan.pointer, "What `for.in` gives must be an array.")
        data = visit.input
        for index, item in enumerate(items):
            names: dict[str, Json] = {self.each: item, self.at: index}
            if self.condition is not None and not (yield from visit.holds(self.condition, data, names)):
                break
            scope = visit.scope.enter_round(index, names)
            data, following, _ = yield from walk_list(self.do, visit.progress, scope, data)
            if following == END:
                return Outcome(data, END)
        return Outcome(data)


def plan_for(task: ForTask, site: Site) -> Loop:
    """Prepare a `for` task."""
    return Loop(
        plan_template(task.for_.in_),
        task.for_.each,
        task.for_.at,
        plan_condition(task.while_),
        site.plan_list("/do", task.do),
    )
