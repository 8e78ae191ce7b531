"""Loopback ports: which are free, and whether the server behind one answers."""

import asyncio
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 10240
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
ATTEMPTS = 200


class PortTakenError(Exception):
    """Another process listens on a port that a server of the stack was told to use."""

    def __init__(self, port: int, server: str, setting: str | None = None) -> None:
        remedy = f", or choose another one with {setting}" if setting else ""
        super().__init__(f"port {port} of {server} is taken: end what listens there{remedy}")
        self.port = port


class NoFreePortError(Exception):
    """No free port was found."""

    def __init__(self) -> None:
        super().__init__(f"no free port on {LOOPBACK} after {ATTEMPTS} attempts")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """Return a loopback port that nobody listens on.

    The port lies below the range from which the kernel takes client ports. Inside that range a client that
    polls for a server which is not up yet can be given the very port it dials, and then talks to itself.
    Raises NoFreePortError.
    """
    for _ in range(ATTEMPTS):
        port = random.randrange(LOWEST_PORT, _lowest_ephemeral_port())  # noqa: S311 - guards no secret
        if is_free(port):
            return port
    raise NoFreePortError


async def greets(port: int, *, send: bytes, expect: bytes) -> bool:
    """Tell whether the server on this loopback port answers with `expect` after it was sent `send`."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(send)
                return (await reader.read(len(expect))) == expect
            finally:
                writer.close()
                await writer.wait_closed()
    except OSError:
        return False


def _lowest_ephemeral_port() -> int:
    try:
        return max(int(EPHEMERAL_RANGE.read_text().split()[0]), LOWEST_PORT + 1000)
    except OSError:
        return 32768
