"""A walk through a whole workflow, from its raw input to its output."""

from __future__ import annotations

from millwright_workflow.domain.interpreter.effects import Evaluate, History, Part, TaskReference, Walk, Within
from millwright_workflow.domain.interpreter.plan import WorkflowPlan
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.template import Template
from millwright_workflow.domain.interpreter.visit import Identity, Progress, Scope, describe_time, iso_seconds
from millwright_workflow.domain.json import Json

TIMEOUT = TaskReference("/timeout")
"""What the time limit of the whole workflow is known by."""


def walk_workflow(plan: WorkflowPlan, raw_input: Json, history: History, identity: Identity) -> Walk:
    """Walk an instance from its raw input to its output, past what `history` holds.

    The walk throws a `WorkflowFault` when the instance is faulted. Closing it is how an instance is cancelled or
    handed over; what it has committed by then is what a later walk goes on from.
    """
    progress = Progress(
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
    )
    if plan.timeout is None:
        return (yield from _flow(plan, progress, raw_input))
    seconds = plan.timeout
    if isinstance(seconds, Template):
        seconds = iso_seconds((yield from _evaluate(seconds, raw_input, progress, TIMEOUT.pointer)), TIMEOUT.pointer)
    output: Json = yield Within(TIMEOUT, seconds, _flow(plan, progress, raw_input))
    return output


def _flow(plan: WorkflowPlan, progress: Progress, data: Json) -> Part[Json]:
    if plan.input_from is not None:
        data = yield from _evaluate(plan.input_from, data, progress, "/input/from")
    progress.context = data
    outcome = yield from walk_list(plan.do, progress, Scope(), data)
    if plan.output_as is None:
        return outcome.output
    return (yield from _evaluate(plan.output_as, outcome.output, progress, "/output/as"))


def _evaluate(template: Template, data: Json, progress: Progress, instance: str) -> Part[Json]:
    if not template.is_dynamic:
        return template.value
    value: Json = yield Evaluate(template.value, data, progress.variables(), instance)
    return value
