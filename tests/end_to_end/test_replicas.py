"""Two replicas of one service: what one loses the other goes on with, and whoever was presumed dead writes nothing."""

import time
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.message import Message
from millwright.workflow.v1.instance_pb2 import Instance, InstanceEvent
from millwright.workflow.v1.instance_service_pb2 import (
    GetInstanceRequest,
    ListInstanceEventsRequest,
    StartInstanceRequest,
    WatchInstanceRequest,
)
from millwright.workflow.v1.release_service_pb2 import PromoteVersionRequest, WatchReleasesRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.processes import until
from millwright_local.service_process import ServiceProcess
from millwright_local.workflow_client import WorkflowClient, to_value

from tests.machine import Machine, Request

WORKFLOW = "workflows/test.relay"
TAKEN_OVER_SECONDS = 8.0  # lease 5 s, look 0.5 s, and room for a busy machine
HANDED_OVER_SECONDS = 3.0  # well under the lease
THREE_CALLS = """
document: {dsl: 1.0.1, namespace: test, name: relay, version: 1.0.0}
do:
- first: {call: http, with: {method: get, endpoint: '${ .machine + "/first" }'}, output: {as: $input}}
- second: {call: http, with: {method: get, endpoint: '${ .machine + "/second" }'}, output: {as: $input}}
- third: {call: http, with: {method: get, endpoint: '${ .machine + "/third" }'}}
"""
A_WAIT = """
document: {dsl: 1.0.1, namespace: test, name: relay, version: 1.0.0}
do:
- first: {call: http, with: {method: get, endpoint: '${ .machine + "/first" }'}, output: {as: $input}}
- pause: {wait: {seconds: 2}}
- third: {call: http, with: {method: get, endpoint: '${ .machine + "/third" }'}}
"""


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    async with Machine() as running:
        yield running


async def publish(client: WorkflowClient, definition: str) -> None:
    request = PublishVersionRequest(definition=definition, promote_to="prod")
    await client.call(client.workflows.PublishVersion, request)


async def start(client: WorkflowClient, machine: Machine) -> str:
    request = StartInstanceRequest(workflow=WORKFLOW, input=to_value({"machine": machine.url}))
    return (await client.call(client.instances.StartInstance, request)).instance.name


async def get(client: WorkflowClient, instance: str) -> Instance:
    return (await client.call(client.instances.GetInstance, GetInstanceRequest(name=instance))).instance


async def events(client: WorkflowClient, instance: str) -> list[InstanceEvent]:
    request = ListInstanceEventsRequest(name=instance, page_size=500)
    return list((await client.call(client.instances.ListInstanceEvents, request)).events)


def in_order(replicas, request: Request) -> tuple[ServiceProcess, ServiceProcess]:
    """Give the replica that sent a request, and the other one."""
    pair = (replicas.first, replicas.second)
    return pair if request.comes_from(replicas.first) else pair[::-1]


def counts(machine: Machine) -> list[int]:
    return [len(machine.requests[path]) for path in ("first", "second", "third")]


async def collect(stream: AsyncIterator[Message], *, until_sequence: int) -> list[int]:
    sequences = []
    async for message in stream:
        sequences.append(message.sequence)
        if message.sequence == until_sequence:
            break
    return sequences


async def test_a_watch_goes_on_without_a_gap_on_another_replica_after_its_own_was_killed(replicas, connect) -> None:
    first, second = connect(replicas.first), connect(replicas.second)
    await publish(second, THREE_CALLS)

    async def promote(*channels: str) -> None:
        for channel in channels:
            request = PromoteVersionRequest(channel=f"{WORKFLOW}/channels/{channel}", version=1)
            await second.call(second.releases.PromoteVersion, request)

    watching = WatchReleasesRequest(workflow=WORKFLOW, from_sequence=0)
    stream = first.stream(first.releases.WatchReleases, watching)
    await promote("a", "b", "c")
    seen = await collect(stream, until_sequence=5)

    await replicas.first.kill()
    with pytest.raises(grpc.aio.AioRpcError) as broken:
        await collect(stream, until_sequence=6)
    assert broken.value.code() is grpc.StatusCode.UNAVAILABLE

    await promote("d", "e")
    watching.from_sequence = seen[-1]
    seen += await collect(second.stream(second.releases.WatchReleases, watching), until_sequence=7)
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_a_killed_replicas_instance_goes_on_in_the_other_and_repeats_only_the_call_under_way(
    replicas, connect, machine
) -> None:
    client = connect(replicas.first)
    await publish(client, THREE_CALLS)
    machine.held = {"second"}
    instance = await start(client, machine)
    owner, other = in_order(replicas, await machine.request("second"))

    machine.held = set()
    client = connect(other)
    stream = client.stream(client.instances.WatchInstance, WatchInstanceRequest(name=instance, from_sequence=0))
    await owner.kill()
    killed = time.monotonic()
    await machine.request("second", 2)
    assert time.monotonic() - killed < TAKEN_OVER_SECONDS
    kinds = [InstanceEvent.Kind.Name(message.event.kind) async for message in stream]
    assert kinds == ["KIND_CREATED", "KIND_STARTED", *["KIND_TASK_COMPLETED"] * 3, "KIND_COMPLETED"]
    assert counts(machine) == [1, 2, 1]


async def test_a_replica_that_ends_finishes_the_call_under_way_and_hands_over_at_once(
    replicas, connect, machine
) -> None:
    client = connect(replicas.first)
    await publish(client, THREE_CALLS)
    machine.held = {"second"}
    instance = await start(client, machine)
    under_way = await machine.request("second")
    owner, other = in_order(replicas, under_way)
    assert owner.process

    owner.process.terminate()
    asked = time.monotonic()
    under_way.may_answer.set()
    await machine.request("third")
    assert time.monotonic() - asked < HANDED_OVER_SECONDS
    ended = await connect(other).end_of(instance)
    assert ended.state == Instance.STATE_COMPLETED
    assert counts(machine) == [1, 1, 1]
    assert await owner.process.wait(10) == 0


async def test_a_wait_goes_on_in_the_other_replica_and_ends_when_it_was_due(replicas, connect, machine) -> None:
    clients = {id(process): connect(process) for process in (replicas.first, replicas.second)}
    client = clients[id(replicas.first)]
    await publish(client, A_WAIT)
    instance = await start(client, machine)
    owner, other = in_order(replicas, await machine.request("first"))
    client = clients[id(other)]

    async def waits() -> bool:
        return (await get(client, instance)).finished_tasks == 1

    await until(waits, 10)
    begun = time.monotonic()
    await owner.stop()
    await machine.request("third")
    assert 1.5 < time.monotonic() - begun < 4.0
    assert (await client.end_of(instance)).state == Instance.STATE_COMPLETED
    assert counts(machine) == [1, 0, 1]


async def test_a_frozen_owner_that_is_thawed_after_its_instance_was_taken_over_writes_nothing(
    replicas, connect, machine
) -> None:
    client = connect(replicas.first)
    await publish(client, THREE_CALLS)
    machine.held = {"second"}
    instance = await start(client, machine)
    stale = await machine.request("second")
    owner, other = in_order(replicas, stale)
    client = connect(other)

    owner.freeze()
    again = await machine.request("second", 2)
    again.may_answer.set()
    ended = await client.end_of(instance)
    assert ended.state == Instance.STATE_COMPLETED
    written = await events(client, instance)

    stale.may_answer.set()
    owner.thaw()

    async def has_noticed() -> bool:
        return "partitions lost" in owner.log.read_text()

    await until(has_noticed, 10)
    assert await events(client, instance) == written
    assert await get(client, instance) == ended
    assert counts(machine) == [1, 2, 1]
