"""Changes of inputs: what if a field had another value. They are made before an input is checked and rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from millwright_judgment.domain.input.columns import Column, FlagColumn, NumberColumn, TextColumn
from millwright_judgment.domain.ruleset.fields import Scalar


class Operation(StrEnum):
    """What is done to a field."""

    SET = "SET"
    ADD = "ADD"
    MULTIPLY = "MULTIPLY"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class InputChange:
    """A change of one field of every input."""

    field: str
    operation: Operation
    operand: Scalar | None = None
    """The value to set, None for null; the number to add or to multiply by."""

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {"field": self.field, "operation": str(self.operation), "operand": self.operand}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InputChange:
        """Read what `to_json` wrote."""
        return cls(value["field"], Operation(value["operation"]), value["operand"])


def change_input(given: Mapping[str, object], changes: Sequence[InputChange]) -> dict[str, object]:
    """Give an input after changes, in their order; nothing is added to what is no number, or multiplied with it."""
    changed = dict(given)
    for change in changes:
        value = changed.get(change.field)
        if change.operation is Operation.SET:
            changed[change.field] = change.operand
        elif change.operation is Operation.REMOVE:
            changed.pop(change.field, None)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            assert isinstance(change.operand, int | float)
            is_sum = change.operation is Operation.ADD
            # As doubles, like columns do: whole numbers are not told apart from others before the check.
            changed[change.field] = float(value) + change.operand if is_sum else float(value) * change.operand
    return changed


def change_columns(given: Mapping[str, Column], changes: Sequence[InputChange], rows: int) -> dict[str, Column]:
    """Give inputs in columns after changes: the same as `change_input` of each."""
    changed = dict(given)
    for change in changes:
        column = changed.get(change.field)
        if change.operation is Operation.SET:
            changed[change.field] = _constant(change.operand, rows)
        elif change.operation is Operation.REMOVE:
            changed.pop(change.field, None)
        elif isinstance(column, NumberColumn):
            assert isinstance(change.operand, int | float)
            is_sum = change.operation is Operation.ADD
            values = column.values + change.operand if is_sum else column.values * change.operand
            changed[change.field] = NumberColumn(values, column.is_null)
    return changed


def _constant(value: Scalar | None, rows: int) -> Column:
    if isinstance(value, bool):
        return FlagColumn(np.full(rows, int(value), dtype=np.int8))
    if isinstance(value, str):
        return TextColumn(np.zeros(rows, dtype=np.int32), (value,))
    if value is None:
        return NumberColumn(np.zeros(rows), np.ones(rows, dtype=bool))
    return NumberColumn(np.full(rows, float(value)))
