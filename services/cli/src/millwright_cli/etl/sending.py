"""Sending rows as a stream that goes on after the last offset that was acknowledged, whatever broke in between."""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import grpc
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright.etl.v1.record_pb2 import LandingCounts, RefusedRecord

from millwright_cli.connection import Connection
from millwright_cli.etl.rows import Row
from millwright_cli.etl.services import IngestStub

MOST_REFUSED = 1000
"""So many rows that are not landed are told one by one; the others are counted."""
_RECORDS = 1000
_BYTES = 1024 * 1024
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


class Sending:
    """One file under way to the service."""

    def __init__(self, connection: Connection, stub: IngestStub, stream_id: str) -> None:
        """Begin nothing yet."""
        self._connection = connection
        self._stub = stub
        self._stream_id = stream_id
        self._refused: list[RefusedRecord] = []
        self._unreadable: list[RefusedRecord] = []
        self._lines: array[int] = array("Q")
        self.counts = LandingCounts()
        """Of all rows of the file; those that could not be sent are among the refused ones."""
        self.acknowledged_offset = 0

    @property
    def refused(self) -> list[RefusedRecord]:
        """Give the first rows that are not landed, by their line in the file, which is in `offset`.

        As many as the service keeps of a stream, so that they are the same however often the file was begun.
        """
        told = [*map(self._by_line, self._refused), *self._unreadable]
        return sorted(told, key=lambda each: each.offset)[:MOST_REFUSED]

    def run(self, rows: Callable[[], Iterable[Row]], tell: Callable[[int], None]) -> int:
        """Send what was not acknowledged yet, and give how many rows had been acknowledged before.

        `rows` gives the same rows each time. `tell` is called with how many are acknowledged, after each
        acknowledgement. A connection that breaks is made anew, as long as it gets further now and then.
        """
        begun_at, pauses = -1, iter(_PAUSES)
        while True:
            reached = self.acknowledged_offset
            try:
                self._resume()
                begun_at = self.acknowledged_offset if begun_at < 0 else begun_at
                self._send(rows(), tell)
            except grpc.RpcError as error:
                pauses = iter(_PAUSES) if self.acknowledged_offset > reached else pauses
                pause = next(pauses, None)
                if error.code() not in _PASSING or pause is None:
                    raise
                time.sleep(pause)
            else:
                self.counts.refused += len(self._unreadable)
                return begun_at

    def _resume(self) -> None:
        """Ask how far the stream came and what became of its rows: an acknowledgement may have been lost."""
        told = pb.GetIngestOffsetResponse()
        try:
            request = pb.GetIngestOffsetRequest(stream_id=self._stream_id)
            told = self._connection.call(self._stub.GetIngestOffset, request)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        self.acknowledged_offset, self._refused = told.acknowledged_offset, list(told.refused)
        self.counts.CopyFrom(told.counts)

    def _send(self, rows: Iterable[Row], tell: Callable[[int], None]) -> None:
        lines, unreadable = array("Q"), list[RefusedRecord]()
        self._lines, self._unreadable = lines, unreadable
        messages = self._messages(_readable(rows, lines, unreadable), self.acknowledged_offset)
        for answer in self._connection.exchange(self._stub.IngestRecords, messages):
            self.acknowledged_offset = answer.acknowledged_offset
            self.counts.CopyFrom(answer.counts)
            self._refused += answer.refused[: MOST_REFUSED - len(self._refused)]
            tell(self.acknowledged_offset)

    def _by_line(self, refused: RefusedRecord) -> RefusedRecord:
        told = RefusedRecord()
        told.CopyFrom(refused)
        told.offset = self._lines[refused.offset]
        return told

    def _messages(self, rows: Iterator[Row], offset: int) -> Iterator[pb.IngestRecordsRequest]:
        for _ in islice(rows, offset):
            pass
        message, size = pb.IngestRecordsRequest(stream_id=self._stream_id, offset=offset), 0
        for row in rows:
            length = row.record.ByteSize()
            if message.records and (len(message.records) == _RECORDS or size + length > _BYTES):
                yield message
                offset += len(message.records)
                message, size = pb.IngestRecordsRequest(offset=offset), 0
            message.records.append(row.record)
            size += length
        if message.records:
            yield message


def _readable(rows: Iterable[Row], lines: "array[int]", unreadable: list[RefusedRecord]) -> Iterator[Row]:
    """Give the rows that can be sent, note their lines, and put the others aside."""
    for row in rows:
        if row.reason:
            told = RefusedRecord(offset=row.line, reason=row.reason, field=row.field, message=row.message)
            unreadable.append(told)
        else:
            lines.append(row.line)
            yield row
