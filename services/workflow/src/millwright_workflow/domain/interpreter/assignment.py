"""The `set` task: data becomes the output."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_workflow.domain.definition import SetTask
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Assignment:
    """The body of `set`."""

    data: Template

    def run(self, visit: Visit) -> Part[Outcome]:
        """Give the data; what the input held besides is gone."""
        return Outcome((yield from visit.evaluate(self.data, visit.input)))


def plan_set(task: SetTask, _site: Site) -> Assignment:
    """Prepare a `set` task."""
    return Assignment(plan_template(task.set))
