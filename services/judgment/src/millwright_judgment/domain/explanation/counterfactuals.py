"""Counterfactuals: for each field, the nearest value that gives another outcome.

A ruleset is constant between thresholds, so it is enough to look at the first value past each: the answer is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from millwright_judgment.domain.evaluation.index import NumberIndex
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.ruleset.fields import Field, FieldType, Scalar

COUNTERFACTUALS = 20


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest change of one field that gives another outcome."""

    field: str
    value: Scalar
    changed_value: Scalar
    outcome: str
    """The outcome then, or the status where there is none."""
    distance_steps: int | None
    """How many steps of the resolution it is away; None for what is no number."""


def counterfactuals(evaluator: Evaluator, judgment: Judgment) -> tuple[Counterfactual, ...]:
    """Give the nearest change of each field that changes the outcome, those that are nearest first.

    Fields that are null, and those that no change of changes anything, are left out. None for INDETERMINATE.
    """
    if judgment.problems:
        return ()
    found = []
    for place, field in enumerate(evaluator.ruleset.fields):
        value = judgment.values[place]
        if value is not None:
            found += [changed for changed in [_nearest(evaluator, judgment, place, field, value)] if changed]
    ordered = sorted(found, key=lambda each: (each.distance_steps is None, each.distance_steps or 0))
    return tuple(ordered[:COUNTERFACTUALS])


def _nearest(
    evaluator: Evaluator, judgment: Judgment, place: int, field: Field, value: Scalar
) -> Counterfactual | None:
    before, after = judgment.values[:place], judgment.values[place + 1 :]
    for candidate, distance in _candidates(evaluator, place, field, value):
        changed = evaluator.judge_values((*before, candidate, *after)).decision
        if changed.label != judgment.decision.label:
            return Counterfactual(field.name, value, candidate, changed.label, distance)
    return None


def _candidates(evaluator: Evaluator, place: int, field: Field, value: Scalar) -> Iterator[tuple[Scalar, int | None]]:
    if field.grid is not None:
        yield from _steps(evaluator, place, field, value)
    elif field.type is FieldType.BOOLEAN:
        yield not value, None
    else:
        named = [
            text
            for table in evaluator.indexes
            for column in table.columns
            if column.input == place and not isinstance(column.index, NumberIndex)
            for text in column.index.masks
        ]
        for text in dict.fromkeys(field.values or (*named, _unnamed(named))):
            if text != value:
                yield text, None


def _steps(evaluator: Evaluator, place: int, field: Field, value: Scalar) -> Iterator[tuple[Scalar, int]]:
    at = field.point(value)
    assert isinstance(at, int)
    low, high = field.range
    bounds = {
        bound
        for table in evaluator.indexes
        for column in table.columns
        if column.input == place and isinstance(column.index, NumberIndex)
        for bound in column.index.bounds
    }
    # The first step past each threshold, seen from the value.
    steps = {bound if bound > at else bound - 1 for bound in bounds}
    for step in sorted(steps, key=lambda step: abs(step - at)):
        if low <= step <= high and step != at:
            changed = field.scalar(step)
            assert changed is not None
            yield changed, abs(step - at)


def _unnamed(named: list[str]) -> str:
    text = "other"
    while text in named:
        text += "-"
    return text
