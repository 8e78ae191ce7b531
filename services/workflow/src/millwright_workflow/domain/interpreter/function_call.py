"""Calls of functions: those under `use.functions`, and those of the built-in catalogue.

Owns what a name stands for, and what a function gets. What the built-in ones do is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from millwright_workflow.domain.definition import FunctionCall, catalogue
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Invoke, Part
from millwright_workflow.domain.interpreter.plan import END, Body, Outcome, TaskPlan
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.task import walk_task
from millwright_workflow.domain.interpreter.template import Template, plan_template
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Use:
    """The body of a call of a function under `use.functions`, whose task is planned here as a task of this call."""

    arguments: Template | None
    function: TaskPlan

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk the function's task on the arguments; a call without `with` hands its input on.

        The function sees `$context` and may export to it, but no name of the loops around its caller.
        """
        data = visit.input if self.arguments is None else (yield from visit.evaluate(self.arguments, visit.input))
        result = yield from walk_task(self.function, visit.progress, visit.scope.enter_function(), data)
        return Outcome(result.output, END if result.next == END else None)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The body of a call of a built-in function."""

    function: str
    arguments: Template

    def run(self, visit: Visit) -> Part[Outcome]:
        """Use the function. Throws a validation fault for arguments that it cannot take.

        A function that takes `input` and is given none takes the task's.
        """
        arguments: Any = yield from visit.evaluate(self.arguments, visit.input)
        model = catalogue.FUNCTIONS[self.function]
        if "input" in model.model_fields and "input" not in arguments:
            arguments = {**arguments, "input": visit.input}
        try:
            checked = model.model_validate(arguments, by_alias=True, by_name=False)
        except ValidationError as error:
            raise errors.validation(visit.pointer, _complaint(self.function, error)) from None
        kept = checked.model_dump(by_alias=True, exclude_none=True, exclude={"input"}, mode="json")
        if "input" in model.model_fields:
            kept["input"] = arguments["input"]
        return Outcome((yield Invoke(visit.reference, self.function, kept)))


def plan_function_call(task: FunctionCall, site: Site) -> Body:
    """Prepare a call. Throws a configuration fault for a function that is not known here, or that uses itself."""
    if task.call in site.use.functions:
        arguments = None if task.with_ is None else plan_template(task.with_)
        return Use(arguments, site.plan_function("/call", str(task.call)))
    function = catalogue.function_name(task.call)
    if function is None or (function != task.call and "default" in site.use.catalogs):
        raise errors.configuration(site.pointer, f"There is no function {str(task.call)!r} here.")
    given = task.with_ or {}
    if unknown := given.keys() - catalogue.argument_names(function):
        raise errors.configuration(site.pointer, f"The function {function!r} takes no {min(unknown)!r}.")
    return Invocation(function, plan_template(given))


def _complaint(function: str, error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"The function {function!r} cannot take its arguments: {place or 'with'}: {first['msg']}."
