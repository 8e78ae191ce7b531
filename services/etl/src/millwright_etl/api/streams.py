"""One stream of rows: what is read ahead of what is landed, and what is acknowledged.

Reading and landing overlap: while Postgres takes one batch, the next one is looked at. A stream belongs to the
connection that opened it last; a transaction of any other one ends without an effect.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.signals import Signals
from millwright_runtime.events.watch import ShuttingDown
from millwright_runtime.postgres.database import Database

from millwright_etl.api import records
from millwright_etl.api.records import Examined
from millwright_etl.commands import landing
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.errors import OffsetNotNext, StreamTakenOver
from millwright_etl.domain.landing import Counts, Door
from millwright_etl.store import calendars, ingest_reports, ingest_streams

MOST_RECORDS = 1000
_LANDED_AT_ONCE = 5000
_READ_AHEAD = 8
"""How many messages wait to be landed; past that, the client is not read from."""


class IngestShuttingDown(ShuttingDown):
    """This replica is going away. Everything it has read is acknowledged; go on from there elsewhere."""


class Message(NamedTuple):
    """A message that was read: its rows, and the offset after them."""

    examined: Examined
    end_offset: int


class Stream:
    """A stream that belongs to this connection, as long as no other one takes it."""

    def __init__(self, database: Database, tenant: str, stream_id: str, owner: uuid.UUID, offset: int) -> None:
        self._database = database
        self._tenant = tenant
        self._owner = owner
        self.stream_id = stream_id
        self.next_offset = offset

    @classmethod
    async def open(cls, database: Database, tenant: str, stream_id: str) -> Stream:
        """Take a stream, to go on where it is."""
        owner = uuid.uuid4()
        async with database.transaction(tenant) as connection:
            offset = await ingest_streams.take(connection, tenant, stream_id, owner)
        return cls(database, tenant, stream_id, owner, offset)

    async def calendars(self) -> Calendars:
        """Give the plant's calendars."""
        async with self._database.snapshot(self._tenant) as connection:
            return await calendars.read(connection, self._tenant)

    async def land(self, messages: Sequence[Message]) -> pb.IngestRecordsResponse:
        """Land messages and note how far the stream came and what became of its rows; raise StreamTakenOver."""
        rows = [row for message in messages for row in message.examined.rows]
        refused = [each for message in messages for each in message.examined.refused]
        end_offset = messages[-1].end_offset
        async with self._database.transaction(self._tenant) as connection:
            if not await ingest_streams.acknowledge(connection, self._tenant, self.stream_id, self._owner, end_offset):
                raise StreamTakenOver(stream_id=self.stream_id)
            counts = await landing.land(connection, self._tenant, rows)
            counts = counts.plus(Counts(refused=len(refused)))
            so_far = await ingest_reports.add(
                connection, self._tenant, self.stream_id, counts, map(records.refusal, refused)
            )
        records.count(counts)
        return pb.IngestRecordsResponse(acknowledged_offset=end_offset, counts=records.counts(so_far), refused=refused)


class Inflow:
    """The messages of a stream, read ahead as far as there is room."""

    def __init__(
        self,
        signals: Signals,
        stream: Stream,
        requests: AsyncIterator[pb.IngestRecordsRequest],
        first: pb.IngestRecordsRequest,
    ) -> None:
        self._signals = signals
        self._stream = stream
        self._requests = requests
        self._first = first
        self._read: asyncio.Queue[Message | Exception | None] = asyncio.Queue(_READ_AHEAD)
        self._end: Exception | None = None
        self._has_ended = False

    async def read(self) -> None:
        """Read and look at messages until the end; why that came is put behind the last one.

        Cancelled because the service goes away, it says so there. Otherwise nobody takes messages any more.
        """
        end: Exception | None = None
        try:
            plant, offset = await self._stream.calendars(), self._stream.next_offset
            message = self._message(self._first, plant, offset)
            await self._read.put(message)
            async for request in self._requests:
                message = self._message(request, plant, message.end_offset)
                await self._read.put(message)
        except asyncio.CancelledError:
            if not self._signals.is_draining:
                raise
            end = IngestShuttingDown()
        except Exception as error:  # noqa: BLE001 - it is whoever takes the messages who raises it
            end = error
        await self._read.put(end)

    async def end_when_draining(self, reading: asyncio.Task[None]) -> None:
        """Stop reading when the service goes away."""
        await self._signals.drained()
        reading.cancel()

    async def take(self) -> list[Message]:
        """Give what was read, as much as is landed at once; nothing at the end. Raises what ended the stream."""
        taken: list[Message] = []
        while not self._has_ended and (not taken or (not self._read.empty() and _size(taken) < _LANDED_AT_ONCE)):
            message = await self._read.get()
            if isinstance(message, Message):
                taken.append(message)
            else:
                self._end, self._has_ended = message, True
        if not taken and self._end is not None:
            raise self._end
        return taken

    def _message(self, request: pb.IngestRecordsRequest, plant: Calendars, offset: int) -> Message:
        if request.stream_id not in ("", self._stream.stream_id):
            raise InvalidFields([Violation("stream_id", "MISMATCH", "must be that of the first message, or empty")])
        if len(request.records) > MOST_RECORDS:
            raise InvalidFields([Violation("records", "OUT_OF_RANGE", f"must be at most {MOST_RECORDS} records")])
        if request.offset != offset:
            raise OffsetNotNext(stream_id=self._stream.stream_id, offset=request.offset, next_offset=offset)
        examined = records.examine(Door(plant, datetime.now(UTC)), request.records, offset)
        return Message(examined, offset + len(request.records))


def _size(messages: Sequence[Message]) -> int:
    return sum(message.examined.size for message in messages)
