"""A client of one service: one connection, with a token on every call. It adds nothing to the contract."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self, TypeVar

import grpc.aio
from millwright_runtime.health import OPTIONS

CALL_SECONDS = 20.0
Request = TypeVar("Request")
Response = TypeVar("Response")


class ServiceClient:
    """A connection to one process. An async context manager that closes it."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]",
        request: Request,
        *,
        seconds: float = CALL_SECONDS,
    ) -> Response:
        """Call once. Raises grpc.aio.AioRpcError, after `seconds` at the latest."""
        return await method(request, metadata=self._metadata, timeout=seconds)

    def stream(
        self, method: "grpc.aio.UnaryStreamMultiCallable[Request, Response]", request: Request
    ) -> "grpc.aio.UnaryStreamCall[Request, Response]":
        """Open a stream without a deadline; it is closed with the connection, or by its `cancel`."""
        return method(request, metadata=self._metadata)

    async def send(
        self,
        method: "grpc.aio.StreamUnaryMultiCallable[Request, Response]",
        requests: AsyncIterator[Request],
        *,
        seconds: float = CALL_SECONDS,
    ) -> Response:
        """Send a stream and give its one answer. Raises grpc.aio.AioRpcError, after `seconds` at the latest."""
        call = method(requests, metadata=self._metadata, timeout=seconds)
        try:
            return await call
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            # Nobody cancelled us: it is how grpc.aio tells that the connection broke while it was sending.
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(await call.code(), nothing, nothing, await call.details()) from None

    def converse(
        self, method: "grpc.aio.StreamStreamMultiCallable[Request, Response]", requests: AsyncIterator[Request]
    ) -> "grpc.aio.StreamStreamCall[Request, Response]":
        """Open a stream both ways without a deadline; it is closed with the connection, or by its `cancel`."""
        return method(requests, metadata=self._metadata)

    async def close(self) -> None:
        """Close the connection, and with it what is under way on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
