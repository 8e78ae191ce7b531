"""A service that speaks the protocol of workers: it sends what a test tells it to, and keeps what came."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright.workflow.v1 import worker_service_pb2_grpc
from millwright.workflow.v1.work_pb2 import WorkItem
from millwright_local.testing.certificates import Authority

SECONDS = 10.0


class Service(worker_service_pb2_grpc.WorkerServiceServicer):
    """The other side: `send` says something on the newest stream, `hear` waits for what a worker says."""

    def __init__(self):
        self.heard = asyncio.Queue()
        self.streams = []
        self.metadata = []
        self.refusal = None

    async def StreamWork(self, requests, context):  # noqa: N802 - as gRPC has it
        self.metadata.append(dict(context.invocation_metadata()))
        if self.refusal:
            await context.abort(self.refusal, "refused")
        outgoing = asyncio.Queue()
        self.streams.append(outgoing)
        reading = asyncio.create_task(self._read(requests))
        try:
            while (message := await outgoing.get()) is not None:
                yield message
        finally:
            reading.cancel()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "going away")

    async def _read(self, requests):
        async for message in requests:
            self.heard.put_nowait(message)

    def send(self, **message):
        """Send a message."""
        self.streams[-1].put_nowait(pb.StreamWorkResponse(**message))

    def offer(self, item="item-1", state=b"", attempt=0, seconds=60, **plain):
        """Send an item."""
        value = json_format.ParseDict(plain, struct_pb2.Value())
        timeout = Duration()
        timeout.FromNanoseconds(int(seconds * 1e9))
        self.send(
            item=WorkItem(
                id=item,
                queue="inspect",
                instance="instances/7",
                task="/do/0",
                attempt=attempt,
                input=value,
                state=state,
                heartbeat_timeout=timeout,
            )
        )

    def settle(self, item="item-1", accepted=True):
        """Answer a report."""
        self.send(settled=pb.SettledWork(id=item, accepted=accepted))

    def stop(self, item="item-1"):
        """Tell the worker to let go."""
        self.send(stop=pb.StopWork(id=item, reason=pb.StopWork.REASON_CANCELLED))

    def hang_up(self):
        """End the newest stream as a replica does that goes away."""
        self.streams[-1].put_nowait(None)

    async def hear(self, kind):
        """Wait for a message of this kind, whatever comes before it."""
        async with asyncio.timeout(SECONDS):
            while (message := await self.heard.get()).WhichOneof("message") != kind:
                pass
        return getattr(message, kind)


@pytest.fixture
async def service():
    """The service, running; `service.endpoint` is where."""
    servicer = Service()
    async with serving(servicer, lambda server: server.add_insecure_port("127.0.0.1:0")) as servicer.endpoint:
        yield servicer


@asynccontextmanager
async def serving(servicer, listen):
    """Serve at the port that `listen` opens; give where."""
    server = grpc.aio.server()
    worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(servicer, server)
    port = listen(server)
    await server.start()
    yield f"127.0.0.1:{port}"
    for stream in servicer.streams:
        stream.put_nowait(None)
    await server.stop(0)


@pytest.fixture
async def guarded(tmp_path):
    """The service with TLS: it reads its certificate in `tls` for each connection, and asks for its clients'."""
    servicer, authorities = Service(), tmp_path / "clients.pem"

    def configuration():
        pair = [((tmp_path / "tls" / "tls.key").read_bytes(), (tmp_path / "tls" / "tls.crt").read_bytes())]
        return grpc.ssl_server_certificate_configuration(pair, authorities.read_bytes())

    servicer.authorities = [Authority("first"), Authority("second")]
    authorities.write_text("".join(authority.pem for authority in servicer.authorities))
    servicer.authorities[0].issue(tmp_path / "tls")
    credentials = grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )
    async with serving(
        servicer, lambda server: server.add_secure_port("127.0.0.1:0", credentials)
    ) as servicer.endpoint:
        yield servicer
