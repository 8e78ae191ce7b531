"""The `wait` task: time passes."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_workflow.domain.definition import WaitTask
from millwright_workflow.domain.interpreter.effects import Part, Wait
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Length, plan_length
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Pause:
    """The body of `wait`."""

    length: Length

    def run(self, visit: Visit) -> Part[Outcome]:
        """Pass the input on, later."""
        seconds = yield from visit.seconds(self.length, visit.input)
        yield Wait(visit.reference, seconds)
        return Outcome(visit.input)


def plan_wait(task: WaitTask, _site: Site) -> Pause:
    """Prepare a `wait` task."""
    return Pause(plan_length(task.wait))
