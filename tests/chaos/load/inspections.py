"""The load of workers and people: instances that have a part measured by a worker, and then wait for somebody's yes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from google.protobuf import json_format
from millwright.workflow.v1.approval_service_pb2 import DecideApprovalRequest, ListApprovalsRequest
from millwright.workflow.v1.instance_service_pb2 import (
    GetInstanceRequest,
    StartInstanceRequest,
)
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient, to_value
from millwright_worker import Task, worker

from tests.chaos.book import Book
from tests.chaos.caller import Caller
from tests.chaos.load import turns
from tests.chaos.load.workflow import SERVICE, follow_instance

WORKFLOW = "workflows/chaos.inspection"
TASKS = ("measure", "approve")
QUEUE = "chaos"
STARTS_SECONDS = 1.0
LOOKS_SECONDS = 1.0
MEASURE_SECONDS = 0.2
AT_ONCE = 8
DEFINITION = f"""
document: {{dsl: 1.0.1, namespace: chaos, name: inspection, version: 1.0.0}}
do:
- measure:
    call: task
    with: {{queue: {QUEUE}, input: '${{ .part }}', heartbeat: PT3S, attempts: 1000}}
    output: {{as: '${{ {{measured: .}} }}'}}
- approve:
    call: approve
    with: {{title: Ship it?, roles: [operator]}}
    output: {{as: '${{ $input + {{decision: .decision}} }}'}}
"""


class Way(NamedTuple):
    """How a worker comes to a replica."""

    endpoint: str
    token: str


class InspectionLoad:
    """The load."""

    def __init__(self, book: Book, clients: Sequence[WorkflowClient], workers: Sequence[Way], chance: Random) -> None:
        self._book = book
        self._chance = chance
        self._caller = Caller(book, SERVICE, clients, chance)
        self._workers = workers

    async def prepare(self) -> None:
        """Publish the workflow."""
        await self._caller.call(
            "PublishVersion",
            lambda client: client.workflows.PublishVersion,
            lambda key: PublishVersionRequest(definition=DEFINITION, promote_to="prod", request_id=key),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Start instances until told to stop; return once all have ended, and the last decision was acknowledged."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as helping:
            workers = [helping.create_task(_work(way)) for way in self._workers]
            helping.create_task(self._decide(over))
            async with asyncio.TaskGroup() as group:
                async for _ in turns(stop, self._chance, STARTS_SECONDS):
                    await self._start(group)
            over.set()
            for each in workers:
                each.cancel()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        call, answer = await self._caller.call(
            "StartInstance",
            lambda client: client.instances.StartInstance,
            lambda key: StartInstanceRequest(workflow=WORKFLOW, input=to_value({"part": key}), request_id=key),
        )
        if answer:
            self._book.tell("inspection", answer.instance.name)
            group.create_task(self._follow(answer.instance.name, call.id))

    async def _decide(self, over: asyncio.Event) -> None:
        """Say yes to whatever waits."""
        decided: set[str] = set()
        async for _ in turns(over, self._chance, LOOKS_SECONDS):
            waiting = await self._caller.read(
                lambda client: client.approvals.ListApprovals, ListApprovalsRequest(page_size=500)
            )
            for name in {it.name for it in waiting.approvals} - decided:
                await self._approve(name)
                decided.add(name)

    async def _approve(self, name: str) -> None:
        _, answer = await self._caller.call(
            "DecideApproval",
            lambda client: client.approvals.DecideApproval,
            lambda key: DecideApprovalRequest(name=name, approve=True, comment=key),
        )
        if answer:
            self._book.tell("approval", name)

    async def _follow(self, name: str, part: str) -> None:
        work = self._book.open_work(SERVICE, "inspection", name)
        state = await follow_instance(self._caller, work)
        answer = await self._caller.read(lambda client: client.instances.GetInstance, GetInstanceRequest(name=name))
        output: Any = json_format.MessageToDict(answer.instance.output)
        if output != {"measured": part, "decision": "approved"}:
            self._book.surprise(f"{name} of {part} came to {output}")
        self._book.close_work(work, state)


async def _work(way: Way) -> None:
    async with worker(QUEUE, endpoint=way.endpoint, token=way.token, concurrency=AT_ONCE) as tasks:
        await tasks.run(_measure)


async def _measure(task: Task) -> Any:
    await asyncio.sleep(MEASURE_SECONDS)
    return task.input
