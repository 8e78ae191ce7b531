"""IngestService: landing raw rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright.etl.v1 import ingest_service_pb2_grpc as pb_grpc
from millwright.etl.v1 import record_pb2
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.service import Platform

from millwright_etl.api import generation, records
from millwright_etl.api.streams import Inflow, Stream
from millwright_etl.commands import landing
from millwright_etl.domain.errors import StreamNotFound
from millwright_etl.domain.landing import Counts, Door
from millwright_etl.store import calendars, ingest_reports, ingest_streams

MOST_RECORDS = 5000
_MOST_ID_CHARACTERS = 128


class IngestServicer(pb_grpc.IngestServiceServicer):
    """Serves IngestService."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def IngestBatch(self, request: pb.IngestBatchRequest, _context: Any) -> pb.IngestBatchResponse:
        """Land rows in one transaction."""
        if not 1 <= len(request.records) <= MOST_RECORDS:
            raise InvalidFields([Violation("records", "OUT_OF_RANGE", f"must be 1 to {MOST_RECORDS} records")])
        tenant = calls.current().principal.tenant
        async with self._platform.reading() as connection:
            door = Door(await calendars.read(connection, tenant), datetime.now(UTC))
        examined = records.examine(door, request.records, first_offset=0)
        async with self._platform.database.transaction(tenant) as connection:
            counts = await landing.land(connection, tenant, examined.rows)
        counts = counts.plus(Counts(refused=len(examined.refused)))
        records.count(counts)
        return pb.IngestBatchResponse(counts=records.counts(counts), refused=examined.refused)

    async def IngestRecords(
        self, requests: AsyncIterator[pb.IngestRecordsRequest], _context: Any
    ) -> AsyncGenerator[pb.IngestRecordsResponse]:
        """Land a stream of rows; each acknowledgement is sent once everything before it is durable."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        tenant, stream_id = calls.current().principal.tenant, _stream_id(first.stream_id)
        stream = await Stream.open(self._platform.database, tenant, stream_id)
        inflow = Inflow(self._platform.signals, stream, requests, first)
        reading = asyncio.create_task(inflow.read())
        watching = asyncio.create_task(inflow.end_when_draining(reading))
        try:
            while messages := await inflow.take():
                yield await stream.land(messages)
        finally:
            reading.cancel()
            watching.cancel()

    async def GetIngestOffset(self, request: pb.GetIngestOffsetRequest, _context: Any) -> pb.GetIngestOffsetResponse:
        """Tell how far a stream came, and what became of its rows."""
        tenant, stream_id = calls.current().principal.tenant, _stream_id(request.stream_id)
        async with self._platform.reading() as connection:
            offset = await ingest_streams.find(connection, tenant, stream_id)
            report = await ingest_reports.read(connection, tenant, stream_id)
        if offset is None:
            raise StreamNotFound(stream_id=stream_id)
        return pb.GetIngestOffsetResponse(
            acknowledged_offset=offset,
            counts=records.counts(report.counts),
            refused=[record_pb2.RefusedRecord(**refusal) for refusal in report.refusals],
        )

    async def GenerateRecords(
        self, request: pb.GenerateRecordsRequest, _context: Any
    ) -> AsyncGenerator[pb.GenerateRecordsResponse]:
        """Make up a plant's rows and land them."""
        async with aclosing(generation.generate(self._platform, request)) as told:
            async for message in told:
                yield message


def _stream_id(text: str) -> str:
    if not text:
        raise InvalidFields([Violation("stream_id", "REQUIRED", f"must be 1 to {_MOST_ID_CHARACTERS} characters")])
    return fields.text(text, "stream_id", _MOST_ID_CHARACTERS)
