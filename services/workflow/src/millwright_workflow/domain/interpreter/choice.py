"""The `switch` task: the flow goes where the first case that holds says."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_workflow.domain.definition import SwitchTask
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Choice:
    """The body of `switch`."""

    cases: tuple[tuple[Template, str], ...]
    """Conditions in order, and where each leads."""
    default: str | None
    """Where the case without a condition leads, wherever it is written."""

    def run(self, visit: Visit) -> Part[Outcome]:
        """Pass the input on. Conditions after the first that holds are not evaluated."""
        for condition, then in self.cases:
            if (yield from visit.holds(condition, visit.input)):
                return Outcome(visit.input, then)
        return Outcome(visit.input, self.default)


def plan_switch(task: SwitchTask, _site: Site) -> Choice:
    """Prepare a `switch` task."""
    cases = [entry.case for entry in task.switch]
    return Choice(
        tuple((plan_template(case.when), case.then) for case in cases if case.when is not None),
        next((case.then for case in cases if case.when is None), None),
    )
