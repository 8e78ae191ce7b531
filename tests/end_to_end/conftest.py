"""Fixtures of the end-to-end tests: one stack a run, with two replicas of the workflow service on one database."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from millwright_local.scratch import scratch_directory
from millwright_local.service_process import ServiceProcess
from millwright_local.stack import Stack
from millwright_local.workflow_client import WorkflowClient


@dataclass(frozen=True, slots=True)
class Replicas:
    """A stack, and its two workflow processes."""

    stack: Stack
    first: ServiceProcess
    second: ServiceProcess

    async def restore(self) -> None:
        """Bring back what a test has ended or frozen."""
        for process in (self.first, self.second):
            assert process.process
            process.thaw()
            if not process.process.is_running:
                await process.start()


@pytest.fixture(scope="session")
async def shared_replicas() -> AsyncIterator[Replicas]:
    """Two replicas that nobody harms."""
    with scratch_directory() as home:
        settings = {"track_commit_timestamp": "on"}  # for the order in which transactions committed
        stack = Stack(home, free_ports=True, durable=False, environment={}, postgres_settings=settings)
        async with stack:
            second = stack.add_replica("workflow")
            await second.start()
            yield Replicas(stack, stack.services["workflow"], second)


@pytest.fixture
async def replicas(shared_replicas: Replicas) -> AsyncIterator[Replicas]:
    """The replicas for a test that may kill or freeze them: afterwards they are brought back."""
    yield shared_replicas
    await shared_replicas.restore()


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own."""
    return f"test-{uuid.uuid4()}"


@pytest.fixture
async def connect(replicas: Replicas, tenant: str) -> AsyncIterator[Callable[[ServiceProcess], WorkflowClient]]:
    """Gives a client of a process, in the test's tenant."""
    clients = []

    def make(process: ServiceProcess) -> WorkflowClient:
        clients.append(WorkflowClient(process.address, replicas.stack.keys.token(tenant=tenant)))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def watcher(replicas: Replicas, tenant: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The command, watching all services as a person of the test's tenant; gives each line that it prints."""
    endpoints = {f"MILLWRIGHT_{name.upper()}_ENDPOINT": it for name, it in replicas.stack.endpoints.items()}
    token = replicas.stack.keys.token(tenant=tenant)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millwright_cli", "watch", "-o", "json"),
        env=os.environ | endpoints | {"MILLWRIGHT_TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
    )

    async def lines() -> AsyncIterator[dict[str, Any]]:
        assert process.stdout
        async for line in process.stdout:
            yield json.loads(line)

    yield lines()
    process.terminate()
    await process.wait()
