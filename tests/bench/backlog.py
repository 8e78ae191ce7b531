"""A backlog of instances, worked off so many at once: what the service does when nobody hurries or hinders it.

The service has room for LANES instances. Instances that only wait fill it while the backlog is made, so that nothing
of it begins; then as many of them are cancelled as are to run at once. Times are the service's own: when an instance
began, and when each of its tasks was done; the next is done only after that was committed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from millwright.workflow.v1.instance_service_pb2 import CancelInstanceRequest, StartInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.databases import DATABASE
from millwright_local.postgres import Postgres
from millwright_local.processes import until
from millwright_local.workflow_client import WorkflowClient
from millwright_workflow.domain import partitions

LANES = 100
TASKS = 10
PAYLOAD = "x" * 512
NOTES = "workflows/bench.notes"
WAITS = "workflows/bench.waits"
PAUSE = "[{pause: {wait: {hours: 1}}}]"
_STARTS_AT_ONCE = 50
_END_SECONDS = 120.0
_LOOK_SECONDS = 0.25
"""Seldom, for each look is a new connection on the server that is measured."""


@dataclass(frozen=True, slots=True)
class Span:
    """One task: from the end of the one before to its own, in seconds."""

    begin: float
    end: float


def rate(ends: Iterable[float]) -> float:
    """Give how many end in a second; the first and the last tenth, while not all run, are left out."""
    ordered = sorted(ends)
    first, last = len(ordered) // 10, len(ordered) * 9 // 10
    return (last - first) / (ordered[last] - ordered[first])


class Backlog:
    """Makes backlogs for one service and reads how they were worked off."""

    def __init__(self, client: WorkflowClient, postgres: Postgres, lanes: int = LANES) -> None:
        self._client = client
        self._postgres = postgres
        self._lanes = lanes
        self._waiting: list[str] = []

    async def prepare(self) -> None:
        """Publish what is run, and fill every lane."""
        await publish(self._client, NOTES, _notes())
        await publish(self._client, WAITS, PAUSE)
        self._waiting = await start(self._client, WAITS, self._lanes)
        await until(lambda: self._counts(WAITS, "RUNNING", self._lanes), _END_SECONDS)

    async def work_off(self, concurrency: int, instances: int) -> Sequence[Span]:
        """Run instances, so many at once; give every task."""
        names = await start(self._client, NOTES, instances)
        freed, self._waiting = self._waiting[:concurrency], self._waiting[concurrency:]
        calls = (
            self._client.call(self._client.instances.CancelInstance, CancelInstanceRequest(name=it)) for it in freed
        )
        await asyncio.gather(*calls)
        await until(lambda: self._counts(NOTES, "PENDING", 0), _END_SECONDS, poll_seconds=_LOOK_SECONDS)
        await until(lambda: self._counts(NOTES, "RUNNING", 0), _END_SECONDS, poll_seconds=_LOOK_SECONDS)
        spans = await self._spans(names)
        self._waiting += await start(self._client, WAITS, concurrency)
        await until(lambda: self._counts(WAITS, "RUNNING", self._lanes), _END_SECONDS)
        return spans

    async def _counts(self, workflow: str, state: str, count: int) -> bool:
        async with self._postgres.connect(DATABASE) as connection:
            return bool(count == await connection.fetchval(_COUNT, workflow.partition("/")[2], state))

    async def _spans(self, names: Iterable[str]) -> list[Span]:
        async with self._postgres.connect(DATABASE) as connection:
            rows = await connection.fetch(_FINISHES, [name.partition("/")[2] for name in names])
        runs = (list(run) for _, run in groupby(rows, key=lambda row: row["instance"]))
        times = ([run[0]["start"], *(row["finish"] for row in run)] for run in runs)
        return [Span(*pair) for run in times for pair in pairwise(run)]


async def start(client: WorkflowClient, workflow: str, count: int) -> list[str]:
    """Start instances, some at once and as many in each partition; return their names."""
    room = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def start_one(partition: int) -> str:
        async with room:
            request = StartInstanceRequest(workflow=workflow, instance_id=str(_id_in(partition)))
            return (await client.call(client.instances.StartInstance, request)).instance.name

    return await asyncio.gather(*(start_one(number % partitions.COUNT) for number in range(count)))


def _id_in(partition: int) -> uuid.UUID:
    return next(given for given in iter(uuid.uuid4, None) if partitions.of(given) == partition)


async def publish(client: WorkflowClient, workflow: str, tasks: str) -> None:
    """Publish and promote a workflow that has these tasks."""
    namespace, _, name = workflow.partition("/")[2].partition(".")
    document = f"dsl: 1.0.1, namespace: {namespace}, name: {name}, version: 1.0.0"
    request = PublishVersionRequest(definition=f"document: {{{document}}}\ndo: {tasks}\n", promote_to="prod")
    await client.call(client.workflows.PublishVersion, request)


async def reached(postgres: Postgres, workflow: str, *, tasks: int, count: int, steps: int = 0) -> None:
    """Wait until so many running instances have finished so many tasks, and written so many steps."""

    async def have() -> bool:
        async with postgres.connect(DATABASE) as connection:
            found = await connection.fetchval(_REACHED, workflow.partition("/")[2], tasks, steps)
            return bool(found >= count)

    await until(have, _END_SECONDS)


def _notes() -> str:
    return "[" + ", ".join(f"{{note{number}: {{set: {{text: {PAYLOAD}}}}}}}" for number in range(TASKS)) + "]"


_COUNT = "SELECT count(*) FROM workflow.instance WHERE workflow = $1 AND state = $2"
_REACHED = """
SELECT count(*) FROM workflow.instance
WHERE workflow = $1 AND state = 'RUNNING' AND finished_tasks >= $2 AND step >= $3
"""
_FINISHES = """
SELECT instance, extract(epoch FROM start_time)::float AS start, extract(epoch FROM finish_time)::float AS finish
FROM workflow.task_result JOIN workflow.instance USING (tenant, instance)
WHERE instance = ANY ($1::uuid[]) ORDER BY instance, task_result.step
"""
