"""Pages of executions as Parquet files: the columns that a replay reads, inputs in typed columns.

An input's field is the column `number.<field>`, `text.<field>` or `flag.<field>`, by the schema of the version that
judged it; versions that differ in a field's type fill different columns. What is absent is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.columns import Column, FlagColumn, NumberColumn, TextColumn
from millwright_judgment.domain.input.decoding import take
from millwright_judgment.domain.replays.page import Inputs, Page, Recorded
from millwright_judgment.domain.ruleset.fields import Field, FieldType

_SEGMENTS = ("line", "product", "shift", "unit")
_UNLIKE = ("execution", "matched")
"""The columns whose values are all different, or too short to be worth a dictionary."""
_KINDS = {
    FieldType.NUMBER: "number",
    FieldType.INTEGER: "number",
    FieldType.STRING: "text",
    FieldType.BOOLEAN: "flag",
}


class CopyDamaged(Exception):
    """A copy does not hold what it was made from."""


def encode(page: Page, recorded: Mapping[int, Evaluator]) -> bytes:
    """Write a page; `recorded` are the versions that judged it. Raises CopyDamaged unless it reads back as it was."""
    known = page.recorded
    assert known is not None
    columns = {
        "execution": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(16), page.rows, [None, pa.py_buffer(page.executions.tobytes())]
        ),
        "version": pa.array(page.versions),
        "status": pa.array(known.status),
        "outcome": _strings(known.outcome),
        "rule": _strings(known.rule),
        "confidence": pa.array(known.confidence),
        "matched": _masks(page, known, recorded),
        **{name: _strings(page.segments[name]) for name in _SEGMENTS},
    }
    table = pa.table(columns)
    for name, column in _inputs(page, recorded).items():
        table = table.append_column(name, column)
    sink = pa.BufferOutputStream()
    repeated = [name for name in table.column_names if name not in _UNLIKE]
    pq.write_table(table, sink, compression="zstd", write_statistics=False, use_dictionary=repeated)
    content: bytes = sink.getvalue().to_pybytes()
    if not _is_same(page, to_page(decode(content)), recorded):
        raise CopyDamaged
    return content


def decode(content: bytes) -> pa.Table:
    """Read a file."""
    texts = [field.name for field in pq.read_schema(pa.BufferReader(content)) if pa.types.is_string(field.type)]
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts)
    return file.read(use_threads=False).combine_chunks()


def to_page(table: pa.Table) -> Page:
    """Give what a file holds, or rows of it."""
    return Page(
        executions=np.frombuffer(_octets(table.column("execution"), 16), dtype="V16"),
        versions=table.column("version").to_numpy().astype(np.int32),
        inputs=CopiedInputs(table),
        segments={name: texts(table.column(name)) for name in _SEGMENTS},
        recorded=Recorded(
            status=table.column("status").to_numpy().astype(np.int16),
            outcome=texts(table.column("outcome")),
            rule=texts(table.column("rule")),
            confidence=table.column("confidence").to_numpy().astype(np.float64),
            matched=_joined(table.column("matched")),
        ),
    )


class CopiedInputs(Inputs):
    """Inputs in the columns of a file."""

    def __init__(self, table: pa.Table) -> None:
        """Read them from a file's table."""
        self._table = table
        self._columns: dict[str, Column] = {}

    def columns(self, fields: Sequence[Field], rows: NDArray[np.intp]) -> dict[str, Column]:
        """Give the inputs of some rows in columns."""
        found = {field.name: self.column(column_name(field)) for field in fields}
        return found if len(rows) == self._table.num_rows else take(found, rows)

    def at(self, row: int) -> Mapping[str, object]:
        """Give one row's input."""
        found: dict[str, object] = {}
        for name in self._table.column_names:
            _, _, field = name.partition(".")
            if field and (value := self._table.column(name)[row].as_py()) is not None:
                found[field] = value
        return found

    def column(self, name: str) -> Column:
        """Give one column by the name that the file has for it."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> Column:
        kind, _, _ = name.partition(".")
        if name not in self._table.column_names:
            return _absent(kind, self._table.num_rows)
        column = self._table.column(name)
        if kind == "text":
            return texts(column)
        if kind == "flag":
            return FlagColumn(column.cast(pa.int8()).fill_null(-1).to_numpy().astype(np.int8))
        is_null = column.is_null().to_numpy() if column.null_count else None
        return NumberColumn(column.to_numpy(), is_null)


def _absent(kind: str, rows: int) -> Column:
    if kind == "text":
        return TextColumn(np.full(rows, -1, dtype=np.int32), ())
    if kind == "flag":
        return FlagColumn(np.full(rows, -1, dtype=np.int8))
    return NumberColumn(np.full(rows, np.nan), np.ones(rows, dtype=bool))


def _inputs(page: Page, recorded: Mapping[int, Evaluator]) -> dict[str, pa.ChunkedArray]:
    """Give the columns of the inputs: by version, put one below the other, then in the order of the page again."""
    tables, places = [], []
    for version in np.unique(page.versions).tolist():
        rows = np.flatnonzero(page.versions == version)
        fields = recorded[version].ruleset.fields
        columns = page.inputs.columns(fields, rows)
        made = {column_name(field): array(columns[field.name]) for field in fields}
        tables.append(pa.table({"at": pa.array(rows), **made}))
        places.append(rows)
    whole = pa.concat_tables(tables, promote_options="default").drop_columns("at")
    ordered = whole if len(tables) == 1 else whole.take(pa.array(np.argsort(np.concatenate(places))))
    return {name: ordered.column(name) for name in ordered.column_names}


def column_name(field: Field) -> str:
    """Give what the column of a field is called."""
    return f"{_KINDS[field.type]}.{field.name}"


def array(column: Column) -> pa.Array:
    """Give a column as Arrow has it."""
    if isinstance(column, TextColumn):
        return _strings(column)
    if isinstance(column, FlagColumn):
        return pa.array(column.values > 0, mask=column.values < 0)
    return pa.array(column.values, mask=column.is_null)


def _strings(column: TextColumn) -> pa.Array:
    codes = pa.array(column.codes, mask=column.codes < 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(column.texts, pa.string())).cast(pa.string())


def _masks(page: Page, known: Recorded, recorded: Mapping[int, Evaluator]) -> pa.Array:
    sizes = {version: recorded[version].matched_bytes for version in np.unique(page.versions).tolist()}
    ends = np.cumsum([0, *(sizes[version] for version in page.versions.tolist())])
    if ends[-1] != len(known.matched):
        raise CopyDamaged
    offsets = pa.py_buffer(ends.astype(np.int32).tobytes())
    return pa.Array.from_buffers(pa.binary(), page.rows, [None, offsets, pa.py_buffer(known.matched)])


def texts(column: pa.ChunkedArray) -> TextColumn:
    """Give a column of texts as ours."""
    encoded = column.combine_chunks() if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    whole = encoded if isinstance(encoded, pa.DictionaryArray) else encoded.chunk(0)
    codes = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return TextColumn(codes, tuple(whole.dictionary.to_pylist()))


def _octets(column: pa.ChunkedArray, size: int) -> bytes:
    whole = column.combine_chunks()
    begin = whole.offset * size
    octets: bytes = whole.buffers()[1][begin : begin + len(whole) * size].to_pybytes()
    return octets


def _joined(column: pa.ChunkedArray) -> bytes:
    """Give the values of a binary column, one after another."""
    whole = column.combine_chunks()
    _, ends, values = whole.buffers()
    if not len(whole) or values is None:
        return b""
    first, last = np.frombuffer(ends, dtype=np.int32)[[whole.offset, whole.offset + len(whole)]]
    joined: bytes = values[first:last].to_pybytes()
    return joined


def _is_same(page: Page, copy: Page, recorded: Mapping[int, Evaluator]) -> bool:
    known, copied = page.recorded, copy.recorded
    assert known is not None
    assert copied is not None
    return (
        bool((page.executions == copy.executions).all())
        and np.array_equal(page.versions, copy.versions)
        and np.array_equal(known.status, copied.status)
        and np.array_equal(known.confidence, copied.confidence)
        and known.matched == copied.matched
        and _have_same_values(known.outcome, copied.outcome)
        and _have_same_values(known.rule, copied.rule)
        and all(_have_same_values(page.segments[name], copy.segments[name]) for name in _SEGMENTS)
        and all(_have_same_inputs(page, copy, number, it) for number, it in recorded.items())
    )


def _have_same_inputs(page: Page, copy: Page, version: int, evaluator: Evaluator) -> bool:
    rows = np.flatnonzero(page.versions == version)
    fields = evaluator.ruleset.fields
    mine, theirs = page.inputs.columns(fields, rows), copy.inputs.columns(fields, rows)
    return all(_have_same_values(mine[field.name], theirs[field.name]) for field in fields)


def _have_same_values(one: Column, other: Column) -> bool:
    if isinstance(one, TextColumn) and isinstance(other, TextColumn):
        mine = np.array([*one.texts, None], dtype=object)[one.codes]
        return bool((mine == np.array([*other.texts, None], dtype=object)[other.codes]).all())
    if isinstance(one, FlagColumn) and isinstance(other, FlagColumn):
        return np.array_equal(one.values, other.values)
    if isinstance(one, NumberColumn) and isinstance(other, NumberColumn):
        return np.array_equal(one.values, other.values, equal_nan=True)
    return False
