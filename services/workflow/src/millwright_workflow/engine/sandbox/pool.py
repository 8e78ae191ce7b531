"""Child processes for expressions and schemas that may run for ever or eat memory: killed at a limit, and the service
goes on.

Owns the processes, their limits, and whose turn it is. `child` is what they run.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from millwright_runtime.concurrency.turns import Turns
from millwright_runtime.json import Json, from_text, to_text

from millwright_workflow.engine.sandbox.validators import Breach, SchemaInvalid

_HEADER_BYTES = 4
_SPARE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may use."""

    seconds: float = 1.0
    memory_bytes: int = 512 * 1024 * 1024
    output_bytes: int = 4 * 1024 * 1024


class SandboxFault(Exception):
    """An evaluation failed or was ended at a limit; the message says how, for the author of the expression."""


class Sandbox:
    """A few child processes, each started when first needed and again after it was killed.

    Tenants take turns: one that asks a thousand times does not keep another waiting for more than what is under way.
    """

    def __init__(self, processes: int, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._children = [_Child(self._limits) for _ in range(processes)]
        self._idle = list(self._children)
        self._turns = Turns(processes)

    async def compile(self, programs: list[str], tenant: str = "") -> list[str | None]:
        """Give, for each jq program, why it does not compile, or None."""
        faults: list[str | None] = await self._ask({"compile": programs}, tenant)
        return faults

    async def evaluate(self, program: str, data: str, tenant: str = "") -> Json:
        """Give the first value of a jq program on JSON text, null if it has none; raise SandboxFault."""
        answer: dict[str, Any] = await self._ask({"program": program, "data": data}, tenant)
        if "fault" in answer:
            raise SandboxFault(answer["fault"])
        value: Json = answer["value"]
        return value

    async def validate(self, schema: str, data: str, tenant: str = "") -> list[Breach]:
        """Give what data does not keep of a JSON Schema, both as JSON text; raise SchemaInvalid or SandboxFault."""
        answer: dict[str, Any] = await self._ask({"schema": schema, "data": data}, tenant)
        if "invalid" in answer:
            raise SchemaInvalid(answer["invalid"])
        return [Breach(*breach) for breach in answer["breaches"]]

    async def close(self) -> None:
        """End the processes."""
        for child in self._children:
            await child.end()

    async def _ask(self, question: dict[str, Any], tenant: str) -> Any:
        async with self._turns.seat(tenant):
            child = self._idle.pop()
            try:
                return await child.ask(question)
            except BaseException:
                await child.end()  # whatever it is doing, its answer is not wanted any more
                raise
            finally:
                self._idle.append(child)


class _Child:
    """One process, and the socket to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, question: dict[str, Any]) -> Any:
        """Send a question and give the answer; raise SandboxFault if the process ended over it."""
        if self._process is None:
            await self._start()
        assert self._reader is not None
        assert self._writer is not None
        body = to_text(question).encode()
        try:
            self._writer.write(len(body).to_bytes(_HEADER_BYTES, "big") + body)
            async with asyncio.timeout(self._limits.seconds + _SPARE_SECONDS):
                await self._writer.drain()
                size = int.from_bytes(await self._reader.readexactly(_HEADER_BYTES), "big")
                answer = from_text(await self._reader.readexactly(size))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            raise SandboxFault(await self._cause_of_death()) from None
        return answer

    async def end(self) -> None:
        """Kill the process, if there is one."""
        process, writer = self._process, self._writer
        self._process = self._reader = self._writer = None
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        limits = self._limits
        arguments = (str(theirs.fileno()), str(limits.seconds), str(limits.memory_bytes), str(limits.output_bytes))
        # Popen and not asyncio's: it uses vfork, which leaves gRPC's threads and fork handlers alone.
        self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once, and runs our own module
            [sys.executable, "-I", "-m", "millwright_workflow.engine.sandbox.child", *arguments],
            pass_fds=[theirs.fileno()],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=16 * 1024 * 1024)

    async def _cause_of_death(self) -> str:
        process = self._process
        assert process is not None
        try:
            code = await asyncio.to_thread(process.wait, _SPARE_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        await self.end()
        if code == -signal.SIGALRM:
            return f"it ran for more than {self._limits.seconds:g} s"
        return f"it needed more than {self._limits.memory_bytes // 2**20} MiB"
