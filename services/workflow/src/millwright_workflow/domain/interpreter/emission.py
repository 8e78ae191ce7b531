"""The `emit` task: an event goes out, and what went out is the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import EmitTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Emit, Part
from millwright_workflow.domain.interpreter.plan import Outcome
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Emission:
    """The body of `emit`."""

    attributes: Template

    def run(self, visit: Visit) -> Part[Outcome]:
        """Emit the event. Throws an expression fault where an attribute comes to what an event cannot have.

        An attribute whose expression gives null is left out; `data` may be null.
        """
        attributes: Any = yield from visit.evaluate(self.attributes, visit.input)
        event = {name: value for name, value in attributes.items() if value is not None or name == "data"}
        for name, value in event.items():
            _require_scalar(name, value, visit.pointer)
        for name in ("source", "type"):
            if not event.get(name):
                raise errors.expression(visit.pointer, f"The event needs {name!r}, and its expression gave none.")
        return Outcome((yield Emit(visit.reference, event)))


def plan_emit(_task: EmitTask, site: Site) -> Emission:
    """Prepare an `emit` task."""
    return Emission(plan_template(site.written["emit"]["event"]["with"]))


def _require_scalar(name: str, value: Json, instance: str) -> None:
    standard = ("id", "source", "type", "time", "subject", "datacontenttype", "dataschema")
    if name in standard and not isinstance(value, str):
        raise errors.expression(instance, f"The attribute {name!r} of an event must be text.")
    if name != "data" and isinstance(value, dict | list | float):
        raise errors.expression(instance, f"The attribute {name!r} must be text, a whole number or a boolean.")
