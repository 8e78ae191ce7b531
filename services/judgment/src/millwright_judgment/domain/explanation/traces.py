"""Traces: each rule against one input, condition by condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millwright_judgment.domain.evaluation.rows import Judgment
from millwright_judgment.domain.explanation.margins import Margin, margin_of
from millwright_judgment.domain.ruleset.conditions import resolve
from millwright_judgment.domain.ruleset.fields import Field, Scalar
from millwright_judgment.domain.ruleset.model import HitPolicy, Rule, Ruleset, Table, constant_value

NEAR_MISSES = 10


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One condition against one value."""

    field: str
    cell: str
    value: Scalar | None
    held: bool
    margin: Margin | None


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule against one input."""

    table: str
    rule: str
    matched: bool
    won: bool
    """True if it spoke for its table: with the collect policy, if it decided."""
    conditions: tuple[ConditionTrace, ...]
    """Those that are not empty, in the order of the columns."""

    @property
    def failed(self) -> tuple[ConditionTrace, ...]:
        """Give the conditions that did not hold."""
        return tuple(condition for condition in self.conditions if not condition.held)


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that all but one condition let through, and that would have spoken."""

    table: str
    rule: str
    condition: ConditionTrace
    outcome: str
    """The outcome that it would have given; empty for a rule of an earlier table."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A table, the fields it sees and what they held."""

    table: Table
    scope: Mapping[str, Field]
    values: Mapping[str, Scalar | None]


def trace_rules(ruleset: Ruleset, judgment: Judgment) -> tuple[RuleTrace, ...]:
    """Give every rule of every table against a judged input; none if it is INDETERMINATE."""
    if judgment.problems:
        return ()
    traces: list[RuleTrace] = []
    for seen in _tables_seen(ruleset, judgment):
        matched = [_trace(rule, seen) for rule in seen.table.rules]
        winner = _winner(ruleset, seen.table, matched, judgment)
        for rule, conditions in zip(seen.table.rules, matched, strict=True):
            has_matched = all(condition.held for condition in conditions)
            traces.append(RuleTrace(seen.table.name, rule.id, has_matched, rule.id == winner, conditions))
    return tuple(traces)


def near_misses(ruleset: Ruleset, traces: Sequence[RuleTrace]) -> tuple[NearMiss, ...]:
    """Give the rules that missed by one condition and would have spoken, the nearest first.

    With the first policy that is one before the winner. Distances are in steps; what is no number comes last.
    """
    outcomes = {
        rule.id: str(constant_value(rule.outputs.get(ruleset.roles.outcome))) for rule in ruleset.tables[-1].rules
    }
    found = []
    for table in ruleset.tables:
        for trace in [trace for trace in traces if trace.table == table.name]:
            if trace.won and table.hit_policy is HitPolicy.FIRST:
                break
            if len(trace.failed) == 1:
                found.append(NearMiss(table.name, trace.rule, trace.failed[0], outcomes.get(trace.rule, "")))
    return tuple(sorted(found, key=_distance)[:NEAR_MISSES])


def _distance(miss: NearMiss) -> tuple[bool, int]:
    margin = miss.condition.margin
    return (margin is None, abs(margin.steps) if margin else 0)


def _tables_seen(ruleset: Ruleset, judgment: Judgment) -> Sequence[_Seen]:
    known: dict[str, Scalar | None] = dict(zip((f.name for f in ruleset.fields), judgment.values, strict=True))
    seen, first_bit = [], 0
    for table, scope in zip(ruleset.tables, ruleset.scopes, strict=True):
        seen.append(_Seen(table, scope, {name: known.get(name) for name in scope}))
        mask = judgment.matched >> first_bit & (1 << len(table.rules)) - 1
        first_bit += len(table.rules)
        winner = table.rules[(mask & -mask).bit_length() - 1] if mask else None
        for column in table.outputs:
            value = constant_value(winner.outputs.get(column.field)) if winner else None
            known[column.field] = value if isinstance(value, bool | int | float | str) else None
    return seen


def _trace(rule: Rule, seen: _Seen) -> tuple[ConditionTrace, ...]:
    traces = []
    for column in seen.table.inputs:
        cell = rule.cells.get(column.field)
        if cell is not None:
            field, value = seen.scope[column.field], seen.values[column.field]
            predicate = resolve(cell.condition, field)
            held = predicate.holds(field.point(value))
            traces.append(ConditionTrace(column.field, cell.text, value, held, margin_of(predicate, field, value)))
    return tuple(traces)


def _winner(
    ruleset: Ruleset, table: Table, matched: Sequence[Sequence[ConditionTrace]], judgment: Judgment
) -> str | None:
    if table is ruleset.tables[-1]:
        return judgment.decision.rule or None
    for rule, conditions in zip(table.rules, matched, strict=True):
        if all(condition.held for condition in conditions):
            return rule.id
    return None
