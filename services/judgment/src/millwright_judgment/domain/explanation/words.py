"""Explanations in words: English and Korean, for the people at the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from millwright_judgment.domain.evaluation.decisions import Status
from millwright_judgment.domain.evaluation.rows import Judgment
from millwright_judgment.domain.explanation.counterfactuals import Counterfactual
from millwright_judgment.domain.explanation.traces import ConditionTrace, NearMiss, RuleTrace
from millwright_judgment.domain.ruleset.fields import Field, Scalar
from millwright_judgment.domain.ruleset.model import Ruleset

_SHOWN = 3
"""How many near misses and counterfactuals are put into words."""


def in_words(
    ruleset: Ruleset,
    judgment: Judgment,
    traces: Sequence[RuleTrace],
    misses: Sequence[NearMiss],
    changes: Sequence[Counterfactual],
) -> dict[str, str]:
    """Give the whole explanation as a few sentences, by language."""
    scope = {name: field for fields in ruleset.scopes for name, field in fields.items()}
    won = next((trace for trace in reversed(traces) if trace.won and trace.rule == judgment.decision.rule), None)
    texts = {}
    for language, words in (("en", _English(scope)), ("ko", _Korean(scope))):
        sentences = [words.verdict(judgment, won)]
        sentences += [words.miss(miss) for miss in misses[:_SHOWN]]
        sentences += [words.change(change) for change in changes[:_SHOWN]]
        texts[language] = " ".join(sentences)
    return texts


class _Words:
    """What the languages share: how fields and values are written."""

    language = "en"

    def __init__(self, scope: Mapping[str, Field]) -> None:
        self._scope = scope

    def _field(self, name: str) -> str:
        field = self._scope.get(name)
        return field.titles.get(self.language, name) if field else name

    def _value(self, name: str, value: Scalar | None) -> str:
        field = self._scope.get(name)
        if value is None:
            return "null"
        if field is None or field.grid is None:
            return str(value).lower() if isinstance(value, bool) else f'"{value}"'
        unit = f" {field.unit}" if field.unit else ""
        step = field.point(value)
        assert isinstance(step, int)
        return f"{field.grid.text(step)}{unit}"

    def _size(self, condition: ConditionTrace) -> str:
        field = self._scope[condition.field]
        assert field.grid is not None
        assert condition.margin is not None
        unit = f" {field.unit}" if field.unit else ""
        return f"{field.grid.text(abs(condition.margin.steps))}{unit}"

    def _conditions(self, trace: RuleTrace, write: Callable[[ConditionTrace], str]) -> str:
        return ", ".join(write(condition) for condition in trace.conditions)


class _English(_Words):
    """English sentences."""

    def verdict(self, judgment: Judgment, won: RuleTrace | None) -> str:
        decision = judgment.decision
        if decision.status is Status.INDETERMINATE:
            return f"Nothing can be said: {' '.join(problem.message for problem in judgment.problems)}"
        if decision.status is Status.NO_MATCH:
            return "No rule matched, and the ruleset has no default."
        if won is None:
            return f"It is {decision.outcome} by the ruleset's default: no rule matched."
        if not won.conditions:
            return f"It is {decision.outcome} by rule {won.rule}, which asks for nothing."
        return f"It is {decision.outcome} by rule {won.rule}: {self._conditions(won, self._held)}."

    def _held(self, condition: ConditionTrace) -> str:
        margin = f" (by {self._size(condition)})" if condition.margin else ""
        value = self._value(condition.field, condition.value)
        return f"{self._field(condition.field)} is {value} and the rule asks for {condition.cell}{margin}"

    def miss(self, miss: NearMiss) -> str:
        condition = miss.condition
        short = f", {self._size(condition)} short" if condition.margin else ""
        would = f", which would be {miss.outcome}," if miss.outcome else ""
        value = self._value(condition.field, condition.value)
        return (
            f"Rule {miss.rule}{would} missed by {self._field(condition.field)} alone: "
            f"it asks for {condition.cell}, and the value is {value}{short}."
        )

    def change(self, change: Counterfactual) -> str:
        value = self._value(change.field, change.changed_value)
        return f"With {self._field(change.field)} at {value} it would be {change.outcome}."


class _Korean(_Words):
    """Korean sentences, put so that no particle depends on the word before it."""

    language = "ko"

    def verdict(self, judgment: Judgment, won: RuleTrace | None) -> str:
        decision = judgment.decision
        if decision.status is Status.INDETERMINATE:
            fields = ", ".join(f"{self._field(problem.field)}({problem.code})" for problem in judgment.problems)
            return f"판정할 수 없습니다. 원인 항목: {fields}."
        if decision.status is Status.NO_MATCH:
            return "일치하는 규칙이 없고 기본값도 없습니다."
        if won is None:
            return f"판정: {decision.outcome}. 일치하는 규칙이 없어 기본값을 적용했습니다."
        if not won.conditions:
            return f"판정: {decision.outcome}. 적용 규칙: {won.rule}(조건 없음)."
        return f"판정: {decision.outcome}. 적용 규칙: {won.rule}. 근거: {self._conditions(won, self._held)}."

    def _held(self, condition: ConditionTrace) -> str:
        margin = f", 여유 {self._size(condition)}" if condition.margin else ""
        value = self._value(condition.field, condition.value)
        return f"{self._field(condition.field)} = {value}(조건 {condition.cell}{margin})"

    def miss(self, miss: NearMiss) -> str:
        condition = miss.condition
        short = f", 차이 {self._size(condition)}" if condition.margin else ""
        would = f"(판정 {miss.outcome})" if miss.outcome else ""
        value = self._value(condition.field, condition.value)
        return (
            f"규칙 {miss.rule}{would}: 한 가지 조건만 어긋났습니다. "
            f"{self._field(condition.field)} = {value}, 조건 {condition.cell}{short}."
        )

    def change(self, change: Counterfactual) -> str:
        value = self._value(change.field, change.changed_value)
        return f"{self._field(change.field)} = {value}: 판정 {change.outcome}."
