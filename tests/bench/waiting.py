"""What many instances cost that only wait, and how long they stand still when their process is killed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial

import psutil  # type: ignore[import-untyped]
from millwright_local.databases import DATABASE
from millwright_local.postgres import Postgres
from millwright_local.processes import until
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.bench.backlog import PAUSE, publish, reached, start
from tests.bench.figures import Figure, latencies

BENCH = "engine"
INSTANCES = 10_000
GIB = 2**30
RUNNING = 200
KILLS = 30
WAITS = "workflows/bench.long-waits"
TICKS = "workflows/bench.ticks"
TICK = "[{tick: {for: {in: '${ [range(100000)] }'}, do: [{rest: {wait: {milliseconds: 200}}}]}}]"
_RESUME_SECONDS = 60.0


async def waiting(stack: Stack, client: WorkflowClient) -> AsyncIterator[Figure]:
    """Fill the process with instances that wait."""
    assert stack.postgres is not None
    await publish(client, WAITS, PAUSE)
    await start(client, WAITS, 10)
    await reached(stack.postgres, WAITS, tasks=0, count=10)
    before = _memory(stack)
    await start(client, WAITS, INSTANCES)
    await reached(stack.postgres, WAITS, tasks=0, count=10 + INSTANCES, steps=1)
    grown = _memory(stack) - before
    yield Figure(BENCH, f"memory of {INSTANCES:,} waiting", grown / 2**20, "MiB")
    yield Figure(BENCH, "waiting instances a GiB", INSTANCES * GIB / grown, "")


async def crashes(stack: Stack, client: WorkflowClient) -> AsyncIterator[Figure]:
    """Kill the process and start it again at once, many times: how long until every instance has moved on."""
    assert stack.postgres is not None
    await publish(client, TICKS, TICK)
    await start(client, TICKS, RUNNING)
    seconds = []
    service = stack.services["workflow"]
    for _ in range(KILLS):
        await reached(stack.postgres, TICKS, tasks=0, count=RUNNING, steps=1)
        await service.kill()
        begin = time.perf_counter()
        stood = await _steps(stack.postgres)
        await service.start()
        await until(partial(_have_moved, stack.postgres, stood), _RESUME_SECONDS, poll_seconds=0.02)
        seconds.append(time.perf_counter() - begin)
    for figure in latencies(BENCH, f"kill to all {RUNNING} resumed", seconds):
        yield figure


async def _steps(postgres: Postgres) -> dict[str, int]:
    async with postgres.connect(DATABASE) as connection:
        rows = await connection.fetch(_STEPS, TICKS.partition("/")[2])
    return {row["instance"]: row["step"] for row in rows}


async def _have_moved(postgres: Postgres, stood: dict[str, int]) -> bool:
    now = await _steps(postgres)
    return all(now[instance] > step for instance, step in stood.items())


def _memory(stack: Stack) -> int:
    """Give the resident memory of the service's processes, in bytes."""
    process = stack.services["workflow"].process
    assert process is not None
    parent = psutil.Process(process.pid)
    return sum(it.memory_info().rss for it in (parent, *parent.children(recursive=True)))


_STEPS = "SELECT instance, step FROM workflow.instance WHERE workflow = $1"
