"""Functions of the catalogue that other services of Millwright carry out: one unary gRPC call each."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from millwright_runtime import tracing
from millwright_runtime.api import peers
from millwright_runtime.api.identity import Identity
from millwright_runtime.api.peers import Peer
from millwright_runtime.certificates import Certificates
from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain import names
from millwright_workflow.domain.interpreter import WorkflowFault, errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.engine.calls.http import idempotency_key
from millwright_workflow.engine.catalogue.circuits import Circuits
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.store.circuits import SHARED

_ATTEMPTS = 4
_SHORTEST_WAIT_SECONDS = 0.1
# CANCELLED, which is not by us, was not taken in.
_AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED})
_MOST_FIELDS = 5
_LOOK_SECONDS = 1.0
_AWAY = frozenset({429, 503, 504})
_AWAY_SECONDS = 600.0
"""How long a service may be away in which something goes on that is waited for."""
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
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


Metadata = Sequence[tuple[str, str]]
Request = Callable[[str, JsonObject, str], JsonObject]
"""Makes the request, as JSON, of the task's pointer, the arguments and the idempotency key; may throw a fault."""
Output = Callable[[str, JsonObject, JsonObject], Json]
"""Makes the task's output of the task's pointer, the arguments and the answer, in which every field is; may throw a
fault."""
Look = Callable[[JsonObject], "JsonObject | None"]
"""Makes of an answer the request that looks again, as JSON; None once there is nothing more to wait for."""


@dataclass(frozen=True, slots=True)
class Following:
    """How the end is waited for of what the first answer only says has begun."""

    path: str
    """`package.Service/Method`; its answers stand for the first one."""
    look: Look


@dataclass(frozen=True, slots=True)
class Method:
    """The method that carries a function out."""

    contract: str
    """The module of the contract that defines it."""
    path: str
    """`package.Service/Method`."""
    request: Request
    output: Output
    following: Following | None = None
    is_new_each_attempt: bool = False
    """Whether a `try` that tries again asks for something new; otherwise it gets what the attempt before got."""
    role: str = "operator"
    """What the instance has to be to the other service."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a function is carried out."""

    function: str
    setting: str
    """The environment variable that says where the service is."""
    endpoint: str | None
    method: Method


class RemoteCalls:
    """Carries out one function."""

    def __init__(
        self,
        remote: Remote,
        circuits: Circuits,
        identity: Identity | None,
        seconds: float,
        certificates: Certificates | None = None,
    ) -> None:
        """Let each attempt take `seconds`. Without an identity, nothing can be called; with certificates, by TLS."""
        self._remote = remote
        self._circuits = circuits
        self._identity = identity
        self._seconds = seconds
        self._peer = Peer(remote.endpoint, certificates, seconds) if remote.endpoint else None

    async def close(self) -> None:
        """Close the connection."""
        if self._peer is not None:
            await self._peer.close()

    async def carry_out(self, caller: Caller, call: Invoke) -> Json:
        """Give the function's output; throw a communication fault with what the other service said.

        UNAVAILABLE, RESOURCE_EXHAUSTED and CANCELLED are tried again. The idempotency key is the same however often the
        task is sent, also by another process, and unless the method says otherwise by a `try` that tries again.
        """
        pointer, method = call.reference.pointer, self._remote.method
        peer, identity = self._place(pointer)
        key = idempotency_key(caller, call, is_new_each_attempt=method.is_new_each_attempt)
        wanted = method.request(pointer, call.arguments, _shortened(key))

        async def ask(path: str, request: JsonObject) -> JsonObject:
            with tracing.calling(path) as trace:
                metadata = (
                    ("authorization", f"Bearer {_token(identity, caller, method.role)}"),
                    ("idempotency-key", key),
                    ("traceparent", trace.traceparent),
                )
                return await self._ask(caller, peer, pointer, path, request, metadata)

        answer = await ask(method.path, wanted)
        heard_time = time.monotonic()
        while method.following and (wanted_again := method.following.look(answer)) is not None:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                answer, heard_time = await ask(method.following.path, wanted_again), time.monotonic()
            except WorkflowFault as fault:  # what has begun goes on without us
                if fault.error.status not in _AWAY or time.monotonic() - heard_time > _AWAY_SECONDS:
                    raise
        return method.output(pointer, call.arguments, answer)

    async def _ask(
        self, caller: Caller, peer: Peer, pointer: str, path: str, wanted: JsonObject, metadata: Metadata
    ) -> JsonObject:
        """Call a method of the other service, and give its answer with every field."""
        kind = peers.method(self._remote.method.contract, path)
        try:
            request = json_format.ParseDict(wanted, message_factory.GetMessageClass(kind.input_type)())
        except json_format.ParseError as error:
            detail = f"The arguments do not fit {self._remote.function!r}: {error}"
            raise errors.validation(pointer, detail) from None
        body = request.SerializeToString()
        answer_type = message_factory.GetMessageClass(kind.output_type)

        async def attempt() -> Any:
            await caller.confirm()
            send: Any = peer.channel().unary_unary(f"/{path}", None, answer_type.FromString)
            return await self._send(pointer, lambda: send(body, timeout=self._seconds, metadata=metadata))

        found = await self._circuits.call(SHARED, self._remote.function, pointer, attempt)
        return json_format.MessageToDict(found, always_print_fields_with_no_presence=True)

    def _place(self, pointer: str) -> tuple[Peer, Identity]:
        remote = self._remote
        if self._peer is None:
            detail = f"{remote.function!r} cannot be called: {remote.setting} does not say where its service is."
            raise errors.configuration(pointer, detail)
        if self._identity is None:
            detail = f"{remote.function!r} cannot be called: MILLWRIGHT_WORKFLOW_SIGNING_KEY names no key for tokens."
            raise errors.configuration(pointer, detail)
        return self._peer, self._identity

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
                said = f"{self._remote.function} answered {error.code().name}: {error.details()}{_fields(error)}"
                raise errors.communication(pointer, said, status) from None
        raise AssertionError(_ATTEMPTS)


def _token(identity: Identity, caller: Caller, role: str) -> str:
    instance = caller.instance
    return identity.token(names.instance(instance.instance), instance.tenant, role)


def _shortened(key: str) -> str:
    """Give a key of one length: what a task is called may be long."""
    return hashlib.sha256(key.encode()).hexdigest()


def _fields(error: grpc.aio.AioRpcError) -> str:
    """Say what is wrong with which fields, of the first few."""
    said = peers.violations(error, _MOST_FIELDS)
    return f" ({'; '.join(said)})" if said else ""
