"""Fields: what an input may hold, and what it means if it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from millwright_judgment.domain.ruleset.grid import Grid
from millwright_judgment.domain.ruleset.limits import STEPS
from millwright_judgment.domain.ruleset.predicates import Numbers, Predicate, Texts

Scalar = float | int | str | bool
"""A value of an input: `float` of a number field, `int` of an integer field."""


class FieldType(StrEnum):
    """What values a field has."""

    NUMBER = "number"
    INTEGER = "integer"
    STRING = "string"
    BOOLEAN = "boolean"

    @property
    def is_numeric(self) -> bool:
        """Tell whether its values have a resolution and can be compared by size."""
        return self in (FieldType.NUMBER, FieldType.INTEGER)


class Missing(StrEnum):
    """What it means if a field is absent or null."""

    ERROR = "error"
    """The input is refused."""
    INDETERMINATE = "indeterminate"
    """Nothing can be said: the judgment is INDETERMINATE."""
    DEFAULT = "default"
    """The field's default is taken."""
    ALLOW = "allow"
    """The rules decide: only cells that say so match null."""


class Outside(StrEnum):
    """What it means if a value lies outside the field's range or is none of its values."""

    ERROR = "error"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the input, or one that an earlier table puts out."""

    name: str
    type: FieldType
    grid: Grid | None = None
    """Of numbers and integers; None of all else."""
    low: int | None = None
    """The smallest step that is in range."""
    high: int | None = None
    """The largest."""
    unit: str = ""
    values: tuple[str, ...] = ()
    """The only texts there are; none for any text."""
    missing: Missing = Missing.ERROR
    default: Scalar | None = None
    outside: Outside = Outside.ERROR
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What people call it, by language."""

    @property
    def is_nullable(self) -> bool:
        """Tell whether rules may meet null."""
        return self.missing is Missing.ALLOW

    @property
    def domain(self) -> Predicate:
        """Give all values that rules may meet."""
        if self.type is FieldType.BOOLEAN:
            return Predicate(Numbers(((0, 1),)), is_null=self.is_nullable)
        if self.type is FieldType.STRING:
            texts = Texts(frozenset(self.values)) if self.values else Texts(frozenset(), is_excluding=True)
            return Predicate(texts, is_null=self.is_nullable)
        return Predicate(Numbers((self.range,)), is_null=self.is_nullable)

    @property
    def range(self) -> tuple[int, int]:
        """Give the smallest and the largest step that a number can be."""
        assert self.grid is not None
        furthest = STEPS // self.grid.multiple
        return -furthest if self.low is None else self.low, furthest if self.high is None else self.high

    def farthest(self, value: float) -> Scalar | None:
        """Give the farthest number of a sign, which lies outside: what is farther still is kept as that.

        Kept as null it would be missing when it is judged again.
        """
        assert self.grid is not None
        step = 2 * (STEPS // self.grid.multiple)
        return self.scalar(step if value > 0 else -step)

    def point(self, value: Scalar | None) -> int | str | None:
        """Give a checked value as predicates see it: numbers as steps, booleans as 0 and 1."""
        if value is None or isinstance(value, str):
            return value
        if self.grid is None:
            return int(value)
        return self.grid.step(value)

    def scalar(self, point: int | str | None) -> Scalar | None:
        """Give the value that a point stands for."""
        if point is None or isinstance(point, str):
            return point
        if self.type is FieldType.BOOLEAN:
            return bool(point)
        assert self.grid is not None
        return point * self.grid.multiple if self.type is FieldType.INTEGER else self.grid.value(point)
