"""gRPC calls of workflows: one unary method, called by what its proto file says of it.

Owns how a call becomes a request, and its seals, which are opened here. Whatever code comes back is an answer.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import grpc
from millwright_runtime import tracing
from millwright_runtime.concurrency.turns import Turns
from millwright_runtime.json import Json, JsonObject
from millwright_runtime.tracing import Trace

from millwright_workflow.domain.interpreter import CallGrpc, GrpcAnswer, errors
from millwright_workflow.engine.calls.channels import Channels, Target
from millwright_workflow.engine.calls.credentials import Credentials, Proof
from millwright_workflow.engine.calls.documents import Documents
from millwright_workflow.engine.calls.http import idempotency_key
from millwright_workflow.engine.calls.network import AddressDenied, Network
from millwright_workflow.engine.calls.protos import Method, ProtoFault, Protos
from millwright_workflow.engine.calls.secrets import Keyring, Secrets
from millwright_workflow.engine.running.driver import Caller

_CALLS_AT_ONCE: Final = 256
_TLS_PORT: Final = 443
_LONGEST_DETAIL: Final = 500
_SHORT: Final = 64 * 1024
_RESOLVE_SECONDS: Final = 5.0
_SENDABLE: Final = re.compile(r"[\x20-\x7e]*")


class GrpcCalls:
    """Calls methods."""

    def __init__(
        self, network: Network, secrets: Secrets, credentials: Credentials, documents: Documents, seconds: float
    ) -> None:
        """Let each call take `seconds`."""
        self._network = network
        self._secrets = secrets
        self._credentials = credentials
        self._documents = documents
        self._seconds = seconds
        self._protos = Protos()
        self._channels = Channels()
        self._turns = Turns(_CALLS_AT_ONCE)

    async def close(self) -> None:
        """Close the connections."""
        await self._protos.close()
        await self._channels.close()

    async def carry_out(self, caller: Caller, call: CallGrpc) -> GrpcAnswer:
        """Call a method for a task, with a key that is the same however often the task is sent."""
        pointer, tenant = call.reference.pointer, caller.instance.tenant
        content = await self._documents.content(caller, pointer, call.proto_uri, call.proto_authentication)
        keyring = await self._secrets.keyring(caller)
        arguments = keyring.open(call.arguments, pointer)
        assert isinstance(arguments, dict)
        try:
            method = await self._protos.method(tenant, content, call.service, call.method)
            request = (
                await asyncio.to_thread(method.encode, arguments) if _is_long(arguments) else method.encode(arguments)
            )
        except ProtoFault as fault:
            raise errors.configuration(pointer, keyring.redact(str(fault))) from None
        proof = await self._credentials.prove(tenant, call.authentication, keyring, pointer)
        if proof.digest:
            raise errors.configuration(pointer, "Digest authentication is of HTTP: a gRPC call takes another.")
        if not _SENDABLE.fullmatch(proof.authorization or ""):  # gRPC would raise an error that shows it
            raise errors.configuration(pointer, "The authentication holds what metadata cannot: only ASCII is sent.")
        try:
            target = await self._locate(call)
        except (OSError, ValueError):
            return GrpcAnswer(grpc.StatusCode.UNAVAILABLE.value[0], detail="The name of the host has no address.")
        async with self._turns.seat(tenant):
            await caller.confirm()
            with tracing.calling(method.path.removeprefix("/")) as trace:
                metadata = _metadata(caller, call, proof, trace)
                answer = await self._call(target, method, request, metadata, keyring, proof)
        if answer.code == grpc.StatusCode.UNAUTHENTICATED.value[0]:
            self._credentials.disbelieve(proof)
        return answer

    async def _locate(self, call: CallGrpc) -> Target:
        """Find the server; throw an authorization fault where it may not be called, raise OSError if it is nowhere.

        The host may say how it is spoken to, as `http://` or `https://`. One that does not is spoken to by TLS at port
        443, and in plaintext at any other.
        """
        scheme, separator, rest = call.host.rpartition("://")
        host = rest if separator else call.host
        port = _TLS_PORT if call.port is None else call.port
        if scheme not in ("", "http", "https") or not host or not port or set(host) & set("/@?#"):
            raise errors.configuration(
                call.reference.pointer, f"{call.host[:200]!r} at {port} is no host of a service."
            )
        is_secure = scheme == "https" or (not scheme and port == _TLS_PORT)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                found = await self._network.resolve(host.strip("[]"), port)
        except AddressDenied:
            detail = f"{host[:200]} may not be called: its address is in a denied network."
            raise errors.authorization(call.reference.pointer, detail) from None
        return Target(host.strip("[]"), port, is_secure, tuple(address for address, _ in found))

    async def _call(
        self,
        target: Target,
        method: Method,
        request: bytes,
        metadata: list[tuple[str, str]],
        keyring: Keyring,
        proof: Proof,
    ) -> GrpcAnswer:
        async with self._channels.to(target) as channel:
            try:
                ask: Any = channel.unary_unary(method.path)
                body: bytes = await ask(request, timeout=self._seconds, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                detail = keyring.redact(error.details() or "", *proof.values)[:_LONGEST_DETAIL]
                return GrpcAnswer(error.code().value[0], detail=detail)
        try:
            message: Json = await asyncio.to_thread(method.decode, body) if len(body) > _SHORT else method.decode(body)
        except ProtoFault as fault:
            return GrpcAnswer(grpc.StatusCode.INTERNAL.value[0], detail=str(fault))
        return GrpcAnswer(0, message)


def _metadata(caller: Caller, call: CallGrpc, proof: Proof, trace: Trace) -> list[tuple[str, str]]:
    metadata = [
        ("idempotency-key", idempotency_key(caller, call)),
        ("traceparent", trace.traceparent),
    ]
    if proof.authorization:
        metadata.append(("authorization", proof.authorization))
    return metadata


def _is_long(arguments: JsonObject) -> bool:
    return len(str(arguments)) > _SHORT
