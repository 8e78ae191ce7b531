"""Parts of data sets: some thousand rows each, as Parquet files of typed columns.

A field is the column `number.<field>`, `text.<field>` or `flag.<field>`, as in copies of executions; beside them are
the row's number, its segment, and what is expected. Values are as they were given: each target rounds them by its own
schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from millwright_judgment.domain.datasets.dataset import SEGMENTS
from millwright_judgment.domain.input.columns import Column, TextColumn
from millwright_judgment.domain.input.decoding import take
from millwright_judgment.domain.replays.page import Inputs, Page
from millwright_judgment.domain.ruleset.fields import Field
from millwright_judgment.store import parquet

_PART_ROWS = 32_768
_PART_BYTES = 16 * 1024 * 1024
_ABOUT = (*SEGMENTS, "expected")


def table(
    numbers: NDArray[np.int64],
    fields: Sequence[Field],
    values: Mapping[str, Column],
    about: Mapping[str, TextColumn],
    rows: NDArray[np.intp],
) -> pa.Table:
    """Put rows together: their numbers, the values of fields, and what is about them; of those, the ones at `rows`."""
    absent = TextColumn(np.full(len(numbers), -1, dtype=np.int32), ())
    kept_values, kept_about = take(values, rows), take({name: about.get(name, absent) for name in _ABOUT}, rows)
    return pa.table(
        {
            "row": pa.array(numbers[rows]),
            **{name: parquet.array(column) for name, column in kept_about.items()},
            **{parquet.column_name(field): parquet.array(kept_values[field.name]) for field in fields},
        }
    )


def parts(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Give rows in parts of a good size."""
    waiting: list[pa.Table] = []
    for each in tables:
        waiting.append(each)
        if sum(it.num_rows for it in waiting) >= _PART_ROWS or sum(it.nbytes for it in waiting) >= _PART_BYTES:
            yield from _cut(waiting)
            waiting = []
    yield from _cut(waiting)


def _cut(tables: Sequence[pa.Table]) -> Iterator[pa.Table]:
    if not tables or not (rows := sum(each.num_rows for each in tables)):
        return
    whole = pa.concat_tables(tables)
    size = max(1, min(_PART_ROWS, rows * _PART_BYTES // max(whole.nbytes, 1)))
    for begin in range(0, rows, size):
        yield whole.slice(begin, size)


def encode(part: pa.Table) -> bytes:
    """Write a part."""
    sink = pa.BufferOutputStream()
    pq.write_table(part, sink, compression="zstd", write_statistics=False)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def to_page(part: pa.Table) -> Page:
    """Give a part, or rows of it, as a page."""
    texts = {name: parquet.texts(part.column(name)) for name in _ABOUT}
    ids = np.zeros((part.num_rows, 2), dtype=">u8")
    ids[:, 1] = part.column("row").to_numpy()
    return Page(
        executions=ids.view("V16").reshape(-1),
        versions=np.zeros(part.num_rows, dtype=np.int32),
        inputs=_Inputs(part),
        segments={name: texts[name] for name in SEGMENTS},
        recorded=None,
        expected=texts["expected"],
    )


class _Inputs(Inputs):
    """Inputs of a data set: a target may have fields that the baseline has not, so that all are given."""

    def __init__(self, part: pa.Table) -> None:
        self._copied = parquet.CopiedInputs(part)
        self._table = part
        self._columns: dict[str, Column] = {}

    def columns(self, _fields: Sequence[Field], rows: NDArray[np.intp]) -> dict[str, Column]:
        """Give the inputs of some rows in columns, every column that there is."""
        if not self._columns:
            for name in self._table.column_names:
                _, _, field = name.partition(".")
                if field:
                    self._columns[field] = self._copied.column(name)
        return self._columns if len(rows) == self._table.num_rows else take(self._columns, rows)

    def at(self, row: int) -> Mapping[str, object]:
        """Give one row's input."""
        return self._copied.at(row)
