"""What is recorded of a judgment beside its decision, and whether judging again gives what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from millwright_judgment.domain.evaluation.decisions import Decision
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.executions import STATUS_NUMBERS, Execution


def outputs_text(evaluator: Evaluator, judgment: Judgment) -> str:
    """Give a judgment's further outputs as a row holds them."""
    return orjson.dumps(evaluator.outputs(judgment)).decode() if judgment.decision.outputs else "{}"


def actions_text(decision: Decision) -> str | None:
    """Give what a decision recommends as a row holds it."""
    return orjson.dumps(_actions(decision)).decode() if decision.actions else None


def actions_of(execution: Execution) -> Sequence[tuple[str, int]]:
    """Give what was recommended: a code and a priority each."""
    return [(code, priority) for code, priority in orjson.loads(execution.actions)] if execution.actions else []


def is_reproduced(execution: Execution, evaluator: Evaluator, judgment: Judgment) -> bool:
    """Tell whether a judgment is the one that was recorded."""
    decision = judgment.decision
    return (
        execution.status == STATUS_NUMBERS[decision.status]
        and (execution.outcome or "") == decision.outcome
        and (execution.winning_rule or "") == decision.rule
        and execution.confidence == decision.confidence
        and execution.matched == evaluator.matched_bits(judgment.matched)
        and actions_of(execution) == _actions(decision)
        and orjson.loads(execution.outputs) == evaluator.outputs(judgment)
    )


def _actions(decision: Decision) -> list[tuple[str, int]]:
    return [(action.code, action.priority) for action in decision.actions]
