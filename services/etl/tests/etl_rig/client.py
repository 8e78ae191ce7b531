"""A client of the whole API of the etl service."""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from millwright.etl.v1 import (
    ingest_service_pb2,
    pipeline_service_pb2,
    production_service_pb2,
    quarantine_service_pb2,
    record_pb2,
)
from millwright_local.testing.client import ContractClient, rpcs_of

RPCS = rpcs_of((ingest_service_pb2, pipeline_service_pb2, production_service_pb2, quarantine_service_pb2))
SEOUL = ZoneInfo("Asia/Seoul")
DAY = date(2025, 11, 14)
NOON = datetime(2025, 11, 14, 12, tzinfo=SEOUL)
ORDER = {"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 100, "good_qty": 95, "defect_qty": 5}
"""A work order, as the pipeline wants it."""


def stamp(time):
    """An instant as a message."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def record(payload=ORDER, external_id="1", *, event_time=NOON, source_time=None, kind="WORK_ORDER", **fields):
    """A raw row of mes-1, of a work order at noon unless told otherwise."""
    return record_pb2.Record(
        **{
            "source_type": record_pb2.SOURCE_TYPE_MES,
            "source_system": "mes-1",
            "record_type": f"RECORD_TYPE_{kind}",
            "external_id": external_id,
            "payload": payload if isinstance(payload, str) else json.dumps(payload),
            "event_time": stamp(event_time),
            "source_time": stamp(source_time) if source_time else None,
            **fields,
        }
    )


class Client(ContractClient):
    """Calls the etl service: `await client.IngestBatch(records=…)`; and does what tests do often."""

    rpcs = RPCS

    async def land(self, *records):
        """Land rows, and give how many became what, as text."""
        return told((await self.IngestBatch(records=records)).counts)

    async def ended(self, name):
        """Wait until a run ends, and give it."""
        async for _ in self.WatchRun(name=name, deadline=20):
            pass
        return (await self.GetRun(name=name)).run

    def stream(self, requests):
        """Open a stream of rows."""
        path = "/millwright.etl.v1.IngestService/IngestRecords"
        stub = self.channel.stream_stream(
            path,
            ingest_service_pb2.IngestRecordsRequest.SerializeToString,
            ingest_service_pb2.IngestRecordsResponse.FromString,
        )
        return stub(requests, metadata=[("authorization", f"Bearer {self.token}")])


def told(counts):
    """Counts as text, without what is 0: `inserted 2, refused 1`."""
    return ", ".join(f"{field.name} {value}" for field, value in counts.ListFields())
