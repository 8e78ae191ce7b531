"""Listeners share a port among themselves, each with connections of its own, and with nobody else."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from millwright_runtime.api.listeners import Listeners
from millwright_runtime.health import OPTIONS
from millwright_runtime.settings import PortTaken

CONNECTIONS = 100
"""So many that with two listeners each has some, but for one time in 2^99."""


class Health(health_pb2_grpc.HealthServicer):
    """Answers with the number of whoever it is of."""

    def __init__(self, number) -> None:
        self.number = number

    async def Check(self, request, context):  # noqa: N802 - the contract names the methods
        return health_pb2.HealthCheckResponse(status=self.number)


async def asked(port) -> int:
    """The answer to a call on a connection of its own."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        return (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status


@pytest.fixture
async def listeners():
    """Two, of which each tells its number."""
    listeners, numbers = Listeners(2, []), iter((1, 2))
    listeners.each(lambda server: health_pb2_grpc.add_HealthServicer_to_server(Health(next(numbers)), server))
    yield listeners
    await listeners.stop(0)


async def test_connections_are_spread_over_listeners(listeners) -> None:
    port = await listeners.start("127.0.0.1:0")
    assert {await asked(port) for _ in range(CONNECTIONS)} == {1, 2}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]"])
async def test_a_port_is_shared_with_nobody_else(listeners, host) -> None:
    port = await listeners.start(f"{host}:0")
    with pytest.raises(PortTaken, match=f"cannot listen on .*:{port}"):
        await Listeners(2, []).start(f"{host}:{port}")


async def test_a_port_is_free_once_they_have_stopped(listeners) -> None:
    port = await listeners.start("127.0.0.1:0")
    await asked(port)
    await listeners.stop(0)
    again = Listeners(2, [])
    assert await again.start(f"127.0.0.1:{port}") == port
    await again.stop(0)


@pytest.mark.parametrize("address", ["192.0.2.1:0", "nowhere.invalid:0"])
async def test_an_address_that_is_not_ours_is_a_clear_error(address) -> None:
    with pytest.raises(PortTaken, match="the address is not ours"):
        await Listeners(1, []).start(address)
