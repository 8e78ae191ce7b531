"""Functions of the catalogue that other services of Millwright carry out: one unary gRPC call each.

Knows no message of those services: it finds them, by the method's name, among the contracts that are installed.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from millwright_runtime.json import Json

from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.engine.catalogue.circuits import Circuits
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.store.circuits import SHARED

_ATTEMPTS = 4
_SHORTEST_WAIT_SECONDS = 0.1
_AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE})
_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 412,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a function is carried out."""

    function: str
    setting: str
    """The environment variable that says where the service is."""
    endpoint: str | None
    method: str | None
    """`package.Service/Method`; None while no service of this release carries the function out."""


class RemoteCalls:
    """Carries out one function."""

    def __init__(self, remote: Remote, circuits: Circuits, seconds: float) -> None:
        self._remote = remote
        self._circuits = circuits
        self._seconds = seconds
        self._channel: grpc.aio.Channel | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()

    async def carry_out(self, caller: Caller, call: Invoke) -> Json:
        """Give the answer as JSON; throw a communication fault with what the other service said.

        UNAVAILABLE is tried again. The idempotency key is the same however often the task is sent.
        """
        pointer = call.reference.pointer
        remote = self._remote
        if remote.method is None:
            raise errors.configuration(pointer, f"No service of this release carries out {remote.function!r} yet.")
        if remote.endpoint is None:
            detail = f"{remote.function!r} cannot be called: {remote.setting} does not say where its service is."
            raise errors.configuration(pointer, detail)
        request, answer = self._messages(pointer, remote.method)
        try:
            json_format.ParseDict(call.arguments, request)
        except json_format.ParseError as error:
            raise errors.validation(pointer, f"The arguments do not fit {remote.function!r}: {error}") from None
        self._channel = self._channel or grpc.aio.insecure_channel(remote.endpoint)
        send: Any = self._channel.unary_unary(f"/{remote.method}", None, answer.FromString)
        metadata = (("idempotency-key", f"{caller.instance.instance}{call.reference}"),)

        async def attempt() -> Any:
            await caller.confirm()
            return await self._send(
                pointer, lambda: send(request.SerializeToString(), timeout=self._seconds, metadata=metadata)
            )

        found = await self._circuits.call(SHARED, remote.function, pointer, attempt)
        given: Json = json_format.MessageToDict(found)
        return given

    def _messages(self, pointer: str, path: str) -> tuple[Any, Any]:
        service, _, name = path.partition("/")
        try:
            method = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
        except KeyError:
            raise errors.configuration(pointer, f"The contract of {path} is not installed here.") from None
        return message_factory.GetMessageClass(method.input_type)(), message_factory.GetMessageClass(method.output_type)

    async def _send(self, pointer: str, send: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return await send()
            except grpc.aio.AioRpcError as error:
                if error.code() in _AGAIN and attempt < _ATTEMPTS - 1:
                    wait = _SHORTEST_WAIT_SECONDS * 4**attempt
                    await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - it only spreads load
                    continue
                status = _STATUSES.get(error.code(), 500)
                said = f"{self._remote.function} answered {error.code().name}: {error.details()}"
                raise errors.communication(pointer, said, status) from None
        raise AssertionError(_ATTEMPTS)
