"""How long a rollback takes: the call, and the news of it at a NATS subscriber and at a watch stream.

The news is timed from the release's `create_time`: when the service decided, just before the commit. So the figures
are a little longer than commit to news. All clocks are this machine's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from millwright.workflow.v1.release_pb2 import Release
from millwright.workflow.v1.release_service_pb2 import PromoteVersionRequest, RollbackVersionRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.listeners import subscribed, watched
from millwright_local.stack import TENANT
from millwright_local.workflow_client import WorkflowClient

from tests.bench.figures import Figure, latencies
from tests.bench.rig import client_of, definition, fresh_stack

BENCH = "rollback"
CALLS = 100
WARM_UP = 10
CALL_MILLISECONDS = 50.0
EVENT_MILLISECONDS = 250.0
WORKFLOW = "workflows/bench.rollback"
CHANNEL = f"{WORKFLOW}/channels/prod"


async def rollback() -> AsyncIterator[Figure]:
    """Roll back a hundred times, one after the other, promoting again in between."""
    calls, events, watches = [], [], []
    async with fresh_stack() as stack, client_of(stack) as client:
        assert stack.nats is not None
        await _publish(client)
        async with subscribed(stack.nats.url, TENANT, WORKFLOW) as subscriber, watched(client, WORKFLOW) as watcher:
            for number in range(WARM_UP + CALLS):
                seconds, release = await _round(client)
                event = await subscriber.wait_for(release.revision)
                seen = await watcher.wait_for(release.revision)
                if number >= WARM_UP:
                    decided = release.create_time.ToNanoseconds() / 1e9
                    calls.append(seconds)
                    events.append(event.time - decided)
                    watches.append(seen.time - decided)
    for figure in (
        *latencies(BENCH, "call", calls, most_milliseconds=CALL_MILLISECONDS),
        *latencies(BENCH, "decision to NATS", events, most_milliseconds=EVENT_MILLISECONDS),
        *latencies(BENCH, "decision to watch", watches),
    ):
        yield figure


async def _publish(client: WorkflowClient) -> None:
    for number in (1, 2):
        request = PublishVersionRequest(definition=definition("rollback", number), promote_to="prod")
        await client.call(client.workflows.PublishVersion, request)


async def _round(client: WorkflowClient) -> tuple[float, Release]:
    """Roll back from version 2 to 1, then promote 2 again; return how long the rollback took, and its row."""
    request = RollbackVersionRequest(channel=CHANNEL, reason="a bench", keep_source_good=True)
    begin = time.perf_counter()
    answer = await client.call(client.releases.RollbackVersion, request)
    seconds = time.perf_counter() - begin
    await client.call(client.releases.PromoteVersion, PromoteVersionRequest(channel=CHANNEL, version=2))
    return seconds, answer.release
