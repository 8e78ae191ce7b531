"""Cells of a file into columns of fields. What cannot be read is null there, and told of beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millwright_judgment.domain.datasets.dataset import Misfit, UnreadableFile
from millwright_judgment.domain.input.check import Problem
from millwright_judgment.domain.input.columns import Booleans, Column, FlagColumn, NumberColumn, TextColumn
from millwright_judgment.domain.ruleset.fields import FieldType

_NUMBER = r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_NO_NUMBER = r"^\s*[+-]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)\s*$"
_FLAGS = {"true": 1, "1": 1, "false": 0, "0": 0}


Decode = Callable[[bytes], str]
"""Gives the text of a cell, or raises UnicodeDecodeError."""


class Cells(NamedTuple):
    """Cells that were read."""

    column: Column
    code: str
    """What those are that could not be."""
    is_unreadable: Booleans


def read(name: str, kind: FieldType, cells: pa.Array, decode: Decode, *, empty_is_null: bool) -> Cells:
    """Read cells as the values of a field; raise UnreadableFile if their type can be none of it."""
    if kind is FieldType.STRING:
        return texts(name, cells, decode, empty_is_null=empty_is_null)
    if kind is FieldType.BOOLEAN:
        return _flags(name, cells, decode)
    return _numbers(name, cells)


def texts(name: str, cells: pa.Array, decode: Decode, *, empty_is_null: bool) -> Cells:
    """Read texts."""
    if pa.types.is_integer(cells.type):
        cells = cells.cast(pa.string())
    if not pa.types.is_dictionary(cells.type):
        _check(name, cells, FieldType.STRING, is_fit=_is_text(cells.type))
        cells = cells.dictionary_encode()
    _check(name, cells, FieldType.STRING, is_fit=_is_text(cells.type.value_type))
    found: list[str] = []
    places: list[int] = []
    for octets in cells.dictionary.cast(pa.large_binary()).to_pylist():
        text = _decoded(octets, decode)
        if text is None or (empty_is_null and not text):
            places.append(-2 if text is None else -1)
            continue
        places.append(len(found))
        found.append(text)
    codes = cells.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    codes = np.array([*places, -1], dtype=np.int32)[codes]
    return Cells(TextColumn(np.maximum(codes, -1), tuple(found)), Misfit.UNREADABLE_TEXT, codes == -2)


def _decoded(octets: bytes | None, decode: Decode) -> str | None:
    try:
        return decode(octets or b"")
    except UnicodeDecodeError:
        return None


def _numbers(name: str, cells: pa.Array) -> Cells:
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    is_text = _is_text(cells.type)
    is_number = pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)
    _check(name, cells, FieldType.NUMBER, is_fit=is_text or is_number)
    if is_number:
        values = _doubles(cells.cast(pa.float64(), safe=False))
        is_null = cells.is_null().to_numpy(zero_copy_only=False)
        return Cells(NumberColumn(values, is_null if is_null.any() else None), "", np.zeros(len(values), dtype=bool))
    octets = cells.cast(pa.large_binary())
    is_number = pc.match_substring_regex(octets, _NUMBER).fill_null(False)  # noqa: FBT003 - Arrow's signature
    ascii_texts = pc.if_else(is_number, octets, pa.scalar(None, pa.large_binary())).cast(pa.large_string())
    trimmed = pc.utf8_ltrim(pc.ascii_trim_whitespace(ascii_texts), "+")
    values = _doubles(trimmed.cast(pa.float64()))
    is_empty = pc.match_substring_regex(octets, r"^\s*$").fill_null(True).to_numpy(zero_copy_only=False)  # noqa: FBT003
    is_infinite = pc.match_substring_regex(octets, _NO_NUMBER).fill_null(False).to_numpy(zero_copy_only=False)  # noqa: FBT003
    is_wrong = ~(is_number.to_numpy(zero_copy_only=False) | is_empty | is_infinite)
    is_null = is_empty | is_wrong
    return Cells(NumberColumn(values, is_null if is_null.any() else None), Problem.WRONG_TYPE, is_wrong)


def _flags(name: str, cells: pa.Array, decode: Decode) -> Cells:
    if pa.types.is_boolean(cells.type):
        values = cells.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
        return Cells(FlagColumn(values.astype(np.int8)), "", np.zeros(len(values), dtype=bool))
    _check(name, cells, FieldType.BOOLEAN, is_fit=not pa.types.is_integer(cells.type))
    read_texts = texts(name, cells, decode, empty_is_null=True)
    column = read_texts.column
    assert isinstance(column, TextColumn)
    known = np.array([*(_FLAGS.get(text.strip().lower(), -2) for text in column.texts), -1], dtype=np.int8)
    values = np.where(read_texts.is_unreadable, np.int8(-2), known[column.codes])
    return Cells(FlagColumn(np.maximum(values, -1).astype(np.int8)), Problem.WRONG_TYPE, values == -2)


def _doubles(cells: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values: np.ndarray[tuple[int], np.dtype[np.float64]] = cells.fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return values


def _is_text(kind: pa.DataType) -> bool:
    is_text: bool = (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )
    return is_text


def _check(name: str, cells: pa.Array, kind: FieldType, *, is_fit: bool) -> None:
    if not is_fit:
        message = f"The column {name[:100]} holds {str(cells.type)[:50]}, which can be no {kind}."
        raise UnreadableFile(message)
