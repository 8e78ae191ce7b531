"""The `run: workflow` task: another workflow as a child of this one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import RunTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Part, RunWorkflow, TaskReference
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit

_CHILDREN: Final = uuid.UUID("5b1f6a0e-8a53-5c0c-9d4f-6b7f0f3a2c11")


@dataclass(frozen=True, slots=True)
class Child:
    """The body of `run: workflow`."""

    namespace: str
    name: str
    version: str
    input: Template | None
    is_awaited: bool

    def run(self, visit: Visit) -> Part[Outcome]:
        """Give the child's output; where it is not awaited, the task's input.

        A child that is given no input takes this task's.
        """
        data = visit.input if self.input is None else (yield from visit.evaluate(self.input, visit.input))
        call = RunWorkflow(visit.reference, self.namespace, self.name, self.version, data, self.is_awaited)
        output: Json = yield call
        return Outcome(output if self.is_awaited else visit.input)


def plan_run(task: RunTask, site: Site) -> Child:
    """Prepare a `run` task. Throws a configuration fault for anything but a workflow."""
    workflow = task.run.workflow
    if workflow is None:
        raise errors.configuration(site.pointer, "Foreign code does not run beside the service.")
    data = None if workflow.input is None else plan_template(workflow.input)
    return Child(workflow.namespace, workflow.name, workflow.version, data, task.run.await_)


def child_id(parent: str, reference: TaskReference) -> uuid.UUID:
    """Give the id of the child that the instance `parent` starts at `reference`: the same, however often asked."""
    return uuid.uuid5(_CHILDREN, f"{parent}{reference}")
