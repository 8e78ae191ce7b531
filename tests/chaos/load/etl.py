"""The etl service's load: rows are landed by batches and by a stream, and runs make facts of them, all watched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import grpc
from millwright.etl.v1.ingest_service_pb2 import (
    GetIngestOffsetRequest,
    IngestBatchRequest,
    IngestRecordsRequest,
)
from millwright.etl.v1.pipeline_service_pb2 import RunPipelineRequest, WatchRunRequest
from millwright.etl.v1.record_pb2 import RECORD_TYPE_WORK_ORDER, SOURCE_TYPE_MES, Record
from millwright.etl.v1.run_pb2 import Run
from millwright_local.etl_client import EtlClient

from tests.chaos.book import Book
from tests.chaos.caller import ATTEMPT_SECONDS, Caller
from tests.chaos.load import follow_to_end, turns

SERVICE = "etl"
PLANT_TIME = ZoneInfo("Asia/Seoul")
FINAL = {Run.STATE_COMPLETED, Run.STATE_FAILED, Run.STATE_CANCELLED}
LANDING_SECONDS = 0.7
PIECES = 10
BATCH = 20
RUNS_SECONDS = 3.0
STREAM_ID = "chaos"


class EtlLoad:
    """The load. `rows` is how many rows were acknowledged, of PIECES pieces each."""

    def __init__(self, book: Book, clients: Sequence[EtlClient], chance: Random) -> None:
        self.rows = 0
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)
        self._streamed = 0
        self._noon = datetime.now(PLANT_TIME).replace(hour=12, minute=0) - timedelta(days=2)

    async def prepare(self) -> None:
        """Nothing is needed: a plant without a calendar has the usual one."""

    async def run(self, stop: asyncio.Event) -> None:
        """Land rows and run the pipeline until told to stop, and once more at the end; return once all has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._land(stop))
            group.create_task(self._land_by_stream(stop))
            group.create_task(self._run_pipeline(stop, group))
        await self._run_once()

    async def _land(self, stop: asyncio.Event) -> None:
        async for _ in turns(stop, self._chance, LANDING_SECONDS):
            _, answer = await self._caller.call(
                "IngestBatch",
                lambda client: client.ingest.IngestBatch,
                lambda key: IngestBatchRequest(records=[self._record(f"{key}-{n}") for n in range(BATCH)]),
            )
            if answer:
                self.rows += BATCH

    async def _land_by_stream(self, stop: asyncio.Event) -> None:
        """Land rows over one stream, which goes on from where it stood whenever it breaks, to its proper end."""
        has_ended = False
        while not has_ended:
            client = self._caller.any_client()
            try:
                offset = await self._offset(client)
                if offset < self._streamed:
                    self._book.surprise(f"etl: the stream is at {offset}, and was acknowledged to {self._streamed}")
                has_ended = await self._stream(client, offset, stop)
            except (grpc.aio.AioRpcError, TimeoutError):
                await self._caller.pause()
        self.rows += self._streamed

    async def _offset(self, client: EtlClient) -> int:
        request = GetIngestOffsetRequest(stream_id=STREAM_ID)
        try:
            answer = await client.call(client.ingest.GetIngestOffset, request, seconds=ATTEMPT_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND and not self._streamed:
                return 0
            raise
        return answer.acknowledged_offset

    async def _stream(self, client: EtlClient, offset: int, stop: asyncio.Event) -> bool:
        """Send rows over one connection and count what is acknowledged; tell whether it came to its proper end."""

        async def requests() -> AsyncIterator[IngestRecordsRequest]:
            begin = offset
            while True:  # whoever connects last sends something, so that no older connection lands anything after it
                records = [self._record(f"stream-{begin + n}") for n in range(BATCH)]
                yield IngestRecordsRequest(stream_id=STREAM_ID, offset=begin, records=records)
                begin += BATCH
                if stop.is_set():
                    return
                await asyncio.sleep(LANDING_SECONDS)

        call = client.converse(client.ingest.IngestRecords, requests())
        answers = aiter(call)
        try:
            while True:
                begin = self._book.now
                answer = await asyncio.wait_for(anext(answers), ATTEMPT_SECONDS)
                self._streamed = answer.acknowledged_offset
                self._book.note_call(SERVICE, "IngestRecords", begin)
        except StopAsyncIteration:
            return stop.is_set()
        finally:
            call.cancel()

    async def _run_pipeline(self, stop: asyncio.Event, group: asyncio.TaskGroup) -> None:
        async for _ in turns(stop, self._chance, RUNS_SECONDS):
            group.create_task(self._run_once())

    async def _run_once(self) -> None:
        _, answer = await self._caller.call(
            "RunPipeline",
            lambda client: client.pipelines.RunPipeline,
            lambda key: RunPipelineRequest(request_id=key),
        )
        if answer:
            self._book.tell("run", answer.run.name)
            await self._follow(answer.run.name)

    async def _follow(self, name: str) -> None:
        work = self._book.open_work(SERVICE, "run", name)
        stream = self._book.open_stream(SERVICE, "WatchRun", name)
        last = await follow_to_end(
            self._caller,
            stream,
            lambda client: client.pipelines.WatchRun,
            lambda sequence: WatchRunRequest(name=name, from_sequence=sequence),
            lambda message: message.event.state in FINAL,
        )
        self._book.close_work(work, Run.State.Name(last.event.state).removeprefix("STATE_"))

    def _record(self, external_id: str) -> Record:
        quantities = {"total_qty": PIECES, "good_qty": PIECES, "defect_qty": 0}
        payload = {"line_code": "L1", "product_code": "P1", "shift": "A", **quantities}
        record = Record(
            source_type=SOURCE_TYPE_MES,
            source_system="chaos",
            record_type=RECORD_TYPE_WORK_ORDER,
            external_id=external_id,
            payload=json.dumps(payload),
        )
        record.event_time.FromDatetime(self._noon)
        return record
