"""Files of rows, CSV or Parquet, as batches of cells. Rows count from 1 after the header, without empty lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from millwright_judgment.domain.datasets.dataset import MOST_COLUMNS, MOST_ROWS, Encoding, UnreadableFile

_BLOCK_BYTES = 8 * 1024 * 1024
"""No row of a CSV file is longer."""
_BATCH_ROWS = 32_768
_LETTERS = "latin-1"
_TOO_MANY_ROWS = f"It has more than {MOST_ROWS:,} rows."


class Batch(NamedTuple):
    """Some rows."""

    numbers: NDArray[np.int64]
    cells: Sequence[pa.Array]
    """Of the columns that were asked for."""
    misshapen: Sequence[int]
    """The numbers of rows that have another number of cells than the header, and are in none of the others."""


class File(Protocol):
    """A file that is being read."""

    header: Sequence[str]
    empty_is_null: bool
    """An empty text says that the value is missing."""

    def batches(self, wanted: Sequence[int]) -> Iterator[Batch]:
        """Give all rows, of the columns at these places; raise UnreadableFile where it breaks off."""
        ...

    def decode(self, cell: bytes) -> str:
        """Give the text of a cell; raise UnicodeDecodeError if it is none."""
        ...


class CsvFile:
    """A CSV file. What is a comma, a quote or a line break in ASCII is one in CP949 as well.

    Arrow is told that every byte is a letter (Latin-1), so that bytes that are no text spoil their cell alone.
    """

    empty_is_null: bool = True

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        """Read the header."""
        self._misshapen: list[int] = []
        self._is_too_long = False
        self._encoding = encoding
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        self._blocks = self._open(file)
        first = next(self._blocks, None)
        if first is None:
            message = "It is empty."
            raise UnreadableFile(message)
        _check_columns(first.num_columns)
        try:
            self.header: Sequence[str] = [self.decode(column[0].as_py()).strip() for column in first.columns]
        except UnicodeDecodeError as error:
            message = f"Its header is no text in {encoding}."
            raise UnreadableFile(message) from error
        self._first = first.slice(1)

    def batches(self, wanted: Sequence[int]) -> Iterator[Batch]:
        """Give all rows."""
        begin = 1
        for block in self._all_blocks():
            bad = sorted(self._misshapen)
            self._misshapen.clear()
            end = begin + block.num_rows
            before = [number for number in bad if number < begin]
            for number in bad:
                end += begin <= number < end
            numbers = np.setdiff1d(np.arange(begin, end), bad)
            begin = end
            # A row after the last of the block is told of with the next.
            self._misshapen += [number for number in bad if number >= end]
            if end > MOST_ROWS + 1:
                raise UnreadableFile(_TOO_MANY_ROWS)
            told = [*before, *(number for number in bad if number < end and number not in before)]
            yield Batch(numbers, [block.column(place) for place in wanted], told)
        if self._misshapen:
            nothing = pa.array([], pa.binary())
            yield Batch(np.zeros(0, dtype=np.int64), [nothing] * len(wanted), sorted(self._misshapen))

    def decode(self, cell: bytes) -> str:
        """Give the text of a cell."""
        return cell.decode().encode(_LETTERS).decode(self._encoding)

    def _all_blocks(self) -> Iterator[pa.RecordBatch]:
        yield self._first
        yield from self._blocks

    def _open(self, file: BinaryIO) -> Iterator[pa.RecordBatch]:
        try:
            yield from pyarrow.csv.open_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=_BLOCK_BYTES, autogenerate_column_names=True, encoding=_LETTERS
                ),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._skip),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={f"f{place}": pa.binary() for place in range(MOST_COLUMNS + 1)},
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if self._is_too_long:
                raise UnreadableFile(_TOO_MANY_ROWS) from error
            message = (
                "It is no CSV that can be read: it is empty, a quote is not closed, or a row is longer than 8 MiB."
            )
            raise UnreadableFile(message) from error

    def _skip(self, row: pyarrow.csv.InvalidRow) -> str:
        number = (row.number or 1) - 1  # the header is the first
        self._is_too_long = number > MOST_ROWS
        self._misshapen.append(number)
        return "error" if self._is_too_long else "skip"


class ParquetFile:
    """A Parquet file. Texts are read as places in a dictionary, so that one long text repeated is one."""

    empty_is_null: bool = False

    def __init__(self, file: BinaryIO) -> None:
        """Read the footer."""
        with _readable():
            schema = pq.read_schema(file)
            texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
            file.seek(0)
            self._file = pq.ParquetFile(file, read_dictionary=texts, pre_buffer=False)
        self.header: Sequence[str] = list(schema.names)
        _check_columns(len(self.header))
        _check_columns(len(self.header))
        if self._file.metadata.num_rows > MOST_ROWS:
            raise UnreadableFile(_TOO_MANY_ROWS)

    def batches(self, wanted: Sequence[int]) -> Iterator[Batch]:
        """Give all rows."""
        columns = [self.header[place] for place in wanted]
        begin = 1
        with _readable():
            for batch in self._file.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False):
                numbers = np.arange(begin, begin + batch.num_rows)
                begin += batch.num_rows
                if begin > MOST_ROWS + 1:
                    raise UnreadableFile(_TOO_MANY_ROWS)
                yield Batch(numbers, [batch.column(name) for name in columns], ())

    def decode(self, cell: bytes) -> str:
        """Give the text of a cell."""
        return cell.decode()


class _readable:  # noqa: N801 - used as a statement
    """Turns what Arrow says of a file that is damaged into UnreadableFile."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, pa.ArrowException | OSError) and not isinstance(error, MemoryError):
            message = "It is no Parquet file that can be read whole."
            raise UnreadableFile(message) from error


def _check_columns(count: int) -> None:
    if count > MOST_COLUMNS:
        message = f"It has more than {MOST_COLUMNS:,} columns."
        raise UnreadableFile(message)
