"""Executions, judgments and their explanations as messages of the contract."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from millwright.judgment.v1 import judgment_pb2 as pb
from millwright_runtime.api.messages import timestamp
from millwright_runtime.json import Json

from millwright_judgment.domain import names
from millwright_judgment.domain.evaluation.decisions import Decision
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.executions import STATUS_NUMBERS, Execution
from millwright_judgment.domain.explanation.counterfactuals import Counterfactual
from millwright_judgment.domain.explanation.explanation import Explanation
from millwright_judgment.domain.explanation.traces import ConditionTrace, NearMiss, RuleTrace
from millwright_judgment.domain.record import actions_of
from millwright_judgment.engine.judging import Judged


def execution(judged: Judged, *, is_stored: bool = True) -> pb.Execution:
    """Give an execution as it is recorded; one that was not stored has no name."""
    row, version, again = judged.execution, judged.version, judged.judgment
    return pb.Execution(
        name=names.execution(row.execution) if is_stored else "",
        version=version.name,
        content_hash=version.content_hash,
        channel=row.channel or "",
        input=pb.Input(values=values(orjson.loads(row.input).items())),
        input_hash=row.input_hash.hex(),
        judgment=judgment(version.evaluator, again) if again else _recorded(row, version.evaluator),
        segment=pb.Segment(line=row.line or "", product=row.product or "", shift=row.shift or "", unit=row.unit or ""),
        event_time=timestamp(row.event_time),
        judge_time=timestamp(row.judge_time),
        caller=row.caller,
        experiment=names.experiment(row.experiment) if row.experiment else "",
        arm=row.arm or "",
        engine_version=row.engine_version,
        not_reproducible=again is None,
    )


def basic(judged: Judged) -> pb.Execution:
    """Give what the view BASIC has of an execution."""
    return pb.Execution(
        name=names.execution(judged.execution.execution),
        version=judged.version.name,
        judge_time=timestamp(judged.execution.judge_time),
        judgment=_decided(judged.execution, judged.version.evaluator),
        not_reproducible=judged.judgment is None,
    )


def _decided(row: Execution, evaluator: Evaluator) -> pb.Judgment:
    levels, outcome = evaluator.ruleset.levels, row.outcome or ""
    return pb.Judgment(
        status=row.status,  # type: ignore[arg-type]  # numbered as the contract does
        outcome=outcome,
        level=levels.index(outcome) if outcome in levels else 0,
        confidence=row.confidence,
        winning_rule=row.winning_rule or "",
    )


def _recorded(row: Execution, evaluator: Evaluator) -> pb.Judgment:
    """Give what a row tells of its judgment: all but what is made by judging again."""
    message = _decided(row, evaluator)
    message.matched_rules.extend(evaluator.matched_rules(int.from_bytes(row.matched, "little")))
    for code, priority in actions_of(row):
        known = evaluator.ruleset.actions.get(code)
        message.actions.add(code=code, priority=priority, labels=known.labels if known else {})
    _put_outputs(message, orjson.loads(row.outputs))
    return message


def judgment(evaluator: Evaluator, judged: Judgment) -> pb.Judgment:
    """Give a judgment."""
    decision = judged.decision
    message = pb.Judgment(
        status=STATUS_NUMBERS[decision.status],  # type: ignore[arg-type]  # rows number them as the contract does
        outcome=decision.outcome,
        level=max(0, decision.level),
        confidence=decision.confidence,
        winning_rule=decision.rule,
        matched_rules=evaluator.matched_rules(judged.matched),
        actions=_actions(decision),
    )
    if decision.templates:
        message.explanations.update(evaluator.explanations(judged))
    if decision.outputs:
        _put_outputs(message, evaluator.outputs(judged))
    for problem in judged.problems:
        message.problems.add(field=problem.field, code=str(problem.code), message=problem.message)
    return message


def _put_outputs(message: pb.Judgment, outputs: Mapping[str, Json]) -> None:
    for name, given in values(outputs.items()).items():
        message.outputs[name].CopyFrom(given)


def _actions(decision: Decision) -> list[pb.Action]:
    return [pb.Action(code=it.code, priority=it.priority, labels=dict(it.labels)) for it in decision.actions]


def values(given: object) -> dict[str, pb.Value]:
    """Give values by name, of pairs."""
    return {name: value(each) for name, each in given}  # type: ignore[attr-defined]


def value(given: Json) -> pb.Value:
    """Give one value; null is a value without a kind."""
    if given is None:
        return pb.Value()
    if isinstance(given, bool):
        return pb.Value(flag=given)
    if isinstance(given, int | float):
        return pb.Value(number=given)
    return pb.Value(text=given if isinstance(given, str) else str(given))


def explanation(given: Explanation) -> pb.Explanation:
    """Give an explanation."""
    return pb.Explanation(
        rules=map(_rule, given.rules),
        near_misses=map(_near_miss, given.near_misses),
        counterfactuals=map(_counterfactual, given.counterfactuals),
        texts=dict(given.texts),
    )


def _rule(trace: RuleTrace) -> pb.RuleTrace:
    return pb.RuleTrace(
        table=trace.table,
        rule=trace.rule,
        matched=trace.matched,
        won=trace.won,
        conditions=map(_condition, trace.conditions),
    )


def _condition(trace: ConditionTrace) -> pb.ConditionTrace:
    return pb.ConditionTrace(field=trace.field, cell=trace.cell, held=trace.held, **_margin(trace))


def _margin(trace: ConditionTrace) -> Mapping[str, float]:
    if trace.margin is None:
        return {}
    return {"margin": trace.margin.size, "margin_steps": trace.margin.steps}


def _near_miss(miss: NearMiss) -> pb.NearMiss:
    return pb.NearMiss(table=miss.table, rule=miss.rule, condition=_condition(miss.condition), outcome=miss.outcome)


def _counterfactual(found: Counterfactual) -> pb.Counterfactual:
    return pb.Counterfactual(
        field=found.field,
        value=value(found.value),
        changed_value=value(found.changed_value),
        outcome=found.outcome,
        distance_steps=found.distance_steps,
    )
