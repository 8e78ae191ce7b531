"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any, NamedTuple

_LIBC = ctypes.CDLL(None, use_errno=True)


class Machine(NamedTuple):
    """What differs between processors."""

    audit_arch: int
    """How seccomp names it."""
    socket: int
    socketpair: int
    io_uring_setup: int
    ptrace: int


MACHINES = {
    "x86_64": Machine(0xC000003E, 41, 53, 425, 101),
    "aarch64": Machine(0xC00000B7, 198, 199, 425, 117),
}


class Unavailable(Exception):
    """The kernel cannot confine a process; the message says what it lacks."""


def machine() -> Machine:
    """Give the numbers of this processor; raise Unavailable where they are not known."""
    name = platform.machine()
    if name not in MACHINES:
        raise Unavailable(f"the processor {name}")
    return MACHINES[name]


def call(number: int, *arguments: ctypes._SimpleCData[int] | ctypes._Pointer[Any] | None) -> int:
    """Make a system call; raise OSError."""
    return _checked(_LIBC.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: ctypes._Pointer[Any] | int) -> int:
    """Change something of this process; raise OSError."""
    words = [ctypes.c_ulong(one) if isinstance(one, int) else one for one in arguments]
    words += [ctypes.c_ulong(0)] * (4 - len(words))
    return _checked(_LIBC.prctl(ctypes.c_int(option), *words))


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
