"""The RPCs of data sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from millwright.judgment.v1 import replay_pb2
from millwright.judgment.v1 import replay_service_pb2 as pb
from millwright_runtime.api import calls, fields, pages
from millwright_runtime.api.messages import timestamp
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_judgment.domain import names
from millwright_judgment.domain.datasets.dataset import SEGMENTS, Dataset, Encoding, Format, Manner
from millwright_judgment.engine.datasets.receiving import Receiving, Upload
from millwright_judgment.store import datasets

_COLUMN_LIMIT = 200
_PIECE_BYTES = 1024 * 1024
_FORMATS = {pb.DatasetHeader.FORMAT_CSV: Format.CSV, pb.DatasetHeader.FORMAT_PARQUET: Format.PARQUET}
_ENCODINGS = {
    pb.DatasetHeader.ENCODING_UNSPECIFIED: Encoding.UTF8,
    pb.DatasetHeader.ENCODING_UTF8: Encoding.UTF8,
    pb.DatasetHeader.ENCODING_CP949: Encoding.CP949,
}


class DatasetRpcs:
    """UploadDataset, GetDataset, ListDatasets, DeleteDataset."""

    _platform: Platform
    _receiving: Receiving

    async def UploadDataset(
        self, requests: AsyncIterator[pb.UploadDatasetRequest], _context: Any
    ) -> pb.UploadDatasetResponse:
        """Take a file in."""
        first = await anext(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidFields([Violation("header", "REQUIRED", "must be the first message")])
        dataset, known = await self._receiving.receive(_upload(first.header), _pieces(requests))
        return pb.UploadDatasetResponse(dataset=_dataset(dataset), known=known)

    async def GetDataset(self, request: pb.GetDatasetRequest, _context: Any) -> pb.GetDatasetResponse:
        """Get one data set."""
        dataset = names.parse_dataset(request.name, "name")
        async with self._platform.reading() as connection:
            return pb.GetDatasetResponse(dataset=_dataset(await datasets.get(connection, dataset)))

    async def ListDatasets(self, request: pb.ListDatasetsRequest, _context: Any) -> pb.ListDatasetsResponse:
        """List data sets by name."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset") if request.ruleset else None
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text, "datasets", ruleset) or ""
        async with self._platform.reading() as connection:
            found = await datasets.page(connection, ruleset, after, size + 1)
        listed, token = pages.cut(found, size, _dataset, lambda each: each.dataset, "datasets", ruleset)
        return pb.ListDatasetsResponse(datasets=listed, next_page_token=token)

    async def DeleteDataset(self, request: pb.DeleteDatasetRequest, _context: Any) -> pb.DeleteDatasetResponse:
        """Delete a data set."""
        dataset = names.parse_dataset(request.name, "name")
        async with self._platform.database.transaction(calls.current().principal.tenant) as connection:
            await datasets.delete(connection, dataset)
        return pb.DeleteDatasetResponse()


async def _pieces(requests: AsyncIterator[pb.UploadDatasetRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "data":
            raise InvalidFields([Violation("data", "REQUIRED", "must be in every message after the first")])
        if len(request.data) > _PIECE_BYTES:
            raise InvalidFields([Violation("data", "TOO_LONG", f"must be at most {_PIECE_BYTES:,} bytes")])
        yield request.data


def _upload(header: pb.DatasetHeader) -> Upload:
    if header.format not in _FORMATS:
        raise InvalidFields([Violation("header.format", "REQUIRED", "must be CSV or Parquet")])
    if header.encoding not in _ENCODINGS:
        raise InvalidFields([Violation("header.encoding", "UNKNOWN_VALUE", "must be UTF-8 or CP949")])
    segments = {kind: getattr(header.segment_columns, kind) for kind in SEGMENTS}
    for kind, column in segments.items():
        fields.text(column, f"header.segment_columns.{kind}", _COLUMN_LIMIT)
    principal = calls.current().principal
    return Upload(
        tenant=principal.tenant,
        dataset=names.parse_dataset(header.name, "header.name"),
        ruleset=names.parse_ruleset(header.ruleset, "header.ruleset"),
        manner=Manner(
            format=_FORMATS[header.format],
            encoding=_ENCODINGS[header.encoding],
            segments={kind: column for kind, column in segments.items() if column},
            expected=fields.text(header.expected_outcome_column, "header.expected_outcome_column", _COLUMN_LIMIT),
        ),
        creator=principal.subject,
    )


def _dataset(value: Dataset) -> replay_pb2.Dataset:
    content = value.content
    return replay_pb2.Dataset(
        name=names.dataset(value.dataset),
        ruleset=names.ruleset(content.ruleset),
        rows=content.rows,
        bytes=content.bytes,
        ignored_columns=content.ignored_columns,
        creator=value.creator,
        create_time=timestamp(value.create_time),
        rejected_rows=content.rejected_rows,
        faults=[
            replay_pb2.DatasetFault(column=it.column[:_COLUMN_LIMIT], code=it.code, rows=it.rows, examples=it.examples)
            for it in content.faults
        ],
        version=names.version(content.ruleset, content.version),
        digest=content.digest,
        expected_outcome_column=content.expected_column,
    )
