"""Margins: how far a value is from where a condition turns, exactly."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_judgment.domain.ruleset import predicates
from millwright_judgment.domain.ruleset.fields import Field, Scalar
from millwright_judgment.domain.ruleset.predicates import Numbers, Predicate


@dataclass(frozen=True, slots=True)
class Margin:
    """How far a value would have to move for the condition to turn: positive where it holds, negative where not."""

    steps: int
    """In steps of the field's resolution."""
    size: float
    """In the field's unit."""


def margin_of(predicate: Predicate, field: Field, value: Scalar | None) -> Margin | None:
    """Give a value's margin; None for what is no number, and where no value of the field turns the condition."""
    if field.grid is None or value is None:
        return None
    step = field.point(value)
    assert isinstance(step, int)
    holds = predicate.holds(step)
    turned = predicates.both(predicates.inverse(predicate) if holds else predicate, field.domain)
    assert isinstance(turned.values, Numbers)
    if not turned.values.spans:
        return None
    distance = min(max(low - step, step - high) for low, high in turned.values.spans)
    steps = distance if holds else -distance
    return Margin(steps, field.grid.value(steps))
