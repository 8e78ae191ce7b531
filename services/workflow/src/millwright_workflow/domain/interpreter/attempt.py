"""The `try` task: its list, again after some errors, and another list after others.

Owns which errors are caught and what is done about them: try again, handle, throw on.
"""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Catch as CatchClause
from millwright_workflow.domain.definition import ErrorFilter, TryTask
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import (
    Catch,
    Failure,
    Part,
    Retry,
    TaskReference,
    Within,
    WorkflowError,
    WorkflowFault,
)
from millwright_workflow.domain.interpreter.plan import ListPlan, Outcome
from millwright_workflow.domain.interpreter.retry import Guard, RetryPlan, plan_retry
from millwright_workflow.domain.interpreter.sequence import walk_list
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import plan_condition
from millwright_workflow.domain.interpreter.visit import Visit


@dataclass(frozen=True, slots=True)
class Attempts:
    """The body of `try`."""

    tasks: ListPlan
    filter: ErrorFilter
    guard: Guard
    error_name: str
    policy: RetryPlan | None
    handler: ListPlan

    def run(self, visit: Visit) -> Part[Outcome]:
        """Walk attempts until one succeeds, or an error is handled or thrown on.

        A caught error is retried while its policy grants it, then handled by `catch.do`. Without `catch.do` it is
        thrown on if there was a policy, for then it was meant to be overcome; otherwise the input is the output.
        """
        failure = _latest_failure(visit)
        attempt = 0
        if failure is not None:
            visit.progress.context = failure.context
            if not failure.is_retried:
                return (yield from self._handle(visit, failure))
            yield Retry(visit.reference, failure, 0.0, None, None)
            attempt = failure.attempt + 1
        while True:
            try:
                return (yield from self._attempt(visit, attempt))
            except WorkflowFault as fault:
                error = fault.error  # judged below, so that no chain of exceptions grows from attempt to attempt
            if not (yield from self._catches(visit, error)):
                raise WorkflowFault(error)
            if not (yield from self._retries(visit, attempt, error)):
                return (yield from self._give_up(visit, attempt, error))
            attempt += 1

    def _give_up(self, visit: Visit, attempt: int, error: WorkflowError) -> Part[Outcome]:
        if self.handler.tasks:
            failure = _failure(visit, attempt, error, is_retried=False)
            yield Catch(visit.reference, failure)
            return (yield from self._handle(visit, failure))
        if self.policy is not None:
            raise WorkflowFault(error)
        return Outcome(visit.input)

    def _attempt(self, visit: Visit, attempt: int) -> Part[Outcome]:
        walk = walk_list(self.tasks, visit.progress, visit.scope.enter_attempt(attempt, {}), visit.input)
        if self.policy is None or self.policy.attempt_limit is None:
            return (yield from walk)
        seconds = yield from visit.seconds(self.policy.attempt_limit, visit.input)
        outcome: Outcome = yield Within(_attempt_reference(visit, attempt), seconds, walk)
        return outcome

    def _handle(self, visit: Visit, failure: Failure) -> Part[Outcome]:
        scope = visit.scope.enter_attempt(failure.attempt, self._names(failure.error))
        return walk_list(self.handler, visit.progress, scope, visit.input)

    def _catches(self, visit: Visit, error: WorkflowError) -> Part[bool]:
        return _matches(self.filter, error) and (yield from self.guard.admits(visit, self._names(error)))

    def _retries(self, visit: Visit, attempt: int, error: WorkflowError) -> Part[bool]:
        if self.policy is None or not self.policy.allows(attempt):
            return False
        names = self._names(error)
        if not (yield from self.policy.guard.admits(visit, names)):
            return False
        delay = yield from self.policy.delay_after(attempt, visit, names)
        failure = _failure(visit, attempt, error, is_retried=True)
        is_granted: bool = yield Retry(visit.reference, failure, delay.seconds, delay.jitter, delay.limit_seconds)
        return is_granted

    def _names(self, error: WorkflowError) -> dict[str, Json]:
        return {self.error_name: errors.as_json(error)}


def plan_try(task: TryTask, site: Site) -> Attempts:
    """Prepare a `try` task. Throws a configuration fault where it names a retry policy that does not exist."""
    clause: CatchClause = task.catch
    policy = site.resolve(clause.retry, site.use.retries) if clause.retry is not None else None
    return Attempts(
        tasks=site.plan_list("/try", task.try_),
        filter=(clause.errors and clause.errors.with_) or ErrorFilter(),
        guard=Guard(plan_condition(clause.when), plan_condition(clause.except_when)),
        error_name=clause.as_,
        policy=plan_retry(policy) if policy else None,
        handler=site.plan_list("/catch/do", clause.do),
    )


def _matches(wanted: ErrorFilter, error: WorkflowError) -> bool:
    pairs = (
        (wanted.type and errors.canonical_type(wanted.type), error.type),
        (wanted.status, error.status),
        (wanted.instance, error.instance),
        (wanted.title, error.title),
        (wanted.details, error.detail),
    )
    return all(expected is None or expected == actual for expected, actual in pairs)


def _latest_failure(visit: Visit) -> Failure | None:
    failure = visit.progress.history.failures.get(str(visit.reference))
    return failure if failure is not None and failure.task_hash == visit.plan.task_hash else None


def _failure(visit: Visit, attempt: int, error: WorkflowError, *, is_retried: bool) -> Failure:
    return Failure(
        str(visit.reference), visit.plan.task_hash, attempt, error, visit.progress.context, is_retried=is_retried
    )


def _attempt_reference(visit: Visit, attempt: int) -> TaskReference:
    return visit.scope.enter_attempt(attempt, {}).refer(f"{visit.plan.pointer}/try")
