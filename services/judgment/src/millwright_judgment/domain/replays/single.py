"""One past execution judged again: by several versions, side by side with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millwright_runtime.errors import Violation

from millwright_judgment.domain.difference.causes import Cause, Causes
from millwright_judgment.domain.difference.comparison import Change, change_of
from millwright_judgment.domain.difference.hybrids import Hybrids
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.executions import Execution
from millwright_judgment.domain.input.changes import InputChange, change_input
from millwright_judgment.domain.input.check import Refused
from millwright_judgment.domain.record import is_reproduced


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one execution becomes on one target."""

    evaluator: Evaluator
    judgment: Judgment | None
    """None if the target refuses the input."""
    problems: tuple[Violation, ...]
    change: Change
    cause: Cause | None


def compare_one(
    execution: Execution,
    given: Mapping[str, object],
    recorded: Evaluator,
    targets: Sequence[Evaluator],
    changes: Sequence[InputChange],
) -> Sequence[Comparison]:
    """Judge an execution again on every target. `given` is its input, `recorded` the version that judged it.

    Nothing is compared where it does not come out again as it was recorded.
    """
    own = recorded.judge(given)
    changed = change_input(given, changes)
    if isinstance(own, Refused) or not is_reproduced(execution, recorded, own):
        return [_judged(target, changed, Change.NOT_REPRODUCIBLE, None) for target in targets]
    comparisons = []
    for target in targets:
        judged = judge_known(target, changed)
        change = change_of(own.decision, judged.decision if isinstance(judged, Judgment) else None)
        cause = None
        if change is not Change.NONE:
            cause = Causes(Hybrids(recorded, target), changes).find(given, change)
        comparisons.append(_judged(target, changed, change, cause))
    return comparisons


def judge_known(evaluator: Evaluator, given: Mapping[str, object]) -> Judgment | Refused:
    """Judge an input, of which fields that the ruleset does not have are left out."""
    return evaluator.judge({name: value for name, value in given.items() if name in evaluator.names})


def _judged(target: Evaluator, changed: Mapping[str, object], change: Change, cause: Cause | None) -> Comparison:
    judged = judge_known(target, changed)
    if isinstance(judged, Refused):
        return Comparison(target, None, judged.violations, change, cause)
    return Comparison(target, judged, (), change, cause)
