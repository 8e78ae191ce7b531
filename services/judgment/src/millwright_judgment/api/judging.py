"""JudgmentService: judging inputs, and reading what was judged."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from millwright.judgment.v1 import judgment_pb2
from millwright.judgment.v1 import judgment_service_pb2 as pb
from millwright.judgment.v1 import judgment_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, pages, status
from millwright_runtime.errors import MillwrightError
from millwright_runtime.events.watch import ShuttingDown
from millwright_runtime.service import Platform

from millwright_judgment.api import executions as messages
from millwright_judgment.api import inputs
from millwright_judgment.api.batches import BatchAnswer
from millwright_judgment.domain import names
from millwright_judgment.domain.errors import NotReproducible
from millwright_judgment.domain.executions import time_of
from millwright_judgment.domain.explanation.explanation import explain
from millwright_judgment.engine.judging import Answer, Judging, Wish
from millwright_judgment.store import executions as store
from millwright_judgment.store.bases import Target

_STREAM_WINDOW = 256
"""How many inputs of a stream are under way at once; no more is read before the first of them is answered."""
_METHOD = "JudgeStream"


class JudgingShuttingDown(ShuttingDown):
    """This replica is going away. Send again what was not answered, with the same idempotency keys."""


class JudgmentServicer(pb_grpc.JudgmentServiceServicer):
    """Serves JudgmentService."""

    def __init__(self, platform: Platform, judging: Judging) -> None:
        self._platform = platform
        self._judging = judging

    async def Judge(self, request: pb.JudgeRequest, _context: Any) -> pb.JudgeResponse:
        """Judge one input."""
        return await self._judge(request)

    async def JudgeBatch(self, request: pb.JudgeBatchRequest, _context: Any) -> pb.JudgeBatchResponse:
        """Judge many inputs by one version."""
        target = _target(request.ruleset)
        inputs.check_batch(request)
        wishes = [_wish(request.ruleset, each) for each in request.inputs]
        sound = [wish for wish in wishes if isinstance(wish, Wish)]
        answer = BatchAnswer(wishes, is_basic=request.view == judgment_pb2.EXECUTION_VIEW_BASIC)
        caller = calls.current().principal.subject
        return answer.settle(await self._judging.judge(target, caller, sound, answer.prepare))

    async def JudgeStream(
        self, requests: AsyncIterator[pb.JudgeStreamRequest], _context: Any
    ) -> AsyncGenerator[pb.JudgeStreamResponse]:
        """Judge inputs as they come; the answers are in the order of the requests."""
        room = asyncio.Semaphore(_STREAM_WINDOW)
        answers: asyncio.Queue[asyncio.Task[pb.JudgeStreamResponse] | MillwrightError | None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(requests, room, answers))
        watching = asyncio.create_task(self._cancel_when_draining(reading))
        try:
            while (answer := await answers.get()) is not None:
                if isinstance(answer, MillwrightError):
                    raise answer
                yield await answer
                room.release()
            await reading
        finally:
            reading.cancel()
            watching.cancel()
            while not answers.empty():
                left = answers.get_nowait()
                if isinstance(left, asyncio.Task):
                    left.cancel()

    async def _read(
        self,
        requests: AsyncIterator[pb.JudgeStreamRequest],
        room: asyncio.Semaphore,
        answers: asyncio.Queue[asyncio.Task[pb.JudgeStreamResponse] | MillwrightError | None],
    ) -> None:
        """Begin to judge what is read, as long as there is room; the end, and why it came, is the last answer."""
        end: MillwrightError | None = None
        try:
            await room.acquire()
            async for request in requests:
                answers.put_nowait(asyncio.create_task(self._answer(request)))
                await room.acquire()
        except asyncio.CancelledError:
            if not self._platform.signals.is_draining:
                raise
            end = JudgingShuttingDown()
        except MillwrightError as error:
            end = error
        finally:
            answers.put_nowait(end)

    async def _cancel_when_draining(self, reading: asyncio.Task[None]) -> None:
        await self._platform.signals.drained()
        reading.cancel()

    async def _answer(self, message: pb.JudgeStreamRequest) -> pb.JudgeStreamResponse:
        try:
            result = pb.JudgeResult(judged=await self._judge(message.request))
        except Exception as error:  # noqa: BLE001 - each refusal is the answer to its input
            result = pb.JudgeResult(error=status.to_grpc(status.refusal(error, _METHOD)))
        return pb.JudgeStreamResponse(number=message.number, result=result)

    async def GetExecution(self, request: pb.GetExecutionRequest, _context: Any) -> pb.GetExecutionResponse:
        """Get one execution."""
        execution = names.parse_execution(request.name, "name")
        async with self._platform.reading() as connection:
            found = await store.get(connection, execution)
        return pb.GetExecutionResponse(execution=messages.execution(await self._judging.read(found)))

    async def ListExecutions(self, request: pb.ListExecutionsRequest, _context: Any) -> pb.ListExecutionsResponse:
        """List executions, newest first."""
        wanted, size = inputs.execution_filter(request.filter), pages.size(request.page_size)
        last = pages.read(request.page_token, pages.time_and_id, wanted)
        async with self._platform.reading() as connection:
            found, end = await store.page(connection, wanted, last[1] if last else None, size + 1)
        read = {each.execution: await self._judging.read(each) for each in found[:size]}
        executions, token = pages.cut(
            found, size, lambda it: messages.execution(read[it.execution]), lambda it: _place(it.execution), wanted
        )
        if end is not None and not token:
            token = pages.write(_place(end), wanted)
        return pb.ListExecutionsResponse(executions=executions, next_page_token=token)

    async def ExplainExecution(self, request: pb.ExplainExecutionRequest, _context: Any) -> pb.ExplainExecutionResponse:
        """Say why an execution came out as it did."""
        execution = names.parse_execution(request.name, "name")
        async with self._platform.reading() as connection:
            found = await store.get(connection, execution)
        judged = await self._judging.read(found)
        if judged.judgment is None:
            raise NotReproducible(execution=names.execution(execution), version=judged.version.name)
        explanation = await asyncio.to_thread(explain, judged.version.evaluator, judged.judgment)
        return pb.ExplainExecutionResponse(
            execution=messages.execution(judged), explanation=messages.explanation(explanation)
        )

    async def _judge(self, request: pb.JudgeRequest) -> pb.JudgeResponse:
        target = _target(request.ruleset)
        wish = inputs.wish(request.ruleset, request)
        caller = calls.current().principal.subject
        if request.validate_only:
            return _response(await self._judging.preview(target, caller, wish), is_stored=False)
        (answer,) = await self._judging.judge(target, caller, [wish])
        return _response(answer)


def _place(execution: uuid.UUID) -> list[str]:
    return pages.of_time_and_id(time_of(execution), execution)


def _target(name: str) -> Target:
    return Target(calls.current().principal.tenant, *inputs.by(name))


def _wish(judged_by: str, each: pb.BatchInput) -> Wish | MillwrightError:
    try:
        return inputs.wish(judged_by, each)
    except MillwrightError as error:
        return error


def _response(answer: Answer, *, is_stored: bool = True) -> pb.JudgeResponse:
    if isinstance(answer, MillwrightError):
        raise answer
    return pb.JudgeResponse(execution=messages.execution(answer, is_stored=is_stored), replayed=answer.is_replayed)
