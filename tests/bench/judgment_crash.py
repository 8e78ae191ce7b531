"""Judgments that are acknowledged while the service is killed: how many of them are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count

import grpc.aio
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2, judgment_service_pb2_grpc
from millwright_local.databases import DATABASE
from millwright_local.stack import TENANT, Stack

from tests.bench.figures import Figure
from tests.bench.judgment_table import RULESET

STREAMS = 4
ACKNOWLEDGED = 20_000
"""So many, then the kill: while others are under way."""
_SECONDS = 60.0
_SERVICE = "judgment"


async def lost(stack: Stack, bench: str, given: Sequence[judgment_pb2.Input]) -> Figure:
    """Kill the service during streams of judgments, start it again, and count what was told and is not there."""
    assert stack.postgres is not None
    service = stack.services[_SERVICE]
    told: list[str] = []
    is_enough = asyncio.Event()
    async with grpc.aio.insecure_channel(service.address) as channel:
        metadata = [("authorization", f"Bearer {stack.keys.token(tenant=TENANT)}")]
        stub = judgment_service_pb2_grpc.JudgmentServiceStub(channel)

        async def stream() -> None:
            async for answer in stub.JudgeStream(_requests(given), metadata=metadata):
                told.append(answer.result.judged.execution.name)
                if len(told) >= ACKNOWLEDGED:
                    is_enough.set()

        work = [asyncio.create_task(stream()) for _ in range(STREAMS)]
        async with asyncio.timeout(_SECONDS):
            await is_enough.wait()
        await service.kill()
        ends = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(end, grpc.aio.AioRpcError) for end in ends)
    await service.start()
    async with stack.postgres.connect(DATABASE) as sql:
        stored = await sql.fetchval(_STORED, TENANT, [name.removeprefix("executions/") for name in told])
    metric = f"SIGKILL after {ACKNOWLEDGED:,} acknowledged on {STREAMS} streams, lost"
    return Figure(bench, metric, len(told) - stored, "executions", most=0)


async def _requests(
    given: Sequence[judgment_pb2.Input],
) -> AsyncIterator[judgment_service_pb2.JudgeStreamRequest]:
    for number in count():
        request = judgment_service_pb2.JudgeRequest(ruleset=RULESET, input=given[number % len(given)])
        yield judgment_service_pb2.JudgeStreamRequest(number=number, request=request)


_STORED = "SELECT count(*) FROM judgment.execution WHERE tenant = $1 AND execution = ANY ($2::uuid[])"
