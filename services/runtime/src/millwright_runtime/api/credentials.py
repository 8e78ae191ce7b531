"""TLS on gRPC, both sides: what a connection is made with is what the certificates are at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from millwright_runtime.certificates import Certificates, Contents


def serving(certificates: Certificates) -> grpc.ServerCredentials:
    """Give credentials of a server: each handshake has the newest certificate, connections that are there stay.

    Where there are authorities, clients must show a certificate of one of them.
    """
    given = certificates.current

    def newest() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        if certificates.current is given:
            return None
        given = certificates.current
        return _configuration(given)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(given),
        newest,  # type: ignore[arg-type]  # None, for as it was, is documented
        require_client_authentication=given.authorities is not None,
    )


def _configuration(contents: Contents) -> grpc.ServerCertificateConfiguration:
    assert contents.key is not None
    assert contents.chain is not None
    return grpc.ssl_server_certificate_configuration([(contents.key, contents.chain)], contents.authorities)


class Peer:
    """A channel to another service: made when it is needed first, and anew once the certificates are other ones."""

    def __init__(
        self, endpoint: str, certificates: Certificates | None, options: Sequence[tuple[str, Any]], grace_seconds: float
    ) -> None:
        """Call `endpoint` with TLS where there are certificates. Calls may take `grace_seconds` on the old channel."""
        self._endpoint = endpoint
        self._certificates = certificates
        self._options = options
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
            return grpc.aio.insecure_channel(self._endpoint, options=self._options)
        credentials = grpc.ssl_channel_credentials(contents.authorities, contents.key, contents.chain)
        return grpc.aio.secure_channel(self._endpoint, credentials, options=self._options)

    def _leave(self, channel: grpc.aio.Channel, grace_seconds: float | None = None) -> None:
        """Close a channel once its calls have ended, without waiting for it."""
        grace = self._grace_seconds if grace_seconds is None else grace_seconds
        task = asyncio.create_task(channel.close(grace))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
