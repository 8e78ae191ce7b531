"""Checks many inputs at once, in columns: the same rules and the same rounding as for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.input.check import Problem, Unfit, Values, fitted
from millwright_judgment.domain.ruleset.fields import Field, FieldType, Missing, Outside, Scalar

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Numbers of one field; a null is a NaN that `is_null` tells of, so that other NaNs are refused."""

    values: NDArray[np.float64]
    is_null: Booleans | None = None
    """None if there are none."""


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Texts of one field, each as its place in `texts`; -1 is null."""

    codes: NDArray[np.int32]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagColumn:
    """Booleans of one field as 1 and 0; -1 is null."""

    values: NDArray[np.int8]


Column = NumberColumn | TextColumn | FlagColumn


@dataclass(frozen=True, slots=True)
class CheckedColumns:
    """Inputs after the check, in columns in the order of the schema: rounded, defaults filled in.

    Values of rows that are refused or INDETERMINATE are whatever; nothing is to be read from them.
    """

    columns: tuple[Column, ...]
    is_refused: Booleans
    is_indeterminate: Booleans

    @property
    def rows(self) -> int:
        """Give how many inputs there are."""
        return len(self.is_refused)


def check_columns(fields: Sequence[Field], given: Mapping[str, Column], rows: int) -> CheckedColumns:
    """Check `rows` inputs. A field without a column is null in all of them; columns of no field are not looked at."""
    is_refused = np.zeros(rows, dtype=bool)
    is_indeterminate = np.zeros(rows, dtype=bool)
    checked = []
    for field in fields:
        column, is_null, is_outside, is_wrong = _fit(field, given.get(field.name), rows)
        is_refused |= is_wrong
        for is_so, policy in ((is_null, field.missing), (is_outside, field.outside)):
            if policy in (Missing.ERROR, Outside.ERROR):
                is_refused |= is_so
            elif policy in (Missing.INDETERMINATE, Outside.INDETERMINATE):
                is_indeterminate |= is_so
        checked.append(column)
    is_indeterminate &= ~is_refused
    return CheckedColumns(tuple(checked), is_refused, is_indeterminate)


def misfits(fields: Sequence[Field], given: Mapping[str, Column], rows: int) -> Iterator[tuple[str, Problem, Booleans]]:
    """Give which inputs are refused, by field and by what is wrong there: together they are those that are refused."""
    for field in fields:
        column = given.get(field.name)
        _, is_null, is_outside, is_wrong = _fit(field, column, rows)
        if field.missing is Missing.ERROR:
            yield field.name, Problem.MISSING, is_null
        if field.outside is Outside.ERROR:
            outside = Problem.UNKNOWN_VALUE if field.type is FieldType.STRING else Problem.OUT_OF_RANGE
            yield field.name, outside, is_outside
        if isinstance(column, TextColumn) and field.type is FieldType.STRING:
            problems = [_problem(field, text) for text in column.texts]
            for problem in sorted({each for each in problems if each not in (None, Problem.UNKNOWN_VALUE)}):
                yield field.name, problem, np.array([each is problem for each in problems] + [False])[column.codes]
        elif isinstance(column, NumberColumn) and field.type.is_numeric:
            is_finite = np.isfinite(column.values)
            yield field.name, Problem.NOT_FINITE, is_wrong & ~is_finite
            yield field.name, Problem.WRONG_TYPE, is_wrong & is_finite
        else:
            yield field.name, Problem.WRONG_TYPE, is_wrong


def values_at(fields: Sequence[Field], columns: Sequence[Column], row: int) -> Values:
    """Give one row's values, as a check of that input alone would give them."""
    return tuple(_value_at(field, column, row) for field, column in zip(fields, columns, strict=True))


_Fit = tuple[Column, Booleans, Booleans, Booleans]
"""The column, and which of its values are null, outside of what the field may have, and none at all."""


def _fit(field: Field, column: Column | None, rows: int) -> _Fit:
    everywhere = np.ones(rows, dtype=bool)
    if column is None:
        null_column = _nulls(field, rows)
        return _with_default(field, null_column, everywhere), everywhere, ~everywhere, ~everywhere
    if field.type.is_numeric and isinstance(column, NumberColumn):
        return _fit_numbers(field, column)
    if field.type is FieldType.STRING and isinstance(column, TextColumn):
        return _fit_texts(field, column)
    if field.type is FieldType.BOOLEAN and isinstance(column, FlagColumn):
        is_null = column.values < 0
        return _with_default(field, column, is_null), is_null, ~everywhere, ~everywhere
    is_null = _is_null(column)
    return _with_default(field, _nulls(field, rows), is_null), is_null, ~everywhere, ~is_null


def _fit_numbers(field: Field, column: NumberColumn) -> _Fit:
    assert field.grid is not None
    grid = field.grid
    is_null = _is_null(column)
    low, high = field.range
    is_far = np.abs(column.values) > 2 * grid.highest
    is_wrong = ~np.isfinite(column.values) & ~is_null
    values = np.where(is_null | is_wrong | is_far, 0.0, column.values)
    if field.type is FieldType.INTEGER:
        is_wrong |= values % 1 != 0
    steps = np.rint(values * float(grid.scale) / float(grid.multiple))
    is_outside = ((steps < low) | (steps > high) | is_far) & ~is_null & ~is_wrong
    rounded = NumberColumn(steps * float(grid.multiple) / float(grid.scale) + 0.0, is_null if is_null.any() else None)
    return _with_default(field, rounded, is_null), is_null, is_outside, is_wrong


def _fit_texts(field: Field, column: TextColumn) -> _Fit:
    problems = [_problem(field, text) for text in column.texts]
    wrong = np.array([problem not in (None, Problem.UNKNOWN_VALUE) for problem in problems] + [False])
    outside = np.array([problem is Problem.UNKNOWN_VALUE for problem in problems] + [False])
    is_null = column.codes < 0
    return _with_default(field, column, is_null), is_null, outside[column.codes], wrong[column.codes]


def _problem(field: Field, text: str) -> Problem | None:
    try:
        fitted(field, text)
    except Unfit as unfit:
        return unfit.code
    return None


def _is_null(column: Column) -> Booleans:
    if isinstance(column, NumberColumn):
        return np.zeros(len(column.values), dtype=bool) if column.is_null is None else column.is_null
    return column.codes < 0 if isinstance(column, TextColumn) else column.values < 0


def _nulls(field: Field, rows: int) -> Column:
    if field.type is FieldType.STRING:
        return TextColumn(np.full(rows, -1, dtype=np.int32), ())
    if field.type is FieldType.BOOLEAN:
        return FlagColumn(np.full(rows, -1, dtype=np.int8))
    return NumberColumn(np.zeros(rows), np.ones(rows, dtype=bool))


def _with_default(field: Field, column: Column, is_null: Booleans) -> Column:
    if field.missing is not Missing.DEFAULT or not is_null.any():
        return column
    if isinstance(column, NumberColumn):
        return NumberColumn(np.where(is_null, float(field.default or 0), column.values))
    if isinstance(column, FlagColumn):
        return FlagColumn(np.where(is_null, np.int8(bool(field.default)), column.values).astype(np.int8))
    texts = (*column.texts, str(field.default))
    return TextColumn(np.where(is_null, np.int32(len(texts) - 1), column.codes).astype(np.int32), texts)


def _value_at(field: Field, column: Column, row: int) -> Scalar | None:
    if isinstance(column, NumberColumn):
        if column.is_null is not None and column.is_null[row]:
            return None
        value = float(column.values[row])
        return int(value) if field.type is FieldType.INTEGER else value
    if isinstance(column, TextColumn):
        return None if column.codes[row] < 0 else column.texts[column.codes[row]]
    return None if column.values[row] < 0 else bool(column.values[row])
