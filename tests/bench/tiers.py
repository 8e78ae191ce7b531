"""How fast one instance is: from start to finish over gRPC, and a checkpoint from each of the tiers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from millwright.workflow.v1.checkpoint_pb2 import Checkpoint
from millwright.workflow.v1.instance_service_pb2 import (
    GetCheckpointRequest,
    StartInstanceRequest,
    WatchInstanceRequest,
)
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.bench.backlog import PAYLOAD, publish, reached, start
from tests.bench.figures import Figure, latencies
from tests.bench.rig import client_of

BENCH = "engine"
RUNS = 200
WARM_UP = 20
NOTE = f"{{note: {{set: {{text: {PAYLOAD}}}}}}}"
SHORT = "workflows/bench.short"
LONG = "workflows/bench.long"
TIERS = {
    Checkpoint.TIER_MEMORY: "memory",
    Checkpoint.TIER_VALKEY: "Valkey",
    Checkpoint.TIER_POSTGRES: "Postgres",
}


async def tiers(stack: Stack, client: WorkflowClient) -> AsyncIterator[Figure]:
    """Measure one instance after the other; two replicas serve, so that one has in memory what the other has not."""
    await publish(client, SHORT, f"[{NOTE}]")
    await publish(client, LONG, f"[{NOTE}, {{pause: {{wait: {{hours: 1}}}}}}]")
    ended, seconds = await _runs(client)
    for figure in latencies(BENCH, "one task, start to finish", seconds):
        yield figure
    second = stack.add_replica("workflow")
    await second.start()
    assert stack.postgres is not None
    running = await start(client, LONG, RUNS)
    await reached(stack.postgres, LONG, tasks=1, count=RUNS)
    found: defaultdict[int, list[float]] = defaultdict(list)
    async with client_of(stack, "workflow-2") as other:
        for each in (client, other):
            for instance in (*ended, *running):
                tier, took = await _restore(each, instance)
                found[tier].append(took)
    await second.stop()
    for tier, what in TIERS.items():
        for figure in latencies(BENCH, f"checkpoint from {what}", found[tier]):
            yield figure


async def _runs(client: WorkflowClient) -> tuple[Sequence[str], Sequence[float]]:
    """Run instances one after the other; give their names, and how long each took until its end was seen."""
    names, seconds = [], []
    for _ in range(WARM_UP + RUNS):
        begin = time.perf_counter()
        answer = await client.call(client.instances.StartInstance, StartInstanceRequest(workflow=SHORT))
        request = WatchInstanceRequest(name=answer.instance.name)
        async for _ in client.stream(client.instances.WatchInstance, request):
            pass
        seconds.append(time.perf_counter() - begin)
        names.append(answer.instance.name)
    return names[WARM_UP:], seconds[WARM_UP:]


async def _restore(client: WorkflowClient, instance: str) -> tuple[int, float]:
    begin = time.perf_counter()
    answer = await client.call(client.instances.GetCheckpoint, GetCheckpointRequest(instance=instance))
    return answer.checkpoint.tier, time.perf_counter() - begin
