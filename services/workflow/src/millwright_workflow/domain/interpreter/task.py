"""What all tasks share: history first, then condition, input, body, output, export, commit.

Owns the order in which data flows through a task, and the one result that a finished task commits. What a kind does
is its body's.
"""

from __future__ import annotations

from millwright_runtime.json import Json

from millwright_workflow.domain.interpreter.effects import Begin, Commit, Fail, Part, TaskResult, Within, WorkflowFault
from millwright_workflow.domain.interpreter.plan import CONTINUE, Outcome, TaskPlan
from millwright_workflow.domain.interpreter.visit import Progress, Scope, Visit


def walk_task(plan: TaskPlan, progress: Progress, scope: Scope, raw_input: Json) -> Part[TaskResult]:
    """Give the task's result: from history where it holds it, otherwise by walking the task and committing it.

    The body runs under the task's timeout; the commit does not, so that no task both finishes and times out.
    """
    key = plan.pointer + scope.suffix
    known = progress.history.results.get(key)
    if known is not None and known.task_hash == plan.task_hash:
        progress.context = known.context
        return known
    visit = Visit(plan, progress, scope, raw_input)
    try:
        is_skipped = plan.condition is not None and not (yield from visit.holds(plan.condition, raw_input))
        # Only a task that was executed leads to its `then`: "if it is bad, stop" must not stop what is good.
        outcome = Outcome(raw_input, CONTINUE) if is_skipped else (yield from _run(visit))
        following = outcome.next or plan.then
        result = TaskResult(key, plan.task_hash, outcome.output, progress.context, following, is_skipped)
        yield Commit(result)
    except WorkflowFault as fault:
        if progress.is_watched:
            yield Fail(visit.reference, fault.error)
        raise
    return result


def _run(visit: Visit) -> Part[Outcome]:
    plan = visit.plan
    reference = visit.reference
    visit.started_time = yield Begin(reference, plan.name, plan.kind)
    if plan.timeout is None:
        return (yield from _flow(visit))
    seconds = yield from visit.seconds(plan.timeout, visit.raw_input)
    outcome: Outcome = yield Within(reference, seconds, _flow(visit))
    return outcome


def _flow(visit: Visit) -> Part[Outcome]:
    plan = visit.plan
    data = visit.raw_input
    schemas = plan.schemas
    if schemas is not None and schemas.input is not None:
        yield from schemas.input.check(visit, data)
    if plan.input_from is not None:
        data = yield from visit.evaluate(plan.input_from, data)
    visit.input = data
    data, following, _ = yield from plan.body.run(visit)
    visit.raw_output = data
    if plan.output_as is not None:
        data = yield from visit.evaluate(plan.output_as, data)
    visit.output = data
    if schemas is not None and schemas.output is not None:
        yield from schemas.output.check(visit, data)
    if plan.export_as is not None:
        context = yield from visit.evaluate(plan.export_as, data)
        if schemas is not None and schemas.export is not None:
            yield from schemas.export.check(visit, context)
        visit.progress.context = context
    return Outcome(data, following)
