"""A thousand publish, promote, rollback and start calls at once, on two replicas: how fast, and is history right."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import ListInstancesRequest
from millwright_local.processes import until
from millwright_local.stack import TENANT, Stack
from millwright_local.workflow_client import WorkflowClient

from tests import evidence
from tests.bench.figures import Figure, latencies
from tests.bench.rig import client_of, fresh_stack
from tests.history import Answer, check_answers, check_begins, replay
from tests.storm import MIX, WORKFLOW, Call, Storm

BENCH = "storm"
CALLS = 1000
CONNECTIONS = 8
SEED = 20
END_SECONDS = 60.0


async def storm() -> AsyncIterator[Figure]:
    """Rage, wait until every instance has ended, and judge what the database holds."""
    async with fresh_stack() as stack, AsyncExitStack() as opened:
        await stack.add_replica("workflow").start()
        names = [name for name in stack.endpoints if name.startswith("workflow")]
        clients = [
            await opened.enter_async_context(client_of(stack, names[number % len(names)]))
            for number in range(CONNECTIONS)
        ]
        raging = Storm(clients, SEED)
        await raging.prepare()
        begin = time.monotonic()
        calls = await raging.rage(CALLS)
        yield Figure(BENCH, "calls a second", CALLS / (time.monotonic() - begin), "1/s")
        for kind in MIX:
            for figure in latencies(BENCH, kind, [call.seconds for call in calls if call.kind == kind]):
                yield figure
        await until(lambda: _all_have_ended(clients[0]), END_SECONDS)
        violations = await _violations(stack, calls)
        yield Figure(BENCH, "violations of the history", len(violations), "", most=0)


async def _all_have_ended(client: WorkflowClient) -> bool:
    unfinished = [Instance.STATE_PENDING, Instance.STATE_RUNNING]
    request = ListInstancesRequest(workflow=WORKFLOW, states=unfinished, page_size=1)
    return not (await client.call(client.instances.ListInstances, request)).instances


async def _violations(stack: Stack, calls: Sequence[Call]) -> list[str]:
    """Judge the release log and every instance that began."""
    assert stack.postgres is not None
    workflow = WORKFLOW.partition("/")[2]
    answered = [call for call in calls if call.response]
    call_times = {call.response.instance.name: call.begin for call in answered if call.kind == "start"}
    moves = await evidence.read_moves(stack.postgres, TENANT, workflow)
    begins = await evidence.read_begins(stack.postgres, TENANT, workflow, call_times)
    rollbacks = [call for call in answered if call.kind == "rollback" and call.response.changed]
    answers = [Answer(call.response.release.revision, call.end) for call in rollbacks]
    _, faults = replay(moves)
    return [*faults, *check_begins(moves, begins), *check_answers(moves, begins, answers)]
