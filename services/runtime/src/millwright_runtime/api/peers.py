"""Calls of other services of Millwright: as whom and by which certificates, a channel to one, what it says is wrong.

Whoever calls need not know the messages of that service: they are found, by the method's name, in the contract.
"""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Annotated, Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2, status_pb2
from pydantic import AfterValidator

from millwright_runtime.api.identity import Identity, read_key
from millwright_runtime.certificates import Certificates, Contents, Files
from millwright_runtime.settings import ServiceSettings

_OPTIONS = (("grpc.max_reconnect_backoff_ms", 2_000),)
"""A service that is back is found within two seconds; gRPC would look every two minutes."""
_DETAILS = "grpc-status-details-bin"


def _signing_key(path: Path) -> Path:
    read_key(path)
    return path


class CallingSettings(ServiceSettings):
    """What a service needs to know besides that calls other services of Millwright."""

    signing_key: Annotated[Path, AfterValidator(_signing_key)] | None = None
    """An Ed25519 key in PEM that signs the tokens of those calls; its public half belongs in their `jwks`."""
    services_ca: Path | None = None
    """The authorities in PEM that those services' certificates are checked by; the service shows its own
    certificate, if it has one. Unset: they are called in plaintext."""

    def identity(self) -> Identity | None:
        """Give who the service is to the others; None if it cannot call them."""
        key = self.signing_key
        return Identity(read_key(key), self.jwt_issuer, self.jwt_audience) if key else None

    def certificates(self) -> Certificates | None:
        """Give what the others are called with, a loop to be kept up; None means in plaintext."""
        if self.services_ca is None:
            return None
        return Certificates("call", Files(self.tls_certificate, self.tls_key, self.services_ca))


class Peer:
    """A channel to another service: made when it is needed first, and anew once the certificates are other ones."""

    def __init__(self, endpoint: str, certificates: Certificates | None, grace_seconds: float) -> None:
        """Call `endpoint` with TLS where there are certificates. Calls may take `grace_seconds` on the old channel."""
        self._endpoint = endpoint
        self._certificates = certificates
        self._grace_seconds = grace_seconds
        self._made_of: Contents | None = None
        self._channel: grpc.aio.Channel | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def channel(self) -> grpc.aio.Channel:
        """Give the channel for the next call."""
        wanted = self._certificates.current if self._certificates else None
        if self._channel is None or wanted is not self._made_of:
            if self._channel is not None:
                self._leave(self._channel)
            self._channel, self._made_of = self._open(wanted), wanted
        return self._channel

    async def close(self) -> None:
        """Close the channel, and those before it."""
        if self._channel is not None:
            self._leave(self._channel, grace_seconds=0.0)
            self._channel = None
        await asyncio.gather(*self._leaving)

    def _open(self, contents: Contents | None) -> grpc.aio.Channel:
        if contents is None:
            return grpc.aio.insecure_channel(self._endpoint, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(contents.authorities, contents.key, contents.chain)
        return grpc.aio.secure_channel(self._endpoint, credentials, options=_OPTIONS)

    def _leave(self, channel: grpc.aio.Channel, grace_seconds: float | None = None) -> None:
        """Close a channel once its calls have ended, without waiting for it."""
        grace = self._grace_seconds if grace_seconds is None else grace_seconds
        task = asyncio.create_task(channel.close(grace))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def method(contract: str, path: str) -> MethodDescriptor:
    """Give the method `package.Service/Method` of the module `contract` that defines it."""
    service, _, name = path.rpartition(".")[2].partition("/")
    module: Any = importlib.import_module(contract)
    found: MethodDescriptor = module.DESCRIPTOR.services_by_name[service].methods_by_name[name]
    return found


def violations(error: grpc.aio.AioRpcError, most: int) -> list[str]:
    """Say what a refusal says is wrong with which fields, of at most so many; nothing where it names none."""
    trailers: Any = dict(error.trailing_metadata() or ())
    found = error_details_pb2.BadRequest()
    for detail in status_pb2.Status.FromString(trailers.get(_DETAILS, b"")).details:
        detail.Unpack(found)
    return [f"{each.field}: {each.description}" for each in found.field_violations[:most]]
