"""Rows of made-up plants, by a rule that SQL and Python share: work orders of 20 lines, 40 products and 3 shifts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
from google.protobuf.timestamp_pb2 import Timestamp
from millwright.etl.v1.ingest_service_pb2 import IngestRecordsRequest
from millwright.etl.v1.record_pb2 import RECORD_TYPE_WORK_ORDER, SOURCE_TYPE_MES, Record

FIRST_DAY = date(2025, 1, 6)
DAYS = 25
ROWS_A_DAY = 20_000
NOTE = "made by the bench, " * 8
COLUMNS = (
    "tenant",
    "source_system",
    "record_type",
    "external_id",
    "source_type",
    "payload",
    "payload_hash",
    "event_time",
    "source_time",
    "deleted",
)
_MESSAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Plant:
    """A tenant with rows."""

    tenant: str
    number_of_days: int = DAYS
    rows_a_day: int = ROWS_A_DAY

    @property
    def first_day(self) -> date:
        """Its first business day."""
        return FIRST_DAY

    @property
    def last_day(self) -> date:
        """Its last one."""
        return FIRST_DAY + timedelta(days=self.number_of_days - 1)

    @property
    def days(self) -> list[date]:
        """Its business days."""
        return [FIRST_DAY + timedelta(days=number) for number in range(self.number_of_days)]


async def load(sql: asyncpg.Connection, plant: Plant) -> None:
    """Put a plant's rows where landing would."""
    for day in plant.days:
        await sql.execute(_LOAD, plant.tenant, day, plant.rows_a_day, NOTE)


def messages(plant: Plant) -> list[IngestRecordsRequest]:
    """Give a plant's rows as a stream."""
    found, offset = [], 0
    message = IngestRecordsRequest(stream_id="bench")
    for day, number in _numbers(plant):
        record = Record(
            source_type=SOURCE_TYPE_MES,
            source_system="mes-1",
            record_type=RECORD_TYPE_WORK_ORDER,
            external_id=f"{day}-{number}",
            payload=json.dumps(payload(number)),
            event_time=_stamp(time(day, number, plant.rows_a_day)),
            source_time=_stamp(time(day, number, plant.rows_a_day)),
        )
        message.records.append(record)
        if len(message.records) == _MESSAGE_ROWS:
            found.append(message)
            offset += _MESSAGE_ROWS
            message = IngestRecordsRequest(offset=offset)
    return found


def copied(plant: Plant) -> list[Sequence[Any]]:
    """Give a plant's rows as COPY takes them, by COLUMNS."""
    return [
        (
            plant.tenant,
            "mes-1",
            "WORK_ORDER",
            f"{day}-{number}",
            "MES",
            json.dumps(payload(number)),
            b"",
            (at := time(day, number, plant.rows_a_day)),
            at,
            False,
        )
        for day, number in _numbers(plant)
    ]


def payload(number: int) -> dict[str, Any]:
    """Give the payload of a row, as _LOAD does."""
    total, defect = 50 + number * 7919 % 400, number % 7
    return {
        "line_code": f"L{number % 20:02}",
        "product_code": f"P{number // 20 % 40:03}",
        "shift": "ABC"[number // 800 % 3],
        "total_qty": total,
        "good_qty": total - defect,
        "defect_qty": defect,
        "rework_qty": number % 3,
        "scrap_qty": 0,
        "runtime_seconds": total * 12,
        "cycle_seconds": 12,
        "ideal_cycle_seconds": 10.5,
        "note": NOTE,
    }


def time(day: date, number: int, rows_a_day: int) -> datetime:
    """Give when a row happened: the business day begins at 06:00 in Seoul, which is 21:00 UTC of the day before."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=3)
    return begin + timedelta(seconds=number * 86_000 // rows_a_day)


def _numbers(plant: Plant) -> Iterator[tuple[date, int]]:
    return ((day, number) for day in plant.days for number in range(plant.rows_a_day))


def _stamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


_LOAD = """
INSERT INTO core.erp_mes_data
    (tenant, source_system, record_type, external_id, source_type, payload, payload_hash, event_time, source_time,
     deleted)
SELECT $1, 'mes-1', 'WORK_ORDER', $2::date || '-' || number, 'MES',
       jsonb_build_object(
           'line_code', 'L' || lpad((number % 20)::text, 2, '0'),
           'product_code', 'P' || lpad((number / 20 % 40)::text, 3, '0'),
           'shift', substr('ABC', number / 800 % 3 + 1, 1), 'total_qty', total, 'good_qty', total - number % 7,
           'defect_qty', number % 7, 'rework_qty', number % 3, 'scrap_qty', 0, 'runtime_seconds', total * 12,
           'cycle_seconds', 12, 'ideal_cycle_seconds', 10.5, 'note', $4::text
       ), ''::bytea, at, at, false
FROM generate_series(0, $3::int - 1) AS number,
     LATERAL (SELECT 50 + number * 7919 % 400 AS total,
                     ($2::date - interval '3 hours') AT TIME ZONE 'UTC'
                         + number * 86000 / $3::int * interval '1 second' AS at) AS made
"""
