"""A production line for chaos: many instances that call a machine task by task, and what must be true of them after.

Whatever was done to processes and servers meanwhile: every instance completes, each task has one result, a call is
repeated only if it was under way when its process ended, always with the same key, and a watch has neither gap nor
repeat.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import GetInstanceRequest, WatchInstanceRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.workflow_client import WorkflowClient

from tests.machine import Machine

WORKFLOW = "workflows/test.line"
FINAL = {InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED}
RETRY_SECONDS = 0.1


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

    async def start(self, count: int) -> list[str]:
        """Start instances, each watched to its end; give their parts: task 3 of part `p7` calls `p7-3`."""
        parts = [f"p{len(self._parts) + number}" for number in range(count)]
        inputs = [{"machine": self.machine.url, "part": part} for part in parts]
        for name, part in zip(await self._clients[0].start(WORKFLOW, inputs), parts, strict=True):
            self._parts[name] = part
            self._watches[name] = asyncio.create_task(self._watch(name))
        return parts

    async def check(self, is_repeated: Callable[[str], bool] = lambda _: False) -> None:
        """Wait until every instance has ended, and hold each to the promises; `is_repeated` says which calls may be."""
        await asyncio.gather(*self._watches.values())
        for name, part in self._parts.items():
            events = self._watches[name].result()
            assert [event.sequence for event in events] == list(range(1, self.tasks + 4)), part
            done = [event.task for event in events if event.kind == InstanceEvent.KIND_TASK_COMPLETED]
            assert done == [f"/do/{number}/task-{number + 1}" for number in range(self.tasks)], part
            instance = (await self._get(name)).instance
            assert instance.state == Instance.STATE_COMPLETED, part
            assert instance.finished_tasks == self.tasks
            for number in range(1, self.tasks + 1):
                path = f"{part}-{number}"
                requests = self.machine.requests[path]
                assert requests, path
                assert len(requests) == 1 or is_repeated(path), (path, len(requests))
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
