"""The command that asks for health: its exit code says whether the service serves, has left, or is not there."""

import asyncio
import sys

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

NAME = "millwright.workflow.v1.WorkflowService"


@pytest.fixture
async def servicer():
    """What a server says of itself."""
    return health.aio.HealthServicer()


@pytest.fixture
async def address(servicer):
    """Where a server answers for it."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


async def ask(address: str, service: str) -> tuple[int | None, str]:
    """Give the command's exit code, and what it says."""
    words = ("-m", "millwright_runtime.health", address, service)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_a_service_that_serves_is_exit_code_0(servicer, address) -> None:
    await servicer.set(NAME, health_pb2.HealthCheckResponse.SERVING)
    assert await ask(address, NAME) == (0, "")


async def test_a_service_that_leaves_or_is_unknown_is_exit_code_1_and_named(servicer, address) -> None:
    await servicer.set(NAME, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert await ask(address, NAME) == (1, f"{NAME} does not serve\n")
    assert await ask(address, "of.another") == (1, "of.another does not serve\n")


async def test_a_server_that_is_not_there_is_exit_code_1() -> None:
    assert (await ask("127.0.0.1:1", ""))[0] == 1
