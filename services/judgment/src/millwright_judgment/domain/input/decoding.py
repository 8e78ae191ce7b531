"""Inputs as they are kept, JSON texts, into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from millwright_judgment.domain.input.columns import Column, FlagColumn, NumberColumn, TextColumn
from millwright_judgment.domain.ruleset.fields import Field, FieldType


def decode(texts: Sequence[bytes]) -> list[dict[str, object]]:
    """Read inputs; none of the texts has a line break, as canonical JSON has none."""
    read: list[dict[str, object]] = orjson.loads(b"[" + b",".join(texts) + b"]")
    return read


def to_columns(fields: Sequence[Field], inputs: Sequence[Mapping[str, object]]) -> dict[str, Column]:
    """Put inputs that were checked against these fields into columns; what is absent is null."""
    return {field.name: _column(field, _values(field.name, inputs)) for field in fields}


def _values(name: str, inputs: Sequence[Mapping[str, object]]) -> list[object]:
    try:
        return list(map(itemgetter(name), inputs))  # a canonical input has all its fields
    except KeyError:
        return [given.get(name) for given in inputs]


def text_column(values: Sequence[object]) -> TextColumn:
    """Put texts into a column, None as null."""
    encoded = pa.array(values, pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return TextColumn(codes, tuple(encoded.dictionary.to_pylist()))


def take(columns: Mapping[str, Column], rows: NDArray[np.intp]) -> dict[str, Column]:
    """Give some rows of columns."""
    return {name: _take(column, rows) for name, column in columns.items()}


def _column(field: Field, values: list[object]) -> Column:
    if field.type is FieldType.STRING:
        return text_column(values)
    if field.type is FieldType.BOOLEAN:
        return FlagColumn(np.array([-1 if value is None else int(bool(value)) for value in values], dtype=np.int8))
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN, which JSON has no other way to hold
    is_null = np.isnan(numbers)
    return NumberColumn(numbers, is_null if is_null.any() else None)


def _take(column: Column, rows: NDArray[np.intp]) -> Column:
    if isinstance(column, NumberColumn):
        return NumberColumn(column.values[rows], None if column.is_null is None else column.is_null[rows])
    if isinstance(column, TextColumn):
        return TextColumn(column.codes[rows], column.texts)
    return FlagColumn(column.values[rows])
