"""What many instances cost that only wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psutil  # type: ignore[import-untyped]
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.bench.backlog import PAUSE, publish, reached, start
from tests.bench.figures import Figure

BENCH = "engine"
INSTANCES = 10_000
GIB = 2**30
WAITS = "workflows/bench.long-waits"


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


def _memory(stack: Stack) -> int:
    """Give the resident memory of the service's processes, in bytes."""
    process = stack.services["workflow"].process
    assert process is not None
    parent = psutil.Process(process.pid)
    return sum(it.memory_info().rss for it in (parent, *parent.children(recursive=True)))
