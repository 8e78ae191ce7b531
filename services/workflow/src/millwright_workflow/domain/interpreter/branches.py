"""The `fork` task: its branches side by side, all of them or the first to finish.

Owns what branches share and what becomes of their `$context`. Who finishes first is the engine's to see, once; from
then on it is history's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from millwright_runtime.json import Json, to_text

from millwright_workflow.domain.definition import ForkTask
from millwright_workflow.domain.interpreter.effects import Branch, Fork, Part, TaskResult
from millwright_workflow.domain.interpreter.plan import END, ListPlan, Outcome, TaskPlan
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.task import walk_task
from millwright_workflow.domain.interpreter.visit import Progress, Scope, Visit


@dataclass(frozen=True, slots=True)
class Branches:
    """The body of `fork`."""

    branches: ListPlan
    is_race: bool

    def run(self, visit: Visit) -> Part[Outcome]:
        """Give the outputs of all branches in their order; of a race, the winner's output alone.

        Each branch takes the task's input and sees what it exports itself, nothing of its siblings. A branch that
        its `if` skips gives its input, and is out of a race; a race that all are out of gives the task's input. `end`
        in a branch ends the workflow once the fork is over; no other `then` of a branch means anything.
        """
        scope = visit.scope.enter_list()
        return self._race(visit, scope) if self.is_race else self._join(visit, scope)

    def _join(self, visit: Visit, scope: Scope) -> Part[Outcome]:
        results: list[TaskResult] = yield Fork(visit.reference, self._sides(visit, scope), is_race=False)
        visit.progress.context = merge_contexts(visit.progress.context, (result.context for result in results))
        outputs: list[Json] = [result.output for result in results]
        return Outcome(outputs, END if any(result.next == END for result in results) else None)

    def _race(self, visit: Visit, scope: Scope) -> Part[Outcome]:
        winner = self._earlier_winner(visit, scope)
        if winner is None:
            answer: tuple[int, TaskResult] | None = yield Fork(visit.reference, self._sides(visit, scope), is_race=True)
            if answer is None:
                return Outcome(visit.input)
            _, winner = answer
        visit.progress.context = winner.context
        return Outcome(winner.output, END if winner.next == END else None)

    def _earlier_winner(self, visit: Visit, scope: Scope) -> TaskResult | None:
        """Give who won before the fork itself could be committed: the branch that was committed first."""
        results = visit.progress.history.results
        finished = {
            key for plan in self.branches.tasks if _has_finished(results.get(key := plan.pointer + scope.suffix), plan)
        }
        return next((result for key, result in results.items() if key in finished), None) if finished else None

    def _sides(self, visit: Visit, scope: Scope) -> tuple[Branch, ...]:
        return tuple(
            Branch(scope.refer(plan.pointer), self._walk(plan, replace(visit.progress), scope, visit.input))
            for plan in self.branches.tasks
        )

    def _walk(self, plan: TaskPlan, progress: Progress, scope: Scope, data: Json) -> Part[TaskResult | None]:
        result = yield from walk_task(plan, progress, scope, data)
        return None if self.is_race and result.is_skipped else result


def plan_fork(task: ForkTask, site: Site) -> Branches:
    """Prepare a `fork` task."""
    return Branches(site.plan_list("/fork/branches", task.fork.branches), task.fork.compete)


def merge_contexts(before: Json, afters: Iterable[Json]) -> Json:
    """Give `$context` after a join, from what it was before and what each branch made of it, in branch order.

    What a branch added, changed or removed at the top level holds; where several did so to one key, the last branch in
    the order of the definition. So the outcome hangs on the definition alone, never on timing. A context that is no
    object is taken or left as a whole.
    """
    merged = before
    for after in afters:
        if after is before or to_text(after) == to_text(before):
            continue
        if not (isinstance(before, dict) and isinstance(after, dict) and isinstance(merged, dict)):
            merged = after
            continue
        changed = {key for key, value in after.items() if key not in before or to_text(value) != to_text(before[key])}
        removed = before.keys() - after.keys()
        merged = {key: value for key, value in merged.items() if key not in removed}
        merged |= {key: after[key] for key in after if key in changed}
    return merged


def _has_finished(result: TaskResult | None, plan: TaskPlan) -> bool:
    return result is not None and result.task_hash == plan.task_hash and not result.is_skipped
