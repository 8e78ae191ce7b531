"""A walk through a whole workflow, from its raw input to its output."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.interpreter.effects import Evaluate, History, Part, TaskReference, Walk, Within
from millwright_workflow.domain.interpreter.plan import WorkflowPlan
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.template import Template
from millwright_workflow.domain.interpreter.visit import Identity, Progress, Scope, describe_time, iso_seconds

TIMEOUT = TaskReference("/timeout")
"""What the time limit of the whole workflow is known by."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where the workflow as a whole meets the world; asks for its schemas and its transformations."""

    progress: Progress
    pointer: str

    @property
    def reference(self) -> TaskReference:
        """The reference of the boundary."""
        return TaskReference(self.pointer)

    def evaluate(self, template: Template, data: Json) -> Part[Json]:
        """Give the value of a template on `data`."""
        if not template.is_dynamic:
            return template.value
        value: Json = yield Evaluate(template.value, data, self.progress.variables(), self.pointer)
        return value


def walk_workflow(
    plan: WorkflowPlan, raw_input: Json, history: History, identity: Identity, *, is_watched: bool = False
) -> Walk:
    """Walk an instance from its raw input to its output, past what `history` holds.

    The walk throws a `WorkflowFault` when the instance is faulted. Closing it is how an instance is cancelled or
    handed over; what it has committed by then is what a later walk goes on from. A walk that `is_watched` tells of
    tasks that fail, by the effect `Fail`.
    """
    progress = begin_progress(plan, raw_input, history, identity, is_watched=is_watched)
    if plan.timeout is None:
        return (yield from _flow(plan, progress, raw_input))
    seconds = plan.timeout
    if isinstance(seconds, Template):
        length = yield from Boundary(progress, TIMEOUT.pointer).evaluate(seconds, raw_input)
        seconds = iso_seconds(length, TIMEOUT.pointer)
    output: Json = yield Within(TIMEOUT, seconds, _flow(plan, progress, raw_input))
    return output


def begin_progress(
    plan: WorkflowPlan, raw_input: Json, history: History, identity: Identity, *, is_watched: bool = False
) -> Progress:
    """Give the progress of a walk that has not taken a step."""
    return Progress(
        history,
        workflow={
            "id": identity.instance_id,
            "definition": plan.definition,
            "input": raw_input,
            "startedAt": describe_time(identity.started_time),
        },
        runtime={
            "name": identity.runtime_name,
            "version": identity.runtime_version,
            "metadata": identity.runtime_metadata,
        },
        secrets=identity.secrets if plan.secrets else None,
        is_watched=is_watched,
    )


def _flow(plan: WorkflowPlan, progress: Progress, data: Json) -> Part[Json]:
    schemas = plan.schemas
    if schemas is not None and schemas.input is not None:
        yield from schemas.input.check(Boundary(progress, "/input"), data)
    if plan.input_from is not None:
        data = yield from Boundary(progress, "/input/from").evaluate(plan.input_from, data)
    progress.context = data
    outcome = yield from walk_list(plan.do, progress, Scope(), data)
    output = outcome.output
    if plan.output_as is not None:
        output = yield from Boundary(progress, "/output/as").evaluate(plan.output_as, output)
    if schemas is not None and schemas.output is not None:
        yield from schemas.output.check(Boundary(progress, "/output"), output)
    return output
