"""Processes and servers that end, freeze, lose and fill up while instances run: nothing is lost and nothing runs twice.

CHAOS=10 lets each of them happen ten times as often.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest
import redis.asyncio
from millwright_local.processes import until
from millwright_local.scratch import scratch_directory
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.end_to_end.conftest import Replicas
from tests.line import Line
from tests.machine import Machine

ROUNDS = int(os.environ.get("CHAOS", "1"))
TASKS = 10
HEAP = "CREATE TABLE heap AS SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
TAKEN_OVER_SECONDS = 12.0
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120 * ROUNDS)]


@pytest.fixture(scope="module")
async def chaos_stack() -> AsyncIterator[Replicas]:
    """Two replicas on servers of their own, for all harm that there is."""
    with scratch_directory() as home:
        stack = Stack(home, free_ports=True, durable=False, environment={})
        async with stack:
            second = stack.add_replica("workflow")
            await second.start()
            yield Replicas(stack, stack.services["workflow"], second)


@pytest.fixture
async def replicas(chaos_stack) -> AsyncIterator[Replicas]:
    """The stack for a test; afterwards what it harmed is brought back."""
    yield chaos_stack
    for server in (chaos_stack.stack.postgres, chaos_stack.stack.valkey, chaos_stack.stack.nats):
        if not server.process.is_running:
            await server.start()
    await chaos_stack.restore()


@pytest.fixture
async def line(replicas, tenant) -> AsyncIterator[Line]:
    """A line whose machine takes a tenth of a second over each call."""
    token = replicas.stack.keys.token(tenant=tenant)
    async with AsyncExitStack() as opened:
        machine = await opened.enter_async_context(Machine())
        clients = [
            await opened.enter_async_context(WorkflowClient(process.address, token))
            for process in (replicas.first, replicas.second)
        ]
        machine.seconds = 0.1
        line = Line(machine, clients, TASKS)
        await line.prepare()
        yield line


class Calls:
    """Which calls were under way when somebody did harm: those alone may be repeated."""

    def __init__(self, line: Line) -> None:
        self._machine = line.machine
        self._under_way: set[str] = set()

    def note(self) -> None:
        """Note what is under way now, as far as the engine knows of no answer."""
        requests = self._machine.requests
        for path, sent in list(requests.items()):
            part, _, number = path.rpartition("-")
            if sent and not requests.get(f"{part}-{int(number) + 1}"):
                self._under_way.add(path)

    def may_repeat(self, path: str) -> bool:
        """Tell whether a call may have been made again."""
        return path in self._under_way


def turns(replicas: Replicas) -> list[tuple[ServiceProcess, ServiceProcess]]:
    """Give the replica to be harmed and the other one, by turns."""
    return [(replicas.first, replicas.second), (replicas.second, replicas.first)] * ROUNDS


def acquisitions(process: ServiceProcess) -> int:
    """Count how often a replica has acquired partitions."""
    return process.log.read_text().count("partitions acquired")


async def has_acquired(process: ServiceProcess, before: int) -> bool:
    """Tell whether a replica has acquired partitions since."""
    return acquisitions(process) > before


async def test_killed_at_every_checkpoint_each_instance_goes_on_at_it(replicas, line) -> None:
    """Instance k is killed while its call k is under way: after k - 1 checkpoints, for each k."""
    line.machine.seconds = 0.0
    line.machine.held = {f"p{number - 1}-{number}" for number in range(1, TASKS + 1)}
    held = set(line.machine.held)
    await line.start(TASKS)
    await asyncio.gather(*(line.machine.request(path) for path in held))
    await asyncio.gather(replicas.first.kill(), replicas.second.kill())
    line.machine.held = set()
    await asyncio.gather(replicas.first.start(), replicas.second.start())
    await line.check(held.__contains__)
    assert all(len(line.machine.requests[path]) == 2 for path in held)


async def test_killed_at_any_moment_replicas_go_on_for_each_other(replicas, line) -> None:
    calls, dice = Calls(line), Random(7)
    await line.start(30)
    for process in (replicas.first, replicas.second) * ROUNDS:
        await asyncio.sleep(dice.uniform(0.1, 0.4))
        await process.kill()
        calls.note()
        await process.start()
    await line.check(calls.may_repeat)


async def test_two_replicas_that_are_frozen_in_turn_do_not_write_over_one_another(replicas, line) -> None:
    calls = Calls(line)
    line.machine.seconds = 0.8
    await line.start(20)
    for process, other in turns(replicas)[: 2 * ROUNDS]:
        acquired = acquisitions(other)
        process.freeze()
        await asyncio.sleep(0.1)
        calls.note()
        await until(partial(has_acquired, other, acquired), TAKEN_OVER_SECONDS)
        calls.note()
        process.thaw()
    await line.check(calls.may_repeat)


async def test_postgres_that_ends_during_checkpoints_and_during_a_take_over_loses_nothing(replicas, line) -> None:
    calls, postgres = Calls(line), replicas.stack.postgres
    await line.start(30)
    for process, other in turns(replicas)[:ROUNDS]:
        await line.machine.request("p0-2")
        await postgres.kill()
        await postgres.start()
        acquired = acquisitions(other)
        await process.kill()
        calls.note()
        await until(partial(has_acquired, other, acquired), TAKEN_OVER_SECONDS)
        await postgres.kill()
        calls.note()
        await postgres.start()
        await process.start()
    await line.check(calls.may_repeat)


async def test_valkey_and_nats_may_lose_all_they_have_and_a_part_of_it(replicas, line) -> None:
    calls, stack, dice = Calls(line), replicas.stack, Random(11)
    line.machine.seconds = 0.3
    for process, _ in turns(replicas)[:ROUNDS]:
        await line.start(20)
        await asyncio.sleep(0.6)
        async with redis.asyncio.from_url(stack.valkey.url) as valkey:
            names = await valkey.keys("*checkpoint*")
            assert names
            for name in dice.sample(names, len(names) // 2):
                await valkey.delete(name)
            for name in await valkey.keys("*checkpoint*"):
                await valkey.hdel(name, *dice.sample(await valkey.hkeys(name), 1))
        await stack.nats.kill()
        await process.kill()
        calls.note()
        shutil.rmtree(stack.nats.directory / "jetstream")
        await asyncio.gather(process.start(), stack.nats.start())
        await stack.valkey.kill()
        await asyncio.sleep(0.5)
        await stack.valkey.start()
    await line.check(calls.may_repeat)


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """Put a small disk in the place of a directory."""
    directory.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts a small disk")
async def test_a_full_disk_holds_instances_up_and_harms_none(tenant) -> None:
    with scratch_directory() as home, small_disk(home / "postgres", "400m") as disk:
        settings = {"max_wal_size": "64MB", "min_wal_size": "32MB", "wal_recycle": "off"}
        stack = Stack(home, free_ports=True, durable=False, environment={}, postgres_settings=settings)
        async with stack, Machine() as machine:
            service: ServiceProcess = stack.services["workflow"]
            async with WorkflowClient(service.address, stack.keys.token(tenant=tenant)) as client:
                line = Line(machine, [client], TASKS)
                await line.prepare()
                machine.seconds = 0.3
                await line.start(20)
                ballast = disk / "ballast"
                fill(ballast, disk)
                async with stack.postgres.connect("millwright") as connection:
                    with pytest.raises(Exception, match=r"space|closed|recovery|shut|terminat"):
                        await connection.execute(HEAP)
                await asyncio.sleep(1.0)  # in which nothing can be committed
                ballast.unlink()
                if not stack.postgres.process.is_running:
                    await stack.postgres.start()
                await line.check(lambda _: True)


def fill(ballast: Path, disk: Path) -> None:
    """Leave no room on a disk."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(1 << 16))
