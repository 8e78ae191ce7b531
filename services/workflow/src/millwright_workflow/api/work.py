"""WorkerService: one stream a worker, on which it takes items and reports on them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from millwright.workflow.v1 import work_pb2
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright.workflow.v1 import worker_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.watch import ShuttingDown
from millwright_runtime.json import from_text, to_text
from millwright_runtime.names import is_label

from millwright_workflow.domain import errors, names
from millwright_workflow.domain import work as domain
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.interpreter.errors import TYPES
from millwright_workflow.domain.sizes import VALUE_LIMIT_BYTES
from millwright_workflow.engine.work.dispatch import Dispatch, Message, Settled, Stopped, Stream
from millwright_workflow.store.work_items import Handed

_WORKER_LIMIT = 200
_QUEUES_LIMIT = 100
_CREDIT_LIMIT = 10_000
_REPORTS_AT_ONCE = 1_000
_TEXT_LIMIT = 4_000


class WorkerServicer(pb_grpc.WorkerServiceServicer):
    """Serves WorkerService."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def StreamWork(
        self, request_iterator: AsyncIterator[pb.StreamWorkRequest], _context: Any
    ) -> AsyncGenerator[pb.StreamWorkResponse]:
        """Bring items to a worker and take its reports until it leaves, or this replica does."""
        tenant = calls.current().principal.tenant
        worker, queues = _opening(await anext(aiter(request_iterator), None))
        with self._dispatch.connected(tenant, worker, queues) as stream:
            await self._dispatch.recall(stream)
            async with aclosing(_answers(stream, self._read(stream, request_iterator))) as answers:
                async for answer in answers:
                    yield answer

    async def _read(self, stream: Stream, messages: AsyncIterator[pb.StreamWorkRequest]) -> None:
        """Act on what the worker sends until it sends no more and all of it is settled."""
        seats = asyncio.Semaphore(_REPORTS_AT_ONCE)
        async with asyncio.TaskGroup() as group:

            async def settle(item: uuid.UUID, report: domain.Report) -> None:
                await seats.acquire()  # a worker that reports faster than we can write waits
                group.create_task(self._dispatch.settle(stream, item, report)).add_done_callback(
                    lambda _: seats.release()
                )

            async for message in messages:
                await stream.room()
                match message.WhichOneof("message"):
                    case "credit":
                        stream.give(_credit(message.credit, stream))
                    case "acknowledge":
                        self._dispatch.acknowledge(stream, _item(message.acknowledge, "acknowledge"))
                    case "heartbeat":
                        self._dispatch.heartbeat(stream, *_heartbeat(message.heartbeat))
                    case "complete":
                        await settle(*_completion(message.complete))
                    case "fail":
                        await settle(*_failure(message.fail))
                    case _:
                        raise InvalidFields([Violation("message", "UNEXPECTED", "must be one of those after `open`")])


async def _answers(stream: Stream, reading: Any) -> AsyncGenerator[pb.StreamWorkResponse]:
    """Give what there is to say while `reading` goes on; raise what it raises, and ShuttingDown at the end of us."""
    reader = asyncio.ensure_future(reading)
    reader.add_done_callback(lambda _: stream.messages.put_nowait(None))
    try:
        while (message := await stream.messages.get()) is not None:
            yield _response(message)
        if not reader.done():
            raise ShuttingDown
        _raise_the_first(reader)
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


def _raise_the_first(reader: asyncio.Future[None]) -> None:
    try:
        reader.result()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _response(message: Message) -> pb.StreamWorkResponse:
    match message:
        case Settled(item=item, is_accepted=accepted):
            return pb.StreamWorkResponse(settled=pb.SettledWork(id=str(item), accepted=accepted))
        case Stopped(item=item, reason=reason):
            value = pb.StopWork.Reason.Value(f"REASON_{reason.value}")
            return pb.StreamWorkResponse(stop=pb.StopWork(id=str(item), reason=value))
        case _:
            return pb.StreamWorkResponse(item=_work_item(message))


def _work_item(handed: Handed) -> work_pb2.WorkItem:
    work = handed.work
    message = work_pb2.WorkItem(
        id=str(work.id),
        queue=work.queue,
        instance=names.instance(work.key.instance),
        task=work.key.reference,
        attempt=work.attempt,
        input=messages.value(from_text(handed.input)),
        state=handed.saved.state if handed.saved else b"",
    )
    message.heartbeat_timeout.FromTimedelta(work.heartbeat)
    message.create_time.FromDatetime(work.create_time)
    return message


def _opening(message: pb.StreamWorkRequest | None) -> tuple[str, list[str]]:
    if message is None or message.WhichOneof("message") != "open":
        raise InvalidFields([Violation("open", "REQUIRED", "must be the first message")])
    worker, queues = message.open.worker, list(message.open.queues)
    faults = []
    if not 1 <= len(worker) <= _WORKER_LIMIT or "\x00" in worker:
        faults.append(Violation("open.worker", "OUT_OF_RANGE", f"must be 1 to {_WORKER_LIMIT} characters"))
    if not 1 <= len(queues) <= _QUEUES_LIMIT:
        faults.append(Violation("open.queues", "OUT_OF_RANGE", f"must be 1 to {_QUEUES_LIMIT} queues"))
    for place, queue in enumerate(queues[:_QUEUES_LIMIT]):
        if not is_label(queue):
            description = "must be 1 to 63 of a-z, 0-9 and inner dashes"
            faults.append(Violation(f"open.queues[{place}]", "MALFORMED_NAME", description))
    if faults:
        raise InvalidFields(faults)
    return worker, queues


def _credit(credit: int, stream: Stream) -> int:
    if credit < 1 or stream.credit + credit > _CREDIT_LIMIT:
        raise InvalidFields([Violation("credit", "OUT_OF_RANGE", f"must be 1 to {_CREDIT_LIMIT}, with what is open")])
    return credit


def _item(text: str, field: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidFields([Violation(field, "NOT_A_UUID", "must be the id of an item")]) from None


def _heartbeat(message: pb.HeartbeatWork) -> tuple[uuid.UUID, bytes | None, float | None]:
    item = _item(message.id, "heartbeat.id")
    percent = message.percent if message.HasField("percent") else None
    if percent is not None and not 0 <= percent <= 100:
        raise InvalidFields([Violation("heartbeat.percent", "OUT_OF_RANGE", "must be 0 to 100")])
    return item, _state(message.state, item) if message.HasField("state") else None, percent


def _completion(message: pb.CompleteWork) -> tuple[uuid.UUID, domain.Complete]:
    item = _item(message.id, "complete.id")
    size = message.output.ByteSize()
    if size > VALUE_LIMIT_BYTES:
        raise errors.OutputTooLarge(item=item, size=size, limit=VALUE_LIMIT_BYTES)
    return item, domain.Complete(to_text(fields.json(message.output, "complete.output")))


def _failure(message: pb.FailWork) -> tuple[uuid.UUID, domain.Fail]:
    item = _item(message.id, "fail.id")
    saved = _state(message.state, item) if message.HasField("state") else None
    return item, domain.Fail(domain.Failure(_error(message.error), _retry_after(message), saved))


def _retry_after(message: pb.FailWork) -> timedelta | None:
    if not message.HasField("retry_after"):
        return None
    try:
        span = message.retry_after.ToTimedelta()
    except (ValueError, OverflowError):
        span = timedelta(-1)
    if not timedelta(0) <= span <= domain.LONGEST_RETRY:
        raise InvalidFields([Violation("fail.retry_after", "OUT_OF_RANGE", "must be 0 to 7 days")])
    return span


def _error(message: pb.WorkError) -> WorkflowError:
    return WorkflowError(
        type=_text(message.type) or f"{TYPES}runtime",
        status=message.status or 500,
        title=_text(message.title) or None,
        detail=_text(message.detail) or None,
    )


def _text(text: str) -> str:
    """Give a text as it is kept: cut to a length, and without what Postgres cannot hold."""
    return text.replace("\x00", "")[:_TEXT_LIMIT]


def _state(state: bytes, item: uuid.UUID) -> bytes:
    if len(state) > domain.STATE_LIMIT_BYTES:
        raise errors.StateTooLarge(item=item, size=len(state), limit=domain.STATE_LIMIT_BYTES)
    return state
