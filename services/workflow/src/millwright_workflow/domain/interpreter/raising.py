"""The `raise` task: a fault of the author's making."""

from __future__ import annotations

import json
from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import RaiseTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Part, WorkflowError, WorkflowFault
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Raising:
    """The body of `raise`."""

    error: Template

    def run(self, visit: Visit) -> Part[Outcome]:
        """Throw the error. Its `instance` is this task, whatever the author wrote there."""
        error = yield from visit.evaluate(self.error, visit.input)
        assert isinstance(error, dict)
        status = error["status"]
        assert isinstance(status, int)
        kind = error["type"]
        if not isinstance(kind, str):
            raise errors.expression(visit.plan.pointer, "The type of a raised error must be text.")
        title, detail = _text(error["title"]), _text(error["detail"])
        raise WorkflowFault(WorkflowError(kind, status, title, detail, visit.plan.pointer))


def plan_raise(task: RaiseTask, site: Site) -> Raising:
    """Prepare a `raise` task. Throws a configuration fault where it names an error that the workflow does not have."""
    error = site.resolve(task.raise_.error, site.use.errors)
    return Raising(plan_template(error.model_dump(include={"type", "status", "title", "detail"})))


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)
