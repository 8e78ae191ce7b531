"""Conditions: what a cell says, before it is known what the field's values are.

`resolve` turns a condition into the predicate of a field. A condition is kept as it was written, so that the same cell
can be held against the input schema of another version.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache, reduce

from millwright_judgment.domain.ruleset import predicates
from millwright_judgment.domain.ruleset.fields import Field, FieldType
from millwright_judgment.domain.ruleset.predicates import (
    ALL_NUMBERS,
    ALL_TEXTS,
    NO_NUMBERS,
    NO_TEXTS,
    UNBOUNDED,
    Numbers,
    Predicate,
    Texts,
)


@dataclass(frozen=True, slots=True)
class Truth:
    """The literal true or false: a type of its own, since Python holds True and 1 for equal."""

    is_true: bool


Literal = Decimal | str | Truth | None


class Operator(StrEnum):
    """How a value is compared."""

    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Comparison:
    """The value is above or below a number."""

    operator: Operator
    number: Decimal


@dataclass(frozen=True, slots=True)
class Interval:
    """The value lies between two numbers."""

    low: Decimal
    high: Decimal
    has_low: bool
    """True if `low` itself is let through."""
    has_high: bool


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these."""

    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What the part does not let through. As in ZEN, null differs from every value, but lies outside of no interval."""

    part: Interval | OneOf


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts let the value through."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part lets the value through."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """Every value is let through, null too."""


Condition = Comparison | Interval | OneOf | Not | AllOf | AnyOf | Anything
ANYTHING = Anything()


class ConditionMismatch(ValueError):
    """A condition is not one for the field's type."""


@lru_cache(maxsize=65_536)
def resolve(condition: Condition, field: Field) -> Predicate:
    """Give the values of `field` that a condition lets through; raise ConditionMismatch if its type is another."""
    match condition:
        case Anything():
            return _everything(field)
        case AllOf(parts):
            return _combined(predicates.both, parts, field)
        case AnyOf(parts):
            return _combined(predicates.either, parts, field)
        case Not(part):
            rest = predicates.inverse(resolve(part, field))
            return Predicate(rest.values) if isinstance(part, Interval) else rest
        case OneOf(literals):
            return reduce(predicates.either, [_literal(literal, field) for literal in literals])
        case Comparison(operator, number):
            return Predicate(Numbers((_compared(operator, number, field),)))
        case Interval():
            return Predicate(predicates.numbers([_between(condition, field)]))


def _combined(
    combine: Callable[[Predicate, Predicate], Predicate], parts: tuple[Condition, ...], field: Field
) -> Predicate:
    return reduce(combine, [resolve(part, field) for part in parts])


def _everything(field: Field) -> Predicate:
    return Predicate(ALL_TEXTS if field.type is FieldType.STRING else ALL_NUMBERS, is_null=True)


def _literal(literal: Literal, field: Field) -> Predicate:
    if literal is None:
        return Predicate(NO_TEXTS if field.type is FieldType.STRING else NO_NUMBERS, is_null=True)
    if isinstance(literal, Truth):
        _require(field.type is FieldType.BOOLEAN, field, "true or false")
        return Predicate(Numbers(((int(literal.is_true), int(literal.is_true)),)))
    if isinstance(literal, str):
        _require(field.type is FieldType.STRING, field, "a text")
        return Predicate(Texts(frozenset({literal})))
    steps = _steps(literal, field)
    return Predicate(predicates.numbers([(math.ceil(steps), math.floor(steps))]))


def _compared(operator: Operator, number: Decimal, field: Field) -> tuple[int, int]:
    steps = _steps(number, field)
    match operator:
        case Operator.ABOVE:
            return math.floor(steps) + 1, UNBOUNDED
        case Operator.AT_LEAST:
            return math.ceil(steps), UNBOUNDED
        case Operator.BELOW:
            return -UNBOUNDED, math.ceil(steps) - 1
        case Operator.AT_MOST:
            return -UNBOUNDED, math.floor(steps)


def _between(interval: Interval, field: Field) -> tuple[int, int]:
    low, _ = _compared(Operator.AT_LEAST if interval.has_low else Operator.ABOVE, interval.low, field)
    _, high = _compared(Operator.AT_MOST if interval.has_high else Operator.BELOW, interval.high, field)
    return low, high


def _steps(number: Decimal, field: Field) -> Fraction:
    _require(field.type.is_numeric, field, "a number")
    assert field.grid is not None
    return field.grid.exact(number)


def _require(is_so: bool, field: Field, what: str) -> None:  # noqa: FBT001
    if not is_so:
        message = f"The field {field.name} is a {field.type}; the cell compares it with {what}."
        raise ConditionMismatch(message)


def numbers_in(condition: Condition) -> list[Decimal]:
    """Give every number that a condition names."""
    match condition:
        case Comparison(_, number):
            return [number]
        case Interval(low, high):
            return [low, high]
        case OneOf(literals):
            return [literal for literal in literals if isinstance(literal, Decimal)]
        case Not(part):
            return numbers_in(part)
        case AllOf(parts) | AnyOf(parts):
            return [number for part in parts for number in numbers_in(part)]
        case Anything():
            return []
