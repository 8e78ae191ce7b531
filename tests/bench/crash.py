"""How long instances stand still when their process is killed: until it is back, or until another has taken over."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from millwright_local.databases import DATABASE
from millwright_local.processes import until
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack
from millwright_workflow.domain import partitions

from tests.bench.backlog import publish, reached, start
from tests.bench.figures import Figure, latencies
from tests.bench.rig import client_of, fresh_stack

RUNNING = 200
KILLS = 30
TICKS = "workflows/bench.ticks"
REST = "{rest: {wait: {seconds: 1}}}"
TICK = f"[{{tick: {{for: {{in: '${{ [range(600)] }}'}}, do: [{REST}]}}}}]"
"""Each wait is over by the time that an instance goes on: it writes a step at once."""
_RESUME_MILLISECONDS = 8_000.0
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05
_LAST_COMMIT_SECONDS = 0.2
"""So long a commit that the killed process had sent may still take."""


async def crash() -> AsyncIterator[Figure]:
    """Kill the only process of the service, many times, and start it again at once."""
    async with fresh_stack() as stack, _looker(stack) as look:
        await _begin(stack)
        service = stack.services["workflow"]
        seconds = [await _stood_still(look, service, service) for _ in range(KILLS)]
    for figure in latencies("crash", f"kill to all {RUNNING} resumed, restarted at once", seconds):
        yield figure


async def takeover() -> AsyncIterator[Figure]:
    """Kill one of two replicas, by turns: the other takes over what it ran."""
    async with fresh_stack() as stack, _looker(stack) as look:
        await _begin(stack)
        replicas = [stack.services["workflow"], stack.add_replica("workflow")]
        await replicas[1].start()
        seconds = []
        for _, victim in zip(range(KILLS), cycle(replicas), strict=False):
            await until(look.are_shares_even, _WAIT_SECONDS, poll_seconds=_POLL_SECONDS)
            await look.moved()
            seconds.append(await _stood_still(look, victim, None))
            await victim.start()
    what = f"kill to all {RUNNING} running, another takes over"
    for figure in latencies("takeover", what, seconds, most_milliseconds=_RESUME_MILLISECONDS):
        yield figure


async def _begin(stack: Stack) -> None:
    assert stack.postgres is not None
    async with client_of(stack) as client:
        await publish(client, TICKS, TICK)
        await start(client, TICKS, RUNNING)
    await reached(stack.postgres, TICKS, tasks=0, count=RUNNING, steps=1)


async def _stood_still(look: _Look, victim: ServiceProcess, successor: ServiceProcess | None) -> float:
    """Kill a process, start its successor if there is one; give the seconds until every instance has written a step."""
    await victim.kill()
    begin = time.perf_counter()
    starting = asyncio.create_task(successor.start()) if successor else None
    await asyncio.sleep(_LAST_COMMIT_SECONDS)
    await look.moved()
    seconds = time.perf_counter() - begin
    if starting:
        await starting
    return seconds


class _Look:
    """Looks at the database, on one connection that stays."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def moved(self) -> None:
        """Return once every instance has written a step from now on."""
        stood = await self._steps()

        async def have() -> bool:
            now = await self._steps()
            return all(now[instance] > step for instance, step in stood.items())

        await until(have, _WAIT_SECONDS, poll_seconds=_POLL_SECONDS)

    async def are_shares_even(self) -> bool:
        """Tell whether two workers own half of the partitions each."""
        rows = await self._connection.fetch(_SHARES)
        return [row["count"] for row in rows] == [partitions.COUNT // 2] * 2

    async def _steps(self) -> dict[uuid.UUID, int]:
        rows = await self._connection.fetch(_STEPS, TICKS.partition("/")[2])
        return {row["instance"]: row["step"] for row in rows}


@asynccontextmanager
async def _looker(stack: Stack) -> AsyncIterator[_Look]:
    assert stack.postgres is not None
    async with stack.postgres.connect(DATABASE) as connection:
        yield _Look(connection)


_STEPS = "SELECT instance, step FROM workflow.instance WHERE workflow = $1"
_SHARES = "SELECT count(*) FROM workflow.partition WHERE owner IS NOT NULL GROUP BY owner"
