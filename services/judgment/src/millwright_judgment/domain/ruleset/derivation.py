"""Derived fields: what a table puts out, as a field that later tables can speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from millwright_judgment.domain.ruleset.fields import Field, FieldType, Missing
from millwright_judgment.domain.ruleset.grid import grid_of
from millwright_judgment.domain.ruleset.outputs import Constant, Output, Reference


class PutsOut(Protocol):
    """A rule, as far as this goes."""

    @property
    def outputs(self) -> Mapping[str, Output]:
        """By field."""
        ...


def derived_field(name: str, rules: Sequence[PutsOut]) -> Field | None:
    """Give the field that an output column becomes; None if its cells have no one scalar type.

    It is null where no rule matches or the cell is empty. The resolution of numbers is that of the finest cell. A
    column that passes an input field on cannot be spoken of by later tables: None.
    """
    outputs = [rule.outputs[name] for rule in rules if name in rule.outputs]
    if any(isinstance(output, Reference) for output in outputs):
        return None
    constants = [output for output in outputs if isinstance(output, Constant) and output.json != "null"]
    if not constants:
        return None
    numbers = [constant.number for constant in constants if constant.number is not None]
    if len(numbers) == len(constants):
        finest = min(_exponent(number) for number in numbers)
        return Field(name, FieldType.NUMBER, grid=grid_of(Decimal(1).scaleb(min(0, finest))), missing=Missing.ALLOW)
    values = [constant.value for constant in constants]
    if all(isinstance(value, bool) for value in values):
        return Field(name, FieldType.BOOLEAN, missing=Missing.ALLOW)
    if all(isinstance(value, str) for value in values):
        texts = tuple(dict.fromkeys(str(value) for value in values))
        return Field(name, FieldType.STRING, values=texts, missing=Missing.ALLOW)
    return None


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
