"""Listeners: gRPC servers of one process that share a port, so that calls are taken in as quickly as they come.

grpc's asyncio server takes in one call of a method at a time, over some five turns of the event loop; others wait in
gRPC, where nobody can refuse them. Each of these servers takes in for its own connections, and the kernel gives each
new connection to one of them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from millwright_runtime.api import credentials
from millwright_runtime.certificates import Certificates
from millwright_runtime.settings import PortTaken


class Listeners:
    """Servers that serve alike, on one port."""

    def __init__(
        self,
        number: int,
        options: Sequence[tuple[str, Any]],
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        """Make so many servers; `options` are gRPC's, of each."""
        options = [*options, ("grpc.so_reuseport", 1)]
        self._servers = [grpc.aio.server(interceptors=interceptors, options=options) for _ in range(number)]

    def each(self, serve: Callable[[grpc.aio.Server], None]) -> None:
        """Let each of them serve something, before they start."""
        for server in self._servers:
            serve(server)

    async def start(self, address: str, certificates: Certificates | None = None) -> int:
        """Listen, with TLS where there are certificates, and give the port.

        Raises PortTaken if another process does, or the address is not ours.
        """
        free = _free(address)
        for server in self._servers:
            _listen(server, free, certificates)
        await asyncio.gather(*(server.start() for server in self._servers))
        return int(free.rpartition(":")[2])

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, give those in progress `grace_seconds`, then end them."""
        await asyncio.gather(*(server.stop(grace_seconds) for server in self._servers))


def _free(address: str) -> str:
    """Give the address, with its port chosen, once it is known that nobody else listens there.

    Who shares a port is not told of others that do: a second process would get half of the calls unseen.
    """
    host, _, port = address.rpartition(":")
    try:
        family, _, _, _, place = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed a moment ago is free
            probe.bind(place)
            return f"{host}:{probe.getsockname()[1]}"
    except OSError:
        raise PortTaken(address) from None


def _listen(server: grpc.aio.Server, address: str, certificates: Certificates | None) -> None:
    try:
        if certificates:
            server.add_secure_port(address, credentials.serving(certificates))
        else:
            server.add_insecure_port(address)
    except RuntimeError:
        raise PortTaken(address) from None
