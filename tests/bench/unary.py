"""What a unary read costs over a bare gRPC server: GetWorkflow beside an echo of the same bytes.

One Python client calls both, by turns, so its own cost is in both figures and the ratio is kinder than the servers
alone would be.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio
from millwright.workflow.v1.workflow_service_pb2 import GetWorkflowRequest, GetWorkflowResponse, PublishVersionRequest
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.processes import Process
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.bench.figures import Figure, percentile
from tests.bench.rig import client_of, definition, fresh_stack

BENCH = "unary"
PEER = "bare grpc.aio echo"
CONCURRENCY = (1, 64)
ROUNDS = 10
ROUND_SECONDS = 0.5
READY_SECONDS = 10.0
REQUEST = GetWorkflowRequest(name="workflows/bench.unary")


@dataclass(slots=True)
class Side:
    """One of the two servers, and what its calls took."""

    client: WorkflowClient
    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.calls) / self.seconds

    async def run(self, concurrency: int, seconds: float) -> None:
        """Call for a while, so many at once."""
        begin = time.perf_counter()
        await asyncio.gather(*(self._call_until(begin + seconds) for _ in range(concurrency)))
        self.seconds += time.perf_counter() - begin

    async def _call_until(self, end: float) -> None:
        while (begin := time.perf_counter()) < end:
            await self.client.call(self.client.workflows.GetWorkflow, REQUEST)
            self.calls.append(time.perf_counter() - begin)


async def unary() -> AsyncIterator[Figure]:
    """Call the service and its peer by turns, alone and many at once."""
    async with fresh_stack() as stack, client_of(stack) as client:
        request = PublishVersionRequest(definition=definition("unary", 1), promote_to="prod")
        await client.call(client.workflows.PublishVersion, request)
        answer = await client.call(client.workflows.GetWorkflow, REQUEST)
        async with _echo(stack, answer) as echo:
            for concurrency in CONCURRENCY:
                for figure in await _compare(client, echo, concurrency):
                    yield figure


async def _compare(client: WorkflowClient, echo: WorkflowClient, concurrency: int) -> Iterable[Figure]:
    for side in (Side(client), Side(echo)):
        await side.run(concurrency, ROUND_SECONDS)  # warm
    service, peer = Side(client), Side(echo)
    for _ in range(ROUNDS):
        await service.run(concurrency, ROUND_SECONDS)
        await peer.run(concurrency, ROUND_SECONDS)
    figures = [Figure(BENCH, f"GetWorkflow rate at {concurrency}", service.rate, "1/s", PEER, peer.rate)]
    for percent in (50, 99):
        times = [percentile(side.calls, percent) * 1000 for side in (service, peer)]
        figures.append(Figure(BENCH, f"GetWorkflow p{percent} at {concurrency}", times[0], "ms", PEER, times[1]))
    return figures


@asynccontextmanager
async def _echo(stack: Stack, answer: GetWorkflowResponse) -> AsyncIterator[WorkflowClient]:
    """Start the peer in a process of its own, answering with the same bytes, and give a client of the same kind."""
    address = f"{LOOPBACK}:{find_free_port()}"
    command = [sys.executable, "-m", "tests.bench.echo", address, answer.SerializeToString().hex()]
    process = Process("echo", command, log=stack.logs / "echo.log")
    process.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel, asyncio.timeout(READY_SECONDS):
            await channel.channel_ready()
        async with WorkflowClient(address, stack.token_file.read_text()) as client:
            yield client
    finally:
        await process.kill()
