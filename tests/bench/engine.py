"""How instances run: tasks a second and the time of a task beside DBOS Transact, and what surrounds them.

Each task is one durable step: its result of 512 bytes is committed, with every flush, before the next begins. Both
sides run by turns on one Postgres server. DBOS has two ways, threads and an event loop: each figure is compared with
the better of them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from unittest.mock import patch

from millwright_local.postgres import Postgres
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.bench.backlog import LANES, Backlog, Span, rate
from tests.bench.dbos_runner import KINDS, DbosRunner
from tests.bench.figures import Figure, percentile
from tests.bench.rig import client_of, fresh_stack
from tests.bench.tiers import tiers
from tests.bench.waiting import INSTANCES as WAITING
from tests.bench.waiting import waiting

BENCH = "engine"
PEER = "DBOS Transact"
ROUNDS = 5
INSTANCES = {1: 30, 20: 200, 100: 800}
"""How many instances a round has, by how many run at once."""
PEER_WORKFLOWS = {1: 20, 20: 60, 100: 200}
SHARED_LANES = 128
"""As many for each partition, so that two replicas have half of them each."""
LEAST_RATIO = {1: 1.0, 100: 10.0}


@dataclass(slots=True)
class Side:
    """One of those that are compared, and what its rounds gave."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Tasks a second: the median of the rounds."""
        return percentile(self.rates, 50)

    def note(self, spans: Sequence[Span]) -> None:
        """Take a round."""
        self.rates.append(rate(span.end for span in spans))
        self.seconds += [span.end - span.begin for span in spans]


async def engine() -> AsyncIterator[Figure]:
    """Compare, then measure what surrounds the running of tasks."""
    with patch.dict(os.environ, {"MILLWRIGHT_WORKFLOW_MAX_INSTANCES": str(LANES)}):
        async with fresh_stack() as stack, client_of(stack) as client:
            assert stack.postgres is not None
            async for figure in _compare(client, stack.postgres):
                yield figure
    with patch.dict(os.environ, {"MILLWRIGHT_WORKFLOW_MAX_INSTANCES": str(2 * WAITING)}):
        async with fresh_stack() as stack, client_of(stack) as client:
            async for figure in tiers(stack, client):
                yield figure
            async for figure in waiting(stack, client):
                yield figure
    async for figure in _replicas():
        yield figure


async def _compare(client: WorkflowClient, postgres: Postgres) -> AsyncIterator[Figure]:
    backlog = Backlog(client, postgres)
    await backlog.prepare()
    async with AsyncExitStack() as opened:
        peers = [await opened.enter_async_context(DbosRunner(postgres, kind)) for kind in KINDS]
        for concurrency, instances in INSTANCES.items():
            ours, theirs = Side(), [Side() for _ in peers]
            await backlog.work_off(concurrency, instances)  # warm
            for _ in range(ROUNDS):
                ours.note(await backlog.work_off(concurrency, instances))
                for peer, side in zip(peers, theirs, strict=True):
                    side.note(await peer.run(concurrency, PEER_WORKFLOWS[concurrency]))
            for figure in _figures(concurrency, ours, theirs):
                yield figure


def _figures(concurrency: int, ours: Side, theirs: Sequence[Side]) -> Iterable[Figure]:
    what = f"at {concurrency}"
    best = max(side.rate for side in theirs)
    yield Figure(BENCH, f"tasks {what}", ours.rate, "1/s", PEER, best, least_ratio=LEAST_RATIO.get(concurrency))
    for percent in (50, 99):
        best = min(percentile(side.seconds, percent) for side in theirs) * 1000
        yield Figure(BENCH, f"task p{percent} {what}", percentile(ours.seconds, percent) * 1000, "ms", PEER, best)


async def _replicas() -> AsyncIterator[Figure]:
    """Measure the same with two processes of the service, without a peer; each has half of the room."""
    with patch.dict(os.environ, {"MILLWRIGHT_WORKFLOW_MAX_INSTANCES": str(SHARED_LANES // 2)}):
        async with fresh_stack() as stack, client_of(stack) as client:
            yield await _with_a_second(stack, client)


async def _with_a_second(stack: Stack, client: WorkflowClient) -> Figure:
    assert stack.postgres is not None
    await stack.add_replica("workflow").start()
    backlog, side = Backlog(client, stack.postgres, SHARED_LANES), Side()
    await backlog.prepare()
    for _ in range(ROUNDS):
        side.note(await backlog.work_off(SHARED_LANES, INSTANCES[LANES]))
    return Figure(BENCH, f"tasks at {SHARED_LANES}, two replicas", side.rate, "1/s")
