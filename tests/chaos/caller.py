"""One who calls a service: asks one replica or the other until there is an answer, and follows watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from random import Random
from typing import Any, Generic, TypeVar

import grpc
from millwright_local.service_client import ServiceClient

from tests.chaos.book import Book, Call, Stream

Code = grpc.StatusCode
Client = TypeVar("Client", bound=ServiceClient)

COME_AGAIN = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED, Code.CANCELLED}
"""What a client may be told while something is away: the same call again does no harm."""
ATTEMPT_SECONDS = 6.0
SILENCE_SECONDS = 8.0
PAUSE_SECONDS = (0.05, 0.4)
# What gRPC itself says of a connection that broke, without a word from the service.
BROKEN = ("RST_STREAM", "Stream removed", "Socket closed", "Connection reset", "GOAWAY")


class Caller(Generic[Client]):
    """A caller of one service, by its replicas' clients."""

    def __init__(self, book: Book, service: str, clients: Sequence[Client], chance: Random) -> None:
        self.book = book
        self.service = service
        self.chance = chance
        self._clients = clients

    def any_client(self) -> Client:
        """Give one of the clients, by chance."""
        return self.chance.choice(self._clients)

    async def call(
        self,
        kind: str,
        method: Callable[[Client], Any],
        make: Callable[[str], Any],
        *,
        refusals: Collection[Code] = (),
    ) -> tuple[Call, Any]:
        """Ask until there is an answer. `make` gives the request, the same each time, for the call's id.

        The answer is None if the call was refused with one of `refusals`, or with what no contract names.
        """
        call = self.book.open_call(self.service, kind)
        request = make(call.id)

        async def attempt(client: Client) -> Any:
            return await client.call(method(client), request, seconds=ATTEMPT_SECONDS)

        return call, await self.insist(call, attempt, refusals)

    async def insist(self, call: Call, attempt: Callable[[Client], Any], refusals: Collection[Code] = ()) -> Any:
        """Make attempts, replica by replica, until there is an answer; give it, or None for a refusal."""
        while True:
            call.attempts += 1
            try:
                answer = await attempt(self.any_client())
            except grpc.aio.AioRpcError as error:
                if error.code() in refusals:
                    self.book.close_call(call, error.code().name)
                    return None
                if not self._may_come_again(call.kind, error):
                    self.book.close_call(call, f"SURPRISE {error.code().name}")
                    return None
                await self.pause()
                continue
            self.book.close_call(call)
            return answer

    async def read(self, method: Callable[[Client], Any], request: Any) -> Any:
        """Ask for something that changes nothing, until there is an answer."""
        while True:
            client = self.any_client()
            try:
                return await client.call(method(client), request, seconds=ATTEMPT_SECONDS)
            except grpc.aio.AioRpcError as error:
                if not self._may_come_again("read", error):
                    raise
            await self.pause()

    async def watch(
        self,
        stream: Stream,
        method: Callable[[Client], Any],
        request: Callable[[int], Any],
        *,
        pause_seconds: float = 0.0,
    ) -> AsyncIterator[Any]:
        """Give every message of a watch from its first event on, over as many connections as it takes; endless.

        `request` makes the request that goes on after a sequence. A client with `pause_seconds` is a slow reader.
        """
        while True:
            client = self.any_client()
            stream.openings += 1
            call = client.stream(method(client), request(stream.sequences[-1] if stream.sequences else 0))
            messages = aiter(call)
            try:
                while True:
                    message = await asyncio.wait_for(anext(messages), SILENCE_SECONDS)
                    if message.WhichOneof("message") != "heartbeat":
                        stream.sequences.append(message.sequence)
                        yield message
                    await asyncio.sleep(pause_seconds)
            except (StopAsyncIteration, TimeoutError):
                pass  # over, or silent: either may be the replica's end, so the next one is asked
            except grpc.aio.AioRpcError as error:
                self._may_come_again(f"watch of {stream.name}", error)
            finally:
                call.cancel()
            await self.pause()

    async def pause(self) -> None:
        """Wait a moment before the next attempt."""
        await asyncio.sleep(self.chance.uniform(*PAUSE_SECONDS))

    def _may_come_again(self, kind: str, error: grpc.aio.AioRpcError) -> bool:
        """Tell whether the contract says to try again; note a surprise if it does not."""
        details = error.details() or ""
        if error.code() in COME_AGAIN or any(word in details for word in BROKEN):
            return True
        self.book.surprise(f"{self.service} {kind}: {error.code().name} {details}")
        return False
