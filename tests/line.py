"""A production line for chaos: many instances that call a machine task by task, and what must be true of them after.

Whatever was done to processes and servers meanwhile: every instance completes, each task has one result, a call is
repeated only while its task has none, always with the same key, and a watch has neither gap nor repeat.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, timedelta

import grpc
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import GetInstanceRequest, WatchInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient

from tests.machine import Machine

WORKFLOW = "workflows/test.line"
FINAL = {InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED}
RETRY_SECONDS = 0.1
CLOCKS_DIFFER = timedelta(seconds=0.5)
"""By how much: events have the database's time, as a replica carries it on."""


def definition(tasks: int) -> str:
    """Write a workflow of so many calls, one after the other."""
    lines = ["document: {dsl: 1.0.1, namespace: test, name: line, version: 1.0.0}", "do:"]
    for number in range(1, tasks + 1):
        endpoint = f"""'${{ .machine + "/" + .part + "-{number}" }}'"""
        lines.append(
            f"- task-{number}: {{call: http, with: {{method: get, endpoint: {endpoint}}}, output: {{as: $input}}}}"
        )
    return "\n".join(lines)


class Line:
    """The line. `clients` are of the replicas, any of which may be away."""

    def __init__(self, machine: Machine, clients: Sequence[WorkflowClient], tasks: int) -> None:
        self.machine = machine
        self.tasks = tasks
        self._clients = clients
        self._watches: dict[str, asyncio.Task[list[InstanceEvent]]] = {}
        self._parts: dict[str, str] = {}

    async def prepare(self) -> None:
        """Publish the workflow."""
        request = PublishVersionRequest(definition=definition(self.tasks), promote_to="prod")
        await self._clients[0].call(self._clients[0].workflows.PublishVersion, request)

    async def start(self, count: int, *, held_at: Sequence[int] = ()) -> list[str]:
        """Start instances, each watched to its end; give their parts: task 3 of part `p7` calls `p7-3`.

        At the tasks `held_at` the machine keeps its answers back.
        """
        parts = [f"p{len(self._parts) + number}" for number in range(count)]
        self.machine.held |= {f"{part}-{number}" for part in parts for number in held_at}
        inputs = [{"machine": self.machine.url, "part": part} for part in parts]
        for name, part in zip(await self._clients[0].start(WORKFLOW, inputs), parts, strict=True):
            self._parts[name] = part
            self._watches[name] = asyncio.create_task(self._watch(name))
        return parts

    async def reached(self, parts: Sequence[str], number: int) -> None:
        """Wait until every part is at a task, or has been."""
        await asyncio.gather(*(self.machine.request(f"{part}-{number}") for part in parts))

    async def check(self) -> None:
        """Wait until every instance has ended, and hold each to the promises."""
        await asyncio.gather(*self._watches.values())
        for name, part in self._parts.items():
            events = self._watches[name].result()
            assert [event.sequence for event in events] == list(range(1, self.tasks + 4)), part
            done = [event for event in events if event.kind == InstanceEvent.KIND_TASK_COMPLETED]
            assert [event.task for event in done] == [f"/do/{n}/task-{n + 1}" for n in range(self.tasks)], part
            instance = (await self._get(name)).instance
            assert instance.state == Instance.STATE_COMPLETED, part
            assert instance.finished_tasks == self.tasks
            for number, event in enumerate(done, 1):
                path = f"{part}-{number}"
                requests = self.machine.requests[path]
                assert requests, path
                end_time = event.event_time.ToDatetime(UTC)
                last_time = end_time + CLOCKS_DIFFER
                assert all(request.time <= last_time for request in requests), f"{path}: called after it had a result"
                assert len({request.idempotency_key for request in requests}) == 1, path

    async def _watch(self, name: str) -> list[InstanceEvent]:
        """Follow an instance to its end, from replica to replica; give its events as they came."""
        events: list[InstanceEvent] = []
        for client in itertools.cycle(self._clients):
            request = WatchInstanceRequest(name=name, from_sequence=events[-1].sequence if events else 0)
            with suppress(grpc.aio.AioRpcError):
                async for message in client.stream(client.instances.WatchInstance, request):
                    events += [message.event] if message.WhichOneof("message") == "event" else []
            if events and events[-1].kind in FINAL:
                break
            await asyncio.sleep(RETRY_SECONDS)
        return events

    async def _get(self, name: str):
        for client in itertools.cycle(self._clients):
            with suppress(grpc.aio.AioRpcError):
                return await client.call(client.instances.GetInstance, GetInstanceRequest(name=name))
            await asyncio.sleep(RETRY_SECONDS)
        raise AssertionError
