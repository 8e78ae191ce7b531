"""A client of one service: one connection, with a token on every call. It adds nothing to the contract."""

from typing import Self, TypeVar

import grpc.aio

from millwright_local.health import OPTIONS

CALL_SECONDS = 20.0
Request = TypeVar("Request")
Response = TypeVar("Response")


class ServiceClient:
    """A connection to one process. An async context manager that closes it."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._metadata = (("authorization", f"Bearer {token}"),)

    async def call(self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request) -> Response:
        """Call once. Raises grpc.aio.AioRpcError, after CALL_SECONDS at the latest."""
        return await method(request, metadata=self._metadata, timeout=CALL_SECONDS)

    def stream(
        self, method: "grpc.aio.UnaryStreamMultiCallable[Request, Response]", request: Request
    ) -> "grpc.aio.UnaryStreamCall[Request, Response]":
        """Open a stream without a deadline; it is closed with the connection, or by its `cancel`."""
        return method(request, metadata=self._metadata)

    async def close(self) -> None:
        """Close the connection, and with it what is under way on it."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
