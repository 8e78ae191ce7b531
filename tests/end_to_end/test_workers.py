"""Workers as processes: killed, frozen and cut off, alone and with the service and Valkey, and what goes on then."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
import redis.asyncio
from google.protobuf.json_format import MessageToDict
from millwright.workflow.v1 import worker_service_pb2 as pb
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import CancelInstanceRequest
from millwright.workflow.v1.worker_service_pb2_grpc import WorkerServiceStub
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.processes import Process
from millwright_local.service_process import ServiceProcess
from millwright_local.workflow_client import WorkflowClient
from millwright_worker import Stopped, Task, worker

from tests.end_to_end.conftest import Replicas
from tests.machine import Machine

CAREFUL = Path(__file__).parent / "careful_worker.py"
WORKFLOW = "workflows/test.counting"
COUNTING = """
document: {dsl: 1.0.1, namespace: test, name: counting, version: 1.0.0}
do:
- count: {call: task, with: {queue: count, heartbeat: PT2S}}
"""
MANY = 1_000
STREAMS, CREDIT = 10, 7


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    async with Machine() as running:
        yield running


@pytest.fixture
async def client(connect: Callable[[ServiceProcess], WorkflowClient], replicas: Replicas) -> WorkflowClient:
    """A client of the first replica, with a workflow whose one task counts outside."""
    client = connect(replicas.first)
    await client.call(client.workflows.PublishVersion, PublishVersionRequest(definition=COUNTING, promote_to="prod"))
    return client


@pytest.fixture
def worker_token(replicas: Replicas, tenant: str) -> str:
    return replicas.stack.keys.token(tenant=tenant, roles=("worker",))


@pytest.fixture
async def processes(replicas: Replicas, worker_token: str) -> AsyncIterator[Callable[[ServiceProcess], Process]]:
    """Gives a worker process that is connected to a replica, and to the other one if that is gone."""
    started: list[Process] = []

    def start(service: ServiceProcess) -> Process:
        others = [each for each in (replicas.first, replicas.second) if each is not service]
        target = "ipv4:" + ",".join(each.address for each in (service, *others))
        command = [sys.executable, str(CAREFUL), target, worker_token, "count"]
        process = Process(f"worker {len(started)}", command, log=replicas.stack.logs / f"worker-{len(started)}.log")
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.thaw()
        await process.kill()


async def output_of(client: WorkflowClient, instance: str) -> Any:
    async with asyncio.timeout(45):
        return MessageToDict((await client.end_of(instance)).output)


async def test_a_killed_worker_is_succeeded_from_its_saved_state(client, replicas, processes, machine):
    machine.held.add("0-6")
    [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
    first = processes(replicas.first)
    await machine.request("0-6")
    await first.kill()
    processes(replicas.second)
    assert await output_of(client, instance) == {"begin": 6, "attempt": 1}
    assert "1-5" not in machine.requests
    assert "1-6" in machine.requests


@pytest.mark.parametrize("harm", ["flushed", "stopped"])
async def test_the_state_is_there_without_valkey(client, replicas, processes, machine, harm):
    valkey = replicas.stack.valkey
    assert valkey
    machine.held.add("0-6")
    [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
    first = processes(replicas.first)
    await machine.request("0-6")
    await asyncio.sleep(1.2)  # what was saved more than a second ago is in Postgres
    try:
        await (valkey.kill() if harm == "stopped" else flush(valkey.url))
        await first.kill()
        processes(replicas.first)
        assert await output_of(client, instance) == {"begin": 6, "attempt": 1}
    finally:
        if harm == "stopped":
            await valkey.start()


async def test_what_was_saved_in_the_last_second_is_there_without_valkey(client, replicas, processes, machine):
    """Postgres has it within a second, and it takes longer than that until the item is another worker's."""
    valkey = replicas.stack.valkey
    assert valkey
    await valkey.kill()
    try:
        machine.held.add("0-6")
        [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
        first = processes(replicas.first)
        await machine.request("0-6")
        await first.kill()
        processes(replicas.second)
        assert await output_of(client, instance) == {"begin": 6, "attempt": 1}
    finally:
        await valkey.start()


async def test_the_service_may_die_under_a_worker(client, replicas, processes, machine):
    machine.held.add("0-6")
    [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
    processes(replicas.first)
    await machine.request("0-6")
    await replicas.first.kill()
    await replicas.first.start()
    (await machine.request("0-6")).may_answer.set()
    assert await output_of(client, instance) == {"begin": 0, "attempt": 0}  # the same attempt, on another connection


async def test_the_service_and_the_worker_may_die_together(client, replicas, processes, machine):
    machine.held.add("0-6")
    [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
    first = processes(replicas.first)
    await machine.request("0-6")
    await asyncio.sleep(1.2)  # what was saved more than a second ago is durable
    await asyncio.gather(replicas.first.kill(), first.kill())
    processes(replicas.second)
    await replicas.first.start()
    assert await output_of(client, instance) == {"begin": 6, "attempt": 1}


async def test_a_frozen_worker_that_was_succeeded_changes_nothing(client, replicas, processes, machine):
    machine.held.add("0-6")
    [instance] = await client.start(WORKFLOW, [{"steps": 9, "machine": machine.url}])
    frozen = processes(replicas.first)
    await machine.request("0-6")
    frozen.freeze()
    machine.held.add("1-8")
    processes(replicas.second)
    await machine.request("1-8")
    machine.held.add("0-7")  # which it may still begin: the stop and the answer arrive together
    frozen.thaw()
    (await machine.request("0-6")).may_answer.set()
    await asyncio.sleep(1.5)  # time for whatever else it would do
    (await machine.request("1-8")).may_answer.set()
    assert await output_of(client, instance) == {"begin": 6, "attempt": 1}
    assert "0-8" not in machine.requests


async def test_a_thousand_items_over_ten_streams_are_accepted_once_each_and_within_the_credit(
    client, replicas, worker_token
):
    """Some on each replica; no more than the credit given is ever in a worker's hands.

    An item may come twice, where a report stays away for too long; it is accepted once.
    """
    instances = await started(client, MANY)
    accepted: Counter[str] = Counter()
    all_accepted = asyncio.Event()
    most = 0

    async def work(place: int) -> None:
        nonlocal most
        address = (replicas.first, replicas.second)[place % 2].address
        async with Talker(address, worker_token, f"talker-{place}") as talker:
            await talker.say(credit=CREDIT)
            in_hand: dict[str, str] = {}
            while True:
                message = await talker.stream.read()
                if message.WhichOneof("message") == "item":
                    in_hand[message.item.id] = message.item.instance
                    most = max(most, len(in_hand))
                    await talker.say(complete=pb.CompleteWork(id=message.item.id))
                    continue
                if message.HasField("stop"):
                    assert message.stop.reason == pb.StopWork.REASON_SUPERSEDED
                left = in_hand.pop((message.settled if message.HasField("settled") else message.stop).id, None)
                if left and message.settled.accepted:
                    accepted[left] += 1
                    if len(accepted) == len(instances):
                        all_accepted.set()
                if left:
                    await talker.say(credit=1)

    workers = [asyncio.create_task(work(place)) for place in range(STREAMS)]
    ends = await asyncio.gather(*(client.end_of(instance) for instance in instances))
    async with asyncio.timeout(60):
        await all_accepted.wait()
    for task in workers:
        assert not task.done() or task.exception() is None
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert {end.state for end in ends} == {Instance.STATE_COMPLETED}
    assert accepted == Counter(instances)
    assert most <= CREDIT


async def test_a_worker_that_does_not_read_holds_up_nobody(client, replicas, worker_token):
    instances = await started(client, 60)
    async with Talker(replicas.first.address, worker_token, "deaf") as deaf:
        await deaf.say(credit=50)
        async with worker("count", endpoint=replicas.first.address, token=worker_token, concurrency=10) as tasks:
            handling = asyncio.create_task(tasks.run(_nothing))
            async with asyncio.timeout(30):  # the deaf one's come back after 5 s
                await asyncio.gather(*(client.end_of(instance) for instance in instances))
            handling.cancel()
            await asyncio.gather(handling, return_exceptions=True)


async def test_a_stop_cancels_the_handler(client, replicas, worker_token):
    [instance] = await client.start(WORKFLOW, [{}])
    ended: list[BaseException] = []
    async with worker("count", endpoint=replicas.first.address, token=worker_token) as tasks:
        async for task in tasks:
            async with task:
                try:
                    await client.call(client.instances.CancelInstance, CancelInstanceRequest(name=instance))
                    await asyncio.sleep(30)
                except asyncio.CancelledError as error:
                    ended.append(error)
                    raise
            with pytest.raises(Stopped):
                await task.save(1)
            break
    assert ended


async def test_items_go_from_either_replica_to_a_worker_at_once(client, replicas, worker_token):
    """The worker is connected to one replica, the instances run on both: waiting for each other costs a look or two."""
    seconds = []
    async with worker("count", endpoint=replicas.second.address, token=worker_token) as tasks:
        handling = asyncio.create_task(tasks.run(_nothing))
        for _ in range(30):
            begin = time.monotonic()
            [instance] = await client.start(WORKFLOW, [{}])
            await client.end_of(instance)
            seconds.append(time.monotonic() - begin)
        handling.cancel()
        await asyncio.gather(handling, return_exceptions=True)
    seconds.sort()
    assert seconds[15] < 1.0


async def _nothing(_: Task) -> None:
    """Work that is done as soon as it comes."""


class Talker:
    """A stream of work, as the protocol has it."""

    def __init__(self, address: str, token: str, name: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        stub = WorkerServiceStub(self._channel)
        self.stream = stub.StreamWork(metadata=[("authorization", f"Bearer {token}")])
        self._name = name

    async def __aenter__(self) -> Self:
        await self.say(open=pb.OpenWork(worker=self._name, queues=["count"]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stream.cancel()
        await self._channel.close()

    async def say(self, **message: Any) -> None:
        await self.stream.write(pb.StreamWorkRequest(**message))


async def started(client: WorkflowClient, count: int) -> list[str]:
    """Start instances, some at a time."""
    names = await asyncio.gather(*(client.start(WORKFLOW, [{}] * (count // 10)) for _ in range(10)))
    return [name for some in names for name in some]


async def flush(url: str) -> None:
    """Empty Valkey."""
    async with redis.asyncio.from_url(url) as valkey:
        await valkey.flushall()
