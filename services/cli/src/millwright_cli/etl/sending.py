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
        self.counts = LandingCounts()
        """Of what was acknowledged here; rows that could not be sent are among the refused ones."""
        self.acknowledged_offset = 0

    @property
    def refused(self) -> list[RefusedRecord]:
        """Give the rows that are not landed, by their line in the file, which is in `offset`."""
        return sorted([*self._refused, *self._unreadable], key=lambda each: each.offset)

    def run(self, rows: Callable[[], Iterable[Row]], tell: Callable[[int], None]) -> int:
        """Send what was not acknowledged yet, and give how many rows had been acknowledged before.

        `rows` gives the same rows each time. `tell` is called with how many are acknowledged, after each
        acknowledgement. A connection that breaks is made anew, as long as it gets further now and then.
        """
        begun_at, pauses = -1, iter(_PAUSES)
        while True:
            reached = self.acknowledged_offset
            try:
                self.acknowledged_offset = self._offset()
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

    def _offset(self) -> int:
        try:
            request = pb.GetIngestOffsetRequest(stream_id=self._stream_id)
            return self._connection.call(self._stub.GetIngestOffset, request).acknowledged_offset
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return 0
            raise

    def _send(self, rows: Iterable[Row], tell: Callable[[int], None]) -> None:
        lines: array[int] = array("Q")
        unreadable = self._unreadable = []
        before = LandingCounts()
        before.CopyFrom(self.counts)
        messages = self._messages(_readable(rows, lines, unreadable), self.acknowledged_offset)
        for answer in self._connection.exchange(self._stub.IngestRecords, messages):
            self.acknowledged_offset = answer.acknowledged_offset
            for name in LandingCounts.DESCRIPTOR.fields_by_name:
                setattr(self.counts, name, getattr(before, name) + getattr(answer.counts, name))
            for refusal in answer.refused:
                refusal.offset = lines[refusal.offset]
                self._refused.append(refusal)
            tell(self.acknowledged_offset)

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
