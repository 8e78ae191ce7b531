"""Loopback ports: which are free, and whether the server behind one answers."""

import asyncio
import secrets
import socket
from pathlib import Path

from millwright_local.errors import NoFreePortError

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 10240
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
ATTEMPTS = 200

_handed_out: set[int] = set()


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
    """Return a loopback port that nobody listens on; never the same one twice.

    The port lies below the range from which the kernel takes client ports. Inside that range a client that
    polls for a server which is not up yet can be given the very port it dials, and then talks to itself.
    Raises NoFreePortError.
    """
    for _ in range(ATTEMPTS):
        port = LOWEST_PORT + secrets.randbelow(_lowest_ephemeral_port() - LOWEST_PORT)
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise NoFreePortError(ATTEMPTS)


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
