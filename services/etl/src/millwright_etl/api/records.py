"""Raw rows as callers send them, and what callers are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from google.protobuf import timestamp_pb2
from millwright.etl.v1 import record_pb2
from millwright_runtime.json import Json
from prometheus_client import Counter

from millwright_etl.domain.landing import Counts, Door, Refusal, Row

SOURCE_TYPES = {record_pb2.SOURCE_TYPE_ERP: "ERP", record_pb2.SOURCE_TYPE_MES: "MES"}
RECORD_TYPES = {
    record_pb2.RECORD_TYPE_WORK_ORDER: "WORK_ORDER",
    record_pb2.RECORD_TYPE_PRODUCTION_ORDER: "PRODUCTION_ORDER",
    record_pb2.RECORD_TYPE_EQUIPMENT_STATUS: "EQUIPMENT_STATUS",
    record_pb2.RECORD_TYPE_QUALITY: "QUALITY",
}
LANDED = Counter("millwright_etl_landed_rows_total", "Rows that came in, by what became of them.", ["became"])
_NEVER = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NANOS = 1_000_000_000


class Examined(NamedTuple):
    """The rows of a message: those to land, and those that are refused."""

    rows: list[Row]
    refused: list[record_pb2.RefusedRecord]

    @property
    def size(self) -> int:
        """Give how many there are in all."""
        return len(self.rows) + len(self.refused)


def examine(door: Door, records: Iterable[record_pb2.Record], first_offset: int) -> Examined:
    """Look at the rows of a message, the first of which has the place `first_offset`."""
    examined = Examined([], [])
    for offset, record in enumerate(records, first_offset):
        found = door.examine(
            SOURCE_TYPES.get(record.source_type, ""),
            record.source_system,
            RECORD_TYPES.get(record.record_type, ""),
            record.external_id,
            record.payload,
            _time(record.event_time) if record.HasField("event_time") else None,
            _time(record.source_time) if record.HasField("source_time") else None,
            deleted=record.deleted,
        )
        if isinstance(found, Refusal):
            examined.refused.append(_refused(offset, record.external_id, found))
        else:
            examined.rows.append(found)
    return examined


def refusal(refused: record_pb2.RefusedRecord) -> dict[str, Json]:
    """Give a refusal as it is kept: its fields by name, without the one character that Postgres cannot hold."""
    told = {field.name: value for field, value in refused.ListFields()}
    return {name: value.replace("\0", "�") if isinstance(value, str) else value for name, value in told.items()}


def counts(counted: Counts) -> record_pb2.LandingCounts:
    """Give how many rows became what."""
    return record_pb2.LandingCounts(**counted._asdict())


def count(counted: Counts) -> None:
    """Count rows whose transaction is committed."""
    for became, rows in counted._asdict().items():
        LANDED.labels(became).inc(rows)


def _refused(offset: int, external_id: str, refusal: Refusal) -> record_pb2.RefusedRecord:
    return record_pb2.RefusedRecord(
        offset=offset,
        external_id=external_id[:200],
        reason=refusal.reason,
        field=refusal.field,
        message=refusal.message,
    )


def _time(value: timestamp_pb2.Timestamp) -> datetime:
    """Give an instant; one that cannot be is one that is never in range. Each row has two: it is made to be quick."""
    if not 0 <= value.nanos < _SECOND_NANOS:
        return _NEVER
    try:
        return _EPOCH + timedelta(0, value.seconds, value.nanos // 1000)
    except OverflowError:
        return _NEVER
