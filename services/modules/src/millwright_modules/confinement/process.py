"""Running a program confined: what it may touch, what it may use, and how it ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from millwright_modules.confinement import child, kernel, landlock

_READ_BYTES = 1 << 16
_OUT_OF_MEMORY = re.compile("^(fatal error|runtime): ", re.MULTILINE)
"""How Go's runtime begins when it ends itself; it does so for want of memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use."""

    memory_bytes: int = 1 << 30
    """Address space: esbuild's runtime does not begin below 512 MiB."""
    cpu_seconds: int = 10
    seconds: float = 30.0
    file_bytes: int = 64 << 20
    open_files: int = 256
    output_bytes: int = 256 << 10
    """How much of what it says is kept; it is never more than this that is held."""


class End(StrEnum):
    """How a run ended."""

    EXITED = "EXITED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUT_OF_TIME = "OUT_OF_TIME"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    end: End
    code: int
    output: str
    """What it wrote to standard output and error, cut at the limit."""


def check() -> None:
    """Raise kernel.Unavailable if this machine cannot confine a process."""
    kernel.machine()
    if (abi := landlock.abi()) < landlock.LOWEST_ABI:
        raise kernel.Unavailable(f"Landlock {landlock.LOWEST_ABI}; it has {abi or 'none'}")


async def run(
    command: Sequence[str], directory: Path, readable: Sequence[Path], writable: Sequence[Path], limits: Limits
) -> Outcome:
    """Run `command` in `directory` with an empty environment; give how it ended.

    It reads only beneath `readable`, writes only beneath `writable`, runs nothing but itself, and has no network. It is
    gone when this returns or raises, and does not outlive this process. Raises kernel.Unavailable if it could not be
    confined: then it did not run.
    """
    check()
    wish = {
        "command": list(command),
        "directory": str(directory),
        "readable": [str(path) for path in readable],
        "writable": [str(path) for path in writable],
        "parent": os.getpid(),
        **asdict(limits),
    }
    ours, theirs = socket.socketpair()
    with theirs:
        # Popen and not asyncio's: it uses vfork, which leaves gRPC's threads and fork handlers alone.
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at once, and runs our own module
            [sys.executable, "-I", "-m", child.__name__, json.dumps(wish)],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            start_new_session=True,
        )
    return await _followed(process, ours, limits)


async def _followed(process: subprocess.Popen[bytes], ours: socket.socket, limits: Limits) -> Outcome:
    ours.setblocking(False)  # noqa: FBT003 - the standard library's signature
    is_late = False
    output = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            with suppress(ConnectionResetError):
                while piece := await asyncio.get_running_loop().sock_recv(ours, _READ_BYTES):
                    output += piece[: limits.output_bytes - len(output)]
    except TimeoutError:
        is_late = True
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it is the leader until it is waited for
        _, status, usage = await asyncio.to_thread(os.wait4, process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        ours.close()
    used = usage.ru_utime + usage.ru_stime
    is_late = is_late or (process.returncode < 0 and used >= limits.cpu_seconds)
    return _outcome(process.returncode, output.decode("utf-8", "replace"), is_late=is_late)


def _outcome(code: int, output: str, *, is_late: bool) -> Outcome:
    if code == child.NOT_CONFINED:
        raise kernel.Unavailable(output.strip())
    if is_late:
        return Outcome(End.OUT_OF_TIME, code, output)
    if code < 0 or (code != 0 and _OUT_OF_MEMORY.search(output)):
        return Outcome(End.OUT_OF_MEMORY, code, output)
    return Outcome(End.EXITED, code, output)
