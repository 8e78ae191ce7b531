"""The stack starts what the environment does not give it, says where it is, and leaves nothing behind but data."""

import json
import os
import signal
import socket
import stat
import sys
from dataclasses import replace
from pathlib import Path

import jwt
import psutil
import pytest
from millwright_local.databases import DATABASE
from millwright_local.errors import PortTakenError, ProcessEndedError, StackRunningError
from millwright_local.nats import Nats
from millwright_local.ports import LOOPBACK
from millwright_local.postgres import Postgres
from millwright_local.services import Service
from millwright_local.stack import Stack
from millwright_local.valkey import Valkey
from millwright_runtime.health import is_serving


def make_stack(home: Path, service: Service) -> Stack:
    return Stack(home, services=[service], free_ports=True, durable=False)


def family() -> set[int]:
    """Give what this process has started and what still runs; what a server starts itself comes and goes."""
    return {child.pid for child in psutil.Process().children()}


async def test_the_stack_serves_and_says_where(directory: Path, plain: Service) -> None:
    async with make_stack(directory, plain) as stack:
        assert await is_serving(stack.endpoints["workflow"], plain.health)
        assert stack.postgres
        assert stack.valkey
        assert stack.nats
        assert json.loads(stack.stack_file.read_text()) == {
            "endpoints": {"workflow": stack.services["workflow"].address},
            "token_file": str(directory / "token"),
            "admin_token_file": str(directory / "admin-token"),
            "worker_token_file": str(directory / "worker-token"),
            "nats_url": stack.nats.url,
            "database_url": stack.postgres.url("millwright", "millwright_workflow"),
            "valkey_url": stack.valkey.url,
        }
    assert not stack.stack_file.exists()


async def test_the_token_file_is_private_and_renewed_at_each_start(directory: Path, plain: Service) -> None:
    seen = []
    for _ in range(2):
        async with make_stack(directory, plain) as stack:
            assert stat.S_IMODE(stack.token_file.stat().st_mode) == 0o600
            (key,) = jwt.PyJWKSet.from_json(stack.keys.jwks_file.read_text()).keys
            claims = jwt.decode(stack.token_file.read_text(), key, audience="millwright", issuer="millwright-local")
            assert (claims["tenant"], claims["roles"]) == ("plant-1", ["operator"])
            assert claims["exp"] - claims["iat"] == 30 * 24 * 3600
            seen.append(stack.token_file.stat().st_ino)
    assert seen[0] != seen[1]


async def test_nothing_runs_after_a_stop_and_the_data_is_there_next_time(directory: Path, plain: Service) -> None:
    before = family()
    for starts in (1, 2):
        async with make_stack(directory, plain) as stack:
            process = stack.services["workflow"].process
            assert process
            assert f"starts so far: {starts}" in process.last_lines()
        assert family() == before


async def test_the_data_is_there_after_everything_was_killed(directory: Path, plain: Service) -> None:
    before = family()
    stack = make_stack(directory, plain)
    await stack.start()
    await stack.kill()
    assert family() == before
    async with make_stack(directory, plain) as again:
        assert again.postgres
        async with again.postgres.connect(DATABASE) as connection:
            assert await connection.fetchval("SELECT count(*) FROM workflow.starts") == 2


async def test_servers_that_the_environment_gives_are_not_started(
    postgres: Postgres, valkey: Valkey, nats: Nats, directory: Path, plain: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with postgres.connect() as connection:
        await connection.execute("CREATE DATABASE elsewhere OWNER millwright_workflow_owner")
    url = postgres.url("elsewhere", "millwright_workflow_owner")
    monkeypatch.setenv("MILLWRIGHT_WORKFLOW_DATABASE_URL", url)
    monkeypatch.setenv("MILLWRIGHT_WORKFLOW_VALKEY_URL", valkey.url)
    monkeypatch.setenv("MILLWRIGHT_WORKFLOW_NATS_URL", nats.url)
    async with make_stack(directory, plain) as stack:
        assert (stack.postgres, stack.valkey, stack.nats) == (None, None, None)
        assert json.loads(stack.stack_file.read_text())["database_url"] == url
        assert await is_serving(stack.endpoints["workflow"], plain.health)


async def test_a_service_port_that_is_taken_is_refused_before_anything_starts(
    directory: Path, plain: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = family()
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("MILLWRIGHT_WORKFLOW_LISTEN", f"{LOOPBACK}:{port}")
        with pytest.raises(PortTakenError, match=f"port {port} of the workflow service.* MILLWRIGHT_WORKFLOW_LISTEN"):
            await Stack(directory, services=[plain], durable=False).start()
    assert family() == before
    assert not (directory / "postgres").exists()


async def test_a_second_stack_in_the_same_directory_is_refused(directory: Path, plain: Service) -> None:
    async with make_stack(directory, plain) as stack:
        with pytest.raises(StackRunningError, match=f"pid {os.getpid()}"):
            await make_stack(directory, plain).start()
        assert stack.stack_file.exists()
        assert await is_serving(stack.endpoints["workflow"], plain.health)


async def test_a_migration_that_fails_stops_everything_and_says_why(directory: Path, plain: Service) -> None:
    before = family()
    failing = replace(plain, command=(sys.executable, "-c", "raise SystemExit('the schema is newer')"))
    with pytest.raises(ProcessEndedError, match=r"workflow migrate ended with exit code 1.*\n.*the schema is newer"):
        await make_stack(directory, failing).start()
    assert family() == before
    assert not (directory / "stack.json").exists()


async def test_a_service_that_dies_is_noticed(directory: Path, plain: Service) -> None:
    async with make_stack(directory, plain) as stack:
        os.kill(stack.services["workflow"].process.pid, signal.SIGKILL)
        ended = await stack.wait_for_end()
        assert (ended.name, ended.exit_code) == ("workflow", -9)


async def test_a_service_that_is_killed_through_the_stack_may_start_again(directory: Path, plain: Service) -> None:
    async with make_stack(directory, plain) as stack:
        await stack.services["workflow"].kill()
        assert not any(process.has_ended_by_itself for process in stack.processes)
        await stack.services["workflow"].start()
        assert await is_serving(stack.endpoints["workflow"], plain.health)
        os.kill(stack.services["workflow"].process.pid, signal.SIGKILL)
        assert (await stack.wait_for_end()).exit_code == -9
