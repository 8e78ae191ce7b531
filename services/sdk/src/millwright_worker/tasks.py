"""A worker's connection: takes tasks, keeps them alive, and connects again when it breaks."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright.workflow.v1.worker_service_pb2_grpc import WorkerServiceStub

from millwright_worker.errors import Refused
from millwright_worker.task import Task

_BEATS_A_TIMEOUT = 3
_SHORTEST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0
_FINAL = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_OPTIONS = [("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 10_000)]
_HOME = ("localhost", "127.0.0.1", "[::1]")
_log = logging.getLogger("millwright_worker")

Token = str | Callable[[], str]
Handler = Callable[[Task], Awaitable[Any]]


def worker(
    *queues: str,
    endpoint: str,
    token: Token,
    concurrency: int = 1,
    name: str | None = None,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    plaintext: bool | None = None,
) -> Tasks:
    """Take work from `queues`, at most `concurrency` tasks at a time: `async with worker(…) as tasks`.

    `name` is this process's own; it must never be another's. `endpoint` is a gRPC target, such as `host:port`. Unless
    `plaintext` says otherwise, the connection is in plaintext to this machine and with TLS to any other.

    TLS trusts the authorities in the file `ca`, or else the system's, and shows the `certificate` with its `key`, if
    there is one. The files, in PEM, are read for each connection, so that they may be replaced; any of them means TLS.
    Raises OSError if one cannot be read now.
    """
    unique = name or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    if (certificate is None) != (key is None):
        raise ValueError("a certificate and its key belong together")
    files = (ca, key, certificate)
    _contents(files)
    is_plain = not any(files) and endpoint.rpartition(":")[0] in _HOME if plaintext is None else plaintext
    return Tasks(queues, lambda: _open(endpoint, files, is_plain=is_plain), token, concurrency, unique)


class Tasks:
    """The tasks of a worker, as they come."""

    def __init__(
        self,
        queues: Iterable[str],
        connect: Callable[[], grpc.aio.Channel],
        token: Token,
        concurrency: int,
        name: str,
    ) -> None:
        """Prepare a worker; `worker` is how to make one."""
        self.name = name
        self._queues = list(queues)
        self._connect = connect
        self._token = token
        self._concurrency = concurrency
        self._held: dict[str, Task] = {}
        self._arrived: asyncio.Queue[Task | None] = asyncio.Queue()
        self._outgoing: asyncio.Queue[pb.StreamWorkRequest | None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to connect."""
        self._running = asyncio.create_task(self._run(), name=f"worker-{self.name}")
        self._running.add_done_callback(lambda _: self._arrived.put_nowait(None))
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Leave; what is still held lapses and goes to another worker."""
        assert self._running is not None
        self._running.cancel()
        with suppress(asyncio.CancelledError, Refused):
            await self._running

    async def __aiter__(self) -> AsyncIterator[Task]:
        """Give each task as it comes; raise Refused if the service does not take this worker."""
        while (task := await self._arrived.get()) is not None:
            if not task.is_stopped:
                yield task
        assert self._running is not None
        if not self._running.cancelled() and (error := self._running.exception()):
            raise error

    async def run(self, handler: Handler) -> None:
        """Handle tasks, up to `concurrency` at a time, until cancelled; what `handler` returns is a task's output."""
        async with asyncio.TaskGroup() as group:
            async for task in self:
                group.create_task(_handle(task, handler))

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                await self._connect_once()
                attempt = 0
            except grpc.aio.AioRpcError as error:
                if error.code() in _FINAL and not (callable(self._token) and attempt == 0):
                    raise Refused(f"{error.code().name}: {error.details()}") from None
                _log.info("connecting again: %s", error.details())
                attempt += 1
            except OSError as error:  # of its files: they are being replaced
                _log.warning("connecting again: %s", error)
                attempt += 1
            wait = min(_LONGEST_WAIT_SECONDS, _SHORTEST_WAIT_SECONDS * 2**attempt)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - it only spreads load

    async def _connect_once(self) -> None:
        """Work over one connection until it ends."""
        async with self._connect() as channel:
            token = self._token() if callable(self._token) else self._token
            outgoing: asyncio.Queue[pb.StreamWorkRequest | None] = asyncio.Queue()
            outgoing.put_nowait(pb.StreamWorkRequest(open=pb.OpenWork(worker=self.name, queues=self._queues)))
            stream = WorkerServiceStub(channel).StreamWork(  # type: ignore[no-untyped-call,unused-ignore]
                _each(outgoing), metadata=(("authorization", f"Bearer {token}"),)
            )
            beating = asyncio.create_task(self._beat())
            try:
                self._outgoing = outgoing
                for task in list(self._held.values()):
                    task.resume()
                if (credit := self._concurrency - len(self._held)) > 0:
                    self._send(pb.StreamWorkRequest(credit=credit))
                async for message in stream:
                    self._receive(message)
            finally:
                self._outgoing = None
                beating.cancel()
                stream.cancel()
                outgoing.put_nowait(None)

    def _send(self, message: pb.StreamWorkRequest) -> None:
        """Send a message if there is a connection; what matters is said again on the next one."""
        if self._outgoing is not None:
            self._outgoing.put_nowait(message)

    def _receive(self, message: Any) -> None:
        match message.WhichOneof("message"):
            case "item":
                self._send(pb.StreamWorkRequest(acknowledge=message.item.id))
                if message.item.id not in self._held:
                    task = self._held[message.item.id] = Task(message.item, self._send)
                    self._arrived.put_nowait(task)
            case "settled":
                if settled := self._let_go(message.settled.id):
                    settled.settle(is_accepted=message.settled.accepted)
            case "stop":
                if stopped := self._let_go(message.stop.id):
                    stopped.stop()

    def _let_go(self, item: str) -> Task | None:
        task = self._held.pop(item, None)
        if task is not None:
            self._send(pb.StreamWorkRequest(credit=1))
        return task

    async def _beat(self) -> None:
        """Give a sign of life of each task well within its timeout."""
        loop = asyncio.get_running_loop()
        due: dict[str, float] = {}
        while True:
            now = loop.time()
            for item, task in self._held.items():
                if due.get(item, 0.0) <= now:
                    task.beat()
                    due[item] = now + task.heartbeat_seconds / _BEATS_A_TIMEOUT
            due = {item: time for item, time in due.items() if item in self._held}
            await asyncio.sleep(min([1.0, *(time - now for time in due.values())]))


async def _each(outgoing: asyncio.Queue[pb.StreamWorkRequest | None]) -> AsyncIterator[pb.StreamWorkRequest]:
    while (message := await outgoing.get()) is not None:
        yield message


async def _handle(task: Task, handler: Handler) -> None:
    async with task:
        await task.complete(await handler(task))


def _open(endpoint: str, files: tuple[Path | None, ...], *, is_plain: bool) -> grpc.aio.Channel:
    if is_plain:
        return grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(*_contents(files))
    return grpc.aio.secure_channel(endpoint, credentials, options=_OPTIONS)


def _contents(files: tuple[Path | None, ...]) -> list[bytes | None]:
    return [path.read_bytes() if path else None for path in files]
