"""How long instances stand still when their process is killed and started again at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from functools import partial

from millwright_local.databases import DATABASE
from millwright_local.postgres import Postgres
from millwright_local.processes import until

from tests.bench.backlog import publish, reached, start
from tests.bench.figures import Figure, latencies
from tests.bench.rig import client_of, fresh_stack

BENCH = "crash"
RUNNING = 200
KILLS = 30
TICKS = "workflows/bench.ticks"
REST = "{rest: {wait: {milliseconds: 200}}}"
TICK = f"[{{tick: {{for: {{in: '${{ [range(5000)] }}'}}, do: [{REST}]}}}}]"
_RESUME_SECONDS = 60.0
_POLL_SECONDS = 0.02


async def crash() -> AsyncIterator[Figure]:
    """Kill the only process of the service, many times: how long until every instance has written a step again."""
    seconds = []
    async with fresh_stack() as stack:
        assert stack.postgres is not None
        service = stack.services["workflow"]
        async with client_of(stack) as client:
            await publish(client, TICKS, TICK)
            await start(client, TICKS, RUNNING)
        await reached(stack.postgres, TICKS, tasks=0, count=RUNNING, steps=1)
        for _ in range(KILLS):
            await service.kill()
            begin = time.perf_counter()
            stood = await _steps(stack.postgres)
            await service.start()
            await until(partial(_have_moved, stack.postgres, stood), _RESUME_SECONDS, poll_seconds=_POLL_SECONDS)
            seconds.append(time.perf_counter() - begin)
    for figure in latencies(BENCH, f"kill to all {RUNNING} resumed", seconds):
        yield figure


async def _steps(postgres: Postgres) -> dict[uuid.UUID, int]:
    async with postgres.connect(DATABASE) as connection:
        rows = await connection.fetch(_STEPS, TICKS.partition("/")[2])
    return {row["instance"]: row["step"] for row in rows}


async def _have_moved(postgres: Postgres, stood: dict[uuid.UUID, int]) -> bool:
    now = await _steps(postgres)
    return all(now[instance] > step for instance, step in stood.items())


_STEPS = "SELECT instance, step FROM workflow.instance WHERE workflow = $1"
