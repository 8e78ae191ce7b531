"""Processes and servers that end, freeze, lose and fill up while instances run: nothing is lost and nothing runs twice.

ROUNDS=10 lets each of them happen ten times as often.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest
import redis.asyncio
from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.processes import until
from millwright_local.scratch import scratch_directory
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient

from tests.end_to_end.conftest import Replicas
from tests.line import Line
from tests.machine import Machine

try:
    import libfaketime
except ImportError:
    libfaketime = None
ROUNDS = int(os.environ.get("ROUNDS", "1"))
TASKS = 10
HEAP = "CREATE TABLE heap AS SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"
TAKEN_OVER_SECONDS = 60.0
REST_SECONDS = 8
RESTING = PublishVersionRequest(
    definition=f"""
document: {{dsl: 1.0.1, namespace: test, name: rest, version: 1.0.0}}
do:
- rest: {{wait: {{seconds: {REST_SECONDS}}}}}
""",
    promote_to="prod",
)
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300 * ROUNDS)]


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


def turns(replicas: Replicas) -> list[tuple[ServiceProcess, ServiceProcess]]:
    """Give the replica to be harmed and the other one, by turns."""
    return [(replicas.first, replicas.second), (replicas.second, replicas.first)] * ROUNDS


def acquisitions(process: ServiceProcess) -> int:
    """Count how often a replica has acquired partitions."""
    return process.log.read_text().count("partitions acquired")


async def has_acquired(process: ServiceProcess, before: int) -> bool:
    """Tell whether a replica has acquired partitions since."""
    return acquisitions(process) > before


async def waits_for_the_database(process: ServiceProcess) -> bool:
    """Tell whether steps of a replica could not be committed."""
    return "steps wait for the database" in process.log.read_text()


async def has_checkpoints(valkey: redis.asyncio.Redis, count: int) -> bool:
    """Tell whether so many instances have a checkpoint in Valkey."""
    return len(await valkey.keys("*checkpoint*")) >= count


async def test_killed_at_every_checkpoint_each_instance_goes_on_at_it(replicas, line) -> None:
    """Instance k is killed while its call k is under way: after k - 1 checkpoints, for each k."""
    line.machine.seconds = 0.0
    line.machine.held = {f"p{number - 1}-{number}" for number in range(1, TASKS + 1)}
    held = set(line.machine.held)
    await line.start(TASKS)
    await asyncio.gather(*(line.machine.request(path) for path in held))
    await asyncio.gather(replicas.first.kill(), replicas.second.kill())
    line.machine.let_go(held)
    await asyncio.gather(replicas.first.start(), replicas.second.start())
    await line.check()
    assert all(len(line.machine.requests[path]) > 1 for path in held)


async def test_killed_at_any_moment_replicas_go_on_for_each_other(replicas, line) -> None:
    dice = Random(7)
    await line.start(30)
    for process in (replicas.first, replicas.second) * ROUNDS:
        await asyncio.sleep(dice.uniform(0.1, 0.4))  # any moment will do
        await process.kill()
        await process.start()
    await line.check()


async def test_two_replicas_that_are_frozen_in_turn_do_not_write_over_one_another(replicas, line) -> None:
    parts = await line.start(20, held_at=(3, 6))
    for number, (process, other) in zip((3, 6), turns(replicas), strict=False):
        await line.reached(parts, number)
        acquired = acquisitions(other)
        process.freeze()
        line.machine.let_go(f"{part}-{number}" for part in parts)
        await until(partial(has_acquired, other, acquired), TAKEN_OVER_SECONDS)
        process.thaw()
    await line.check()


async def test_postgres_that_ends_during_checkpoints_and_during_a_take_over_loses_nothing(replicas, line) -> None:
    postgres = replicas.stack.postgres
    for process, other in turns(replicas)[:ROUNDS]:
        parts = await line.start(30, held_at=(6,))
        await line.machine.request(f"{parts[0]}-2")
        await postgres.kill()
        await postgres.start()
        await line.reached(parts, 6)
        acquired = acquisitions(other)
        await process.kill()
        await until(partial(has_acquired, other, acquired), TAKEN_OVER_SECONDS)
        await postgres.kill()
        line.machine.let_go(f"{part}-6" for part in parts)
        await postgres.start()
        await process.start()
    await line.check()


async def test_valkey_and_nats_may_lose_all_they_have_and_a_part_of_it(replicas, line) -> None:
    stack, dice = replicas.stack, Random(11)
    for process, other in turns(replicas)[:ROUNDS]:
        parts = await line.start(20, held_at=(3, 6, 9))
        await line.reached(parts, 3)
        async with redis.asyncio.from_url(stack.valkey.url) as valkey:
            await until(partial(has_checkpoints, valkey, len(parts)), TAKEN_OVER_SECONDS)
            names = await valkey.keys("*checkpoint*")
            for name in dice.sample(names, len(names) // 2):
                await valkey.delete(name)
            for name in await valkey.keys("*checkpoint*"):
                await valkey.hdel(name, *dice.sample(await valkey.hkeys(name), 1))
            await stack.nats.kill()
            await process.kill()
            shutil.rmtree(stack.nats.directory / "jetstream")
            await asyncio.gather(process.start(), stack.nats.start())
            line.machine.let_go(f"{part}-3" for part in parts)
            await line.reached(parts, 6)
            await valkey.flushall()
        await other.kill()
        await other.start()
        await stack.valkey.kill()
        line.machine.let_go(f"{part}-6" for part in parts)
        await line.reached(parts, 9)
        await stack.valkey.start()
        line.machine.let_go(f"{part}-9" for part in parts)
    await line.check()


class WallClocks:
    """The wall clocks of replicas, which jump when a test says so; their monotonic clocks do not."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def restart(self, process: ServiceProcess) -> None:
        """Start a replica anew, with a wall clock of its own."""
        library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
        self.jump(process, 0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LD_PRELOAD", str(library))
            patch.setenv("FAKETIME_TIMESTAMP_FILE", str(self._file(process)))
            patch.setenv("FAKETIME_NO_CACHE", "1")
            patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            await process.stop()
            await process.start()

    def jump(self, process: ServiceProcess, seconds: int) -> None:
        """Let a replica's wall clock be wrong by so much from now on."""
        self._file(process).write_text(f"{seconds:+d}")

    def _file(self, process: ServiceProcess) -> Path:
        return self._home / f"clock-{process.address.replace(':', '-')}"


@pytest.mark.skipif(libfaketime is None, reason="libfaketime is not installed; `make chaos` does")
async def test_wall_clocks_that_jump_move_no_timer_and_lose_nothing(replicas, tenant) -> None:
    hours = timedelta(hours=5)
    token = replicas.stack.keys.token(tenant=tenant, iat=datetime.now(UTC) - hours, lifetime=hours)
    clocks = WallClocks(replicas.stack.home)
    for process in (replicas.first, replicas.second):
        await clocks.restart(process)
    async with AsyncExitStack() as opened:
        machine = await opened.enter_async_context(Machine())
        clients = [
            await opened.enter_async_context(WorkflowClient(process.address, token))
            for process in (replicas.first, replicas.second)
        ]
        line = Line(machine, clients, TASKS)
        await line.prepare()
        await clients[0].call(clients[0].workflows.PublishVersion, RESTING)
        parts = await line.start(20, held_at=(3,))
        await line.reached(parts, 3)
        began = time.monotonic()
        resting = await clients[0].start("workflows/test.rest", [{}] * 20)
        await asyncio.sleep(REST_SECONDS / 4)  # so that they rest when the clocks jump
        clocks.jump(replicas.first, 3600)
        clocks.jump(replicas.second, -3600)
        line.machine.let_go(f"{part}-3" for part in parts)
        ends = await asyncio.gather(*(clients[1].end_of(name) for name in resting))
        assert time.monotonic() - began >= REST_SECONDS
        assert {end.state for end in ends} == {Instance.STATE_COMPLETED}
        await line.check()
    for process in (replicas.first, replicas.second):
        await process.stop()
        await process.start()


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
                parts = await line.start(20, held_at=(5,))
                await line.reached(parts, 5)
                ballast = disk / "ballast"
                fill(ballast, disk)
                async with stack.postgres.connect("millwright") as connection:
                    with pytest.raises(Exception, match=r"space|closed|recovery|shut|terminat"):
                        await connection.execute(HEAP)
                line.machine.let_go(f"{part}-5" for part in parts)
                await until(partial(waits_for_the_database, service), TAKEN_OVER_SECONDS)
                ballast.unlink()
                if not stack.postgres.process.is_running:
                    await stack.postgres.start()
                await line.check()


def fill(ballast: Path, disk: Path) -> None:
    """Leave no room on a disk."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(1 << 16))
