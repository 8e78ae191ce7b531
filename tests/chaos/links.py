"""A link between two processes: bytes pass both ways until it is harmed.

It stands for the network between them. While it is cut nothing passes and nothing is refused, as when packets get lost;
what was under way arrives once it is mended.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from millwright_local.ports import LOOPBACK, find_free_port

PIECE_BYTES = 1 << 16

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class Link:
    """One way through which one process reaches another. Opened and closed by its owner."""

    def __init__(self, name: str, dial: Dial, *, socket: Path | None = None) -> None:
        """`dial` reaches the other end; whoever uses the link connects to `socket`, or else to `port`."""
        self.name = name
        self.port = 0 if socket else find_free_port()
        self.delay_seconds = 0.0
        """How long each piece of data takes on its way."""
        self._dial = dial
        self._socket = socket
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen from now on."""
        if self._socket:
            self._socket.parent.mkdir(parents=True, exist_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, self._socket)
        else:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)

    async def close(self) -> None:
        """Listen no more, and end every connection."""
        if self._server:
            self._server.close()
        for pump in self._pumps:
            pump.cancel()
        self.reset()

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self._passes.clear()

    def mend(self) -> None:
        """Let everything pass again, at once."""
        self.delay_seconds = 0.0
        self._passes.set()

    def reset(self) -> None:
        """End every connection; new ones are let in."""
        for writer in list(self._connections):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            await self._passes.wait()
            far_reader, far_writer = await self._dial()
        except OSError:
            writer.transport.abort()
            self._connections.discard(writer)
            return
        self._connections.add(far_writer)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what comes from one side to the other, and its end."""
        with suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self._passes.wait()
                if writer.is_closing():
                    break
                writer.write(data)
                await writer.drain()
        await self._passes.wait()
        writer.close()
        self._connections.discard(writer)


def to_port(port: int) -> Dial:
    """Dial a loopback port."""
    return lambda: asyncio.open_connection(LOOPBACK, port)


def to_any(ports: Callable[[], Sequence[int]]) -> Dial:
    """Dial the loopback ports that there are by turns, and the next where nobody listens: as a balancer does."""
    turn = itertools.count()

    async def dial() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        listed, first = ports(), next(turn)
        for place in range(len(listed)):
            with suppress(OSError):
                return await asyncio.open_connection(LOOPBACK, listed[(first + place) % len(listed)])
        raise ConnectionRefusedError

    return dial


def to_socket(path: Path) -> Dial:
    """Dial a unix socket."""
    return lambda: asyncio.open_unix_connection(path)
