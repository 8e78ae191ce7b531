"""Production facts as an Arrow IPC stream, which pandas, polars, DuckDB and others read as it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow

from millwright_etl.domain.queries import Query


class Encoder:
    """Turns rows into the pieces of one stream: keys are text, measures are float64 and may be null."""

    def __init__(self, query: Query) -> None:
        keys = [(dimension.lower(), pyarrow.string()) for dimension in query.group_by]
        measures = [(measure.lower(), pyarrow.float64()) for measure in query.measures]
        self._schema = pyarrow.schema([*keys, *measures])
        self._sink = io.BytesIO()
        self._writer = pyarrow.ipc.new_stream(self._sink, self._schema)

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Give the next piece: the rows, and what is to come before them."""
        columns = list(zip(*rows, strict=True))
        arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_batch(pyarrow.record_batch(arrays, schema=self._schema))
        return self._take()

    def end(self) -> bytes:
        """Give the last piece."""
        self._writer.close()
        return self._take()

    def _take(self) -> bytes:
        piece = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return piece
