"""A client of one service: what breaks on the way is the call's error, and never looks as if we had been cancelled."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from millwright_local.service_client import ServiceClient


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Where a server takes streams, and answers none before it has ended."""

    async def take(requests: AsyncIterator[HealthCheckRequest], _: object) -> HealthCheckResponse:
        async for _request in requests:
            pass
        return HealthCheckResponse()

    handler = grpc.stream_unary_rpc_method_handler(
        take, HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", {"Take": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


def _method(client: ServiceClient) -> "grpc.aio.StreamUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse]":
    return client._channel.stream_unary(
        "/test.Test/Take", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )


async def test_a_stream_that_cannot_be_sent_to_its_end_is_an_error_of_the_call(address):
    async def broken() -> AsyncIterator[HealthCheckRequest]:
        yield HealthCheckRequest()
        raise ConnectionError

    async with ServiceClient(address, "") as client:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.send(_method(client), broken())
    assert error.value.code() is grpc.StatusCode.CANCELLED


async def test_whoever_sends_can_be_cancelled(address):
    is_sent = asyncio.Event()

    async def endless() -> AsyncIterator[HealthCheckRequest]:
        yield HealthCheckRequest()
        is_sent.set()
        await asyncio.Event().wait()

    async with ServiceClient(address, "") as client:
        sending = asyncio.create_task(client.send(_method(client), endless()))
        await is_sent.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
