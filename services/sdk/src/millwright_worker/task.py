"""One task in a worker's hands: what is to be done, and what there is to say about it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from google.protobuf import json_format, struct_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Error as ProtobufError
from millwright.workflow.v1 import work_pb2
from millwright.workflow.v1 import worker_service_pb2 as pb

from millwright_worker.errors import Failed, Retry, Stopped

STATE_LIMIT_BYTES = 64 * 1024
OUTPUT_LIMIT_BYTES = 7 * 512 * 1024
"""3.5 MiB, as a message."""
_TEXT_LIMIT = 4_000
"""Of a text of an error, the service keeps this many characters."""
_log = logging.getLogger("millwright_worker")

Send = Callable[[pb.StreamWorkRequest], None]


class Task:
    """An item of work. `async with task:` around the handling of it ends it one way or the other."""

    def __init__(self, item: work_pb2.WorkItem, send: Send) -> None:
        """Hold an item; `send` sends a message about it now, or is to be called again after a reconnection."""
        self.id = item.id
        self.queue = item.queue
        self.instance = item.instance
        self.reference = item.task
        self.attempt = item.attempt
        self.input: Any = _from_value(item.input)
        self.state: Any = json.loads(item.state) if item.state else None
        """What the last attempt saved, or this one; None if nothing was."""
        self.heartbeat_seconds = item.heartbeat_timeout.ToTimedelta().total_seconds()
        self._send = send
        self._unsent = pb.HeartbeatWork(id=item.id)
        self._report: pb.StreamWorkRequest | None = None
        self._settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._handling: asyncio.Task[Any] | None = None
        self._is_cancelling = False

    @property
    def key(self) -> str:
        """Give what is the same for every attempt of this task: the idempotency key of what the work changes."""
        return f"{self.instance}{self.reference}"

    @property
    def is_stopped(self) -> bool:
        """Tell whether the task is not this worker's any more."""
        return self._settled.done() and not self._settled.result()

    async def save(self, state: Any, percent: float | None = None) -> None:
        """Keep `state` (JSON, at most 64 KiB) for the next attempt, should there be one; raise Stopped, ValueError.

        It is on its way when this returns, and durable within a second of its arrival. `percent`, 0 to 100, is shown to
        whoever watches the instance.
        """
        text = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > STATE_LIMIT_BYTES:
            raise ValueError(f"the state has {len(text)} bytes; at most {STATE_LIMIT_BYTES} are kept")
        if percent is not None and not 0 <= percent <= 100:
            raise ValueError(f"a task is 0 to 100 percent done, not {percent}")
        self._check()
        self.state = state
        beat = pb.HeartbeatWork(id=self.id, state=text)
        if percent is not None:
            beat.percent = percent
        self._unsent = beat
        self._send(pb.StreamWorkRequest(heartbeat=beat))
        await asyncio.sleep(0)  # so that a stop which has arrived is noticed here

    async def complete(self, output: Any = None) -> None:
        """Say that the task is done, and return once that is durable; raise Stopped if it changed nothing.

        `output` is JSON of at most 3.5 MiB as a message, with at most 32 nested levels. Raises ValueError or TypeError
        for what the service would refuse: nothing is sent then, and what fails is this task alone.
        """
        await self._settle(_completion(self.id, output))

    async def fail(self, error: BaseException) -> None:
        """Say that the task is not done, and return once that is durable; raise Stopped if it changed nothing."""
        await self._settle(pb.StreamWorkRequest(fail=self._failure(error)))

    async def __aenter__(self) -> Self:
        """Begin to handle the task: from now on a stop cancels the body."""
        self._handling = asyncio.current_task()
        if self.is_stopped:
            self._cancel()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """End the task: completed, failed, or let go of. Swallows what the body raised, but a cancellation of yours."""
        handling, self._handling = self._handling, None
        if self._is_cancelling:
            assert handling is not None
            if error is None:  # the cancellation has not arrived yet
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
            return handling.uncancel() == 0 and isinstance(error, asyncio.CancelledError | None)
        if error is not None and not isinstance(error, Exception):
            return False  # the worker itself is ending: the task is another one's soon
        try:
            if self._report is None:
                await (self.complete() if error is None else self._fail_with(error))
        except Stopped:
            _log.warning("task %s was not this worker's any more", self.id)
        return True

    async def _fail_with(self, error: Exception) -> None:
        if not isinstance(error, Failed | Stopped):
            _log.error("task %s failed", self.id, exc_info=error)
        await self.fail(error)

    def beat(self) -> None:
        """Give a sign of life."""
        self._send(pb.StreamWorkRequest(heartbeat=pb.HeartbeatWork(id=self.id)))

    def resume(self) -> None:
        """Say again, on a new connection, what may have been lost on the old one."""
        self._send(pb.StreamWorkRequest(heartbeat=self._unsent))
        if self._report is not None:
            self._send(self._report)

    def settle(self, *, is_accepted: bool) -> None:
        """Take the service's answer to a report."""
        if not self._settled.done():
            self._settled.set_result(is_accepted)

    def stop(self) -> None:
        """Let go of the task: whoever handles it is cancelled."""
        self.settle(is_accepted=False)
        self._cancel()

    def _cancel(self) -> None:
        if self._handling is not None and self._report is None and not self._is_cancelling:
            self._is_cancelling = True
            self._handling.cancel()

    async def _settle(self, report: pb.StreamWorkRequest) -> None:
        self._check()
        if self._report is None:
            self._report = report
            self._send(report)
        if not await asyncio.shield(self._settled):
            raise Stopped(self.id)

    def _check(self) -> None:
        if self.is_stopped:
            raise Stopped(self.id)

    def _failure(self, error: BaseException) -> pb.FailWork:
        failed = error if isinstance(error, Failed) else Failed(f"{type(error).__name__}: {error}")
        message = pb.FailWork(
            id=self.id,
            error=pb.WorkError(
                type=_text(failed.type), status=failed.status, title=_text(failed.title), detail=_text(failed.detail)
            ),
        )
        if isinstance(failed, Retry):
            message.retry_after.CopyFrom(_duration(failed.after))
        if self._unsent.HasField("state"):
            message.state = self._unsent.state
        return message


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration


def _text(text: str) -> str:
    """Give a text as it can be sent: cut to what is kept of it, and as UTF-8 can hold it."""
    return text[:_TEXT_LIMIT].encode("utf-8", "replace").decode()


def _completion(item: str, output: Any) -> pb.StreamWorkRequest:
    """Give the report of a task that is done; raise ValueError or TypeError for an output that would be refused."""
    json.dumps(output, allow_nan=False)  # says what is no JSON, and where
    value = json_format.ParseDict(output, struct_pb2.Value())
    if (size := value.ByteSize()) > OUTPUT_LIMIT_BYTES:
        raise ValueError(f"the output has {size} bytes; at most {OUTPUT_LIMIT_BYTES} are taken")
    try:
        report = pb.StreamWorkRequest(complete=pb.CompleteWork(id=item, output=value))
        pb.StreamWorkRequest.FromString(report.SerializeToString())
    except ProtobufError:
        raise ValueError("the output is nested too deep: a message has at most 32 levels of JSON") from None
    return report


def _from_value(value: struct_pb2.Value) -> Any:
    """Give plain JSON; whole numbers are int, as the workflow had them."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return {key: _from_value(entry) for key, entry in value.struct_value.fields.items()}
        case "list_value":
            return [_from_value(entry) for entry in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None
