"""Rows of a file held against an input schema: those that fit are kept, and why others do not is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from millwright_judgment.domain.datasets.dataset import (
    EXAMPLES,
    MOST_FAULTS,
    SEGMENTS,
    Fault,
    Manner,
    Misfit,
    UnreadableFile,
)
from millwright_judgment.domain.evaluation.decisions import Status
from millwright_judgment.domain.input.check import Problem
from millwright_judgment.domain.input.columns import Booleans, Column, TextColumn, misfits
from millwright_judgment.domain.ruleset.fields import Field, Missing
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.engine.datasets import cells
from millwright_judgment.engine.datasets.files import Batch, File
from millwright_judgment.store import dataset_parts

_SEGMENT_CHARACTERS = 63


class Fitting:
    """The reading of one file."""

    def __init__(self, file: File, ruleset: Ruleset, manner: Manner) -> None:
        """Find the columns; raise UnreadableFile for a header that does not do."""
        _check_header(file.header)
        self._file = file
        self._outcomes = {*ruleset.levels, Status.INDETERMINATE.value, Status.NO_MATCH.value}
        self._fields = ruleset.fields
        self._at = {name: place for place, name in enumerate(file.header)}
        self._segments = _segments(manner, self._at)
        self._expected = manner.expected
        if manner.expected and manner.expected not in self._at:
            raise _missing(manner.expected)
        for field in ruleset.fields:
            if field.missing is Missing.ERROR and field.name not in self._at:
                raise _missing(field.name)
        self._known = [field for field in ruleset.fields if field.name in self._at]
        if not self._known:
            message = "None of its columns is a field of the ruleset."
            raise UnreadableFile(message)
        used = {*(field.name for field in self._known), *self._segments.values(), manner.expected}
        self._columns = [name for name in file.header if name in used]
        self.ignored_columns = tuple(name[:100] for name in file.header if name not in used)
        self.rows = 0
        self.rejected_rows = 0
        self._faults: dict[tuple[str, str], tuple[int, list[int]]] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Give the reasons, the most frequent first."""
        found = [Fault(*key, rows, tuple(examples)) for key, (rows, examples) in self._faults.items()]
        return tuple(sorted(found, key=lambda each: (-each.rows, each.column, each.code))[:MOST_FAULTS])

    def tables(self) -> Iterator[pa.Table]:
        """Give the rows that fit, some at a time."""
        for batch in self._file.batches([self._at[name] for name in self._columns]):
            if batch.misshapen:
                self._count("", Misfit.CELL_COUNT, np.array(batch.misshapen))
                self.rejected_rows += len(batch.misshapen)
            if len(batch.numbers):
                yield self._fit(batch)

    def _fit(self, batch: Batch) -> pa.Table:
        rows = len(batch.numbers)
        given = dict(zip(self._columns, batch.cells, strict=True))
        is_rejected = np.zeros(rows, dtype=bool)
        values: dict[str, Column] = {}
        about: dict[str, TextColumn] = {}
        found: dict[tuple[str, str], Booleans] = {}
        for column, code, is_so in self._read(given, rows, values, about):
            found[column, code] = found.get((column, code), False) | is_so
        for (column, code), is_so in found.items():
            if is_so.any():
                is_rejected |= is_so
                self._count(column, code, batch.numbers[is_so])
        kept = np.flatnonzero(~is_rejected)
        self.rows += len(kept)
        self.rejected_rows += rows - len(kept)
        return dataset_parts.table(batch.numbers, self._known, values, about, kept)

    def _read(
        self, given: Mapping[str, pa.Array], rows: int, values: dict[str, Column], about: dict[str, TextColumn]
    ) -> Iterator[tuple[str, str, Booleans]]:
        """Fill in the values of fields and what is about the rows; give what is wrong, by column."""
        unreadable: dict[str, Booleans] = {}
        for field in self._known:
            read = self._cells(field, given[field.name])
            values[field.name], unreadable[field.name] = read.column, read.is_unreadable
            yield field.name, read.code, read.is_unreadable
        for name, problem, is_so in misfits(self._fields, values, rows):
            is_read = ~unreadable[name] if name in unreadable else np.ones(rows, dtype=bool)
            yield name, problem, is_so & is_read
        named = {**self._segments, **({"expected": self._expected} if self._expected else {})}
        for kind, name in named.items():
            read = cells.texts(name, given[name], self._file.decode, empty_is_null=True)
            assert isinstance(read.column, TextColumn)
            about[kind] = read.column
            yield name, read.code, read.is_unreadable
            if kind == "expected":
                is_unknown = [text not in self._outcomes for text in read.column.texts]
                yield name, Misfit.UNKNOWN_OUTCOME, _where(is_unknown, read.column)
            elif name in values:  # a field as well: what is too long for a segment may be right there
                is_long = _where([not _is_segment(text) for text in read.column.texts], read.column)
                about[kind] = TextColumn(np.where(is_long, np.int32(-1), read.column.codes), read.column.texts)
            else:
                are_long = [len(text) > _SEGMENT_CHARACTERS for text in read.column.texts]
                yield name, Problem.TEXT_TOO_LONG, _where(are_long, read.column)
                yield name, Problem.UNSTORABLE_TEXT, _where(["\0" in text for text in read.column.texts], read.column)

    def _cells(self, field: Field, given: pa.Array) -> cells.Cells:
        return cells.read(field.name, field.type, given, self._file.decode, empty_is_null=self._file.empty_is_null)

    def _count(self, column: str, code: str, numbers: NDArray[np.int64]) -> None:
        rows, examples = self._faults.get((column, code), (0, []))
        examples = [*examples, *numbers[: EXAMPLES - len(examples)].tolist()]
        self._faults[column, code] = (rows + len(numbers), examples)


def _is_segment(text: str) -> bool:
    return len(text) <= _SEGMENT_CHARACTERS and "\0" not in text


def _where(are_so: Sequence[bool], column: TextColumn) -> Booleans:
    is_so: Booleans = np.array([*are_so, False])[column.codes]
    return is_so


def _check_header(header: Sequence[str]) -> None:
    twice = next((name for place, name in enumerate(header) if name in header[:place]), None)
    if twice is not None:
        message = f"Two of its columns are called {twice[:100]!r}."
        raise UnreadableFile(message)


def _segments(manner: Manner, at: Mapping[str, int]) -> Mapping[str, str]:
    found = {}
    for kind in SEGMENTS:
        if named := manner.segments.get(kind):
            if named not in at:
                raise _missing(named)
            found[kind] = named
        elif standing := next((name for name in (f"_{kind}", kind) if name in at), None):
            found[kind] = standing
    return found


def _missing(name: str) -> UnreadableFile:
    return UnreadableFile(f"It has no column {name[:100]}.")
