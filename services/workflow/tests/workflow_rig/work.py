"""A worker that speaks the protocol word by word, so that a test can say each of them, or leave it out."""

import asyncio
import uuid

import grpc
from google.protobuf import json_format, struct_pb2
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright.workflow.v1.worker_service_pb2_grpc import WorkerServiceStub

LONG = 20.0


def task(queue: str, name: str = "inspect", **more) -> dict:
    """Give a task that is worked on outside."""
    return {name: {"call": "task", "with": {"queue": queue, **more}}}


def value(plain) -> struct_pb2.Value:
    """Give JSON as a protobuf Value."""
    return json_format.ParseDict(plain, struct_pb2.Value())


class WorkStream:
    """One stream. `async with` opens and breaks it."""

    def __init__(
        self, port: int, token: str, queues: tuple[str, ...], worker: str = "", *, opens=True, reads=True
    ) -> None:
        """Prepare a stream of a worker, that says who it is and reads unless told otherwise."""
        self.worker = worker or f"worker-{uuid.uuid4().hex[:8]}"
        self._port = port
        self._token = token
        self._reads = reads
        self._outgoing: asyncio.Queue = asyncio.Queue()
        self._incoming: asyncio.Queue = asyncio.Queue()
        self._opening = {"worker": self.worker, "queues": queues} if opens else {}

    async def __aenter__(self):
        """Connect and open."""
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}")
        self.stream = WorkerServiceStub(self._channel).StreamWork(
            self._each(), metadata=[("authorization", f"Bearer {self._token}")]
        )
        if self._opening:
            self.say(open=pb.OpenWork(**self._opening))
        self._reading = asyncio.create_task(self._read() if self._reads else asyncio.sleep(0))
        return self

    async def __aexit__(self, *_):
        """Break the connection."""
        self._reading.cancel()
        self.stream.cancel()
        self.end()
        await self._channel.close(None)

    async def _each(self):
        while (message := await self._outgoing.get()) is not None:
            yield message

    async def _read(self):
        """Keep what comes, and how the stream ended."""
        try:
            async for message in self.stream:
                self._incoming.put_nowait(message)
            self._incoming.put_nowait(await self.stream.code())
        except grpc.aio.AioRpcError as error:
            self._incoming.put_nowait(error)

    def begin_to_read(self) -> None:
        """Read from now on."""
        self._reading = asyncio.create_task(self._read())

    def say(self, **message) -> None:
        """Send one message."""
        self._outgoing.put_nowait(pb.StreamWorkRequest(**message))

    def end(self) -> None:
        """Say that nothing more is to come."""
        self._outgoing.put_nowait(None)

    async def hear(self, kind: str, seconds: float = LONG):
        """Wait for the next message and give it; it must be of this kind."""
        async with asyncio.timeout(seconds):
            message = await self._incoming.get()
        assert isinstance(message, pb.StreamWorkResponse), message
        assert message.WhichOneof("message") == kind, message
        return getattr(message, kind)

    async def hear_nothing(self, seconds: float = 0.5) -> None:
        """See that no message comes for a while."""
        await asyncio.sleep(seconds)
        assert self._incoming.empty(), self._incoming.get_nowait()

    async def hear_the_end(self):
        """Wait for the end of the stream and give how it ended: a status code, or the refusal."""
        async with asyncio.timeout(LONG):
            while isinstance(end := await self._incoming.get(), pb.StreamWorkResponse):
                pass
        return end

    async def take(self, *, acknowledged=True):
        """Give one credit and wait for the item."""
        self.say(credit=1)
        item = await self.hear("item")
        if acknowledged:
            self.say(acknowledge=item.id)
        return item

    async def complete(self, item, output=None) -> bool:
        """Complete an item; tell whether that was accepted."""
        self.say(complete=pb.CompleteWork(id=item.id, output=value(output)))
        return (await self.hear("settled")).accepted

    async def fail(self, item, **failure) -> bool:
        """Fail an item; tell whether that was accepted."""
        self.say(fail=pb.FailWork(id=item.id, **failure))
        return (await self.hear("settled")).accepted

    def beat(self, item, **what) -> None:
        """Give a sign of life."""
        self.say(heartbeat=pb.HeartbeatWork(id=item.id, **what))
