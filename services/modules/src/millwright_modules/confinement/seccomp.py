"""Seccomp: system calls that a process and its children may never make again."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Sequence

from millwright_modules.confinement import kernel

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_JUMP_IF_AT_LEAST = 0x35
_RETURN = 0x06
_NUMBER_AT, _ARCH_AT = 0, 4
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERROR = 0x00050000
_OTHER_ABI_FROM = 0x40000000
"""From here on x86 numbers its calls a second time (x32)."""


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def refuse(calls: Sequence[int], error: int = errno.EACCES) -> None:
    """Let these system calls fail with `error` from now on. The process needs PR_SET_NO_NEW_PRIVS."""
    arch = kernel.machine().audit_arch
    steps = [
        _Instruction(_LOAD_WORD, 0, 0, _ARCH_AT),
        _Instruction(_JUMP_IF_EQUAL, 1, 0, arch),
        _Instruction(_RETURN, 0, 0, _KILL),
        _Instruction(_LOAD_WORD, 0, 0, _NUMBER_AT),
        _Instruction(_JUMP_IF_AT_LEAST, 0, 1, _OTHER_ABI_FROM),
        _Instruction(_RETURN, 0, 0, _KILL),
    ]
    for number in calls:
        steps += [_Instruction(_JUMP_IF_EQUAL, 0, 1, number), _Instruction(_RETURN, 0, 0, _ERROR | error)]
    steps.append(_Instruction(_RETURN, 0, 0, _ALLOW))
    instructions = (_Instruction * len(steps))(*steps)
    kernel.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.pointer(_Program(len(steps), instructions)))


def refuse_network() -> None:
    """Let no socket be made, also none that Landlock does not know (UDP, Unix), and no other process be looked into."""
    numbers = kernel.machine()
    refuse([numbers.socket, numbers.socketpair, numbers.io_uring_setup, numbers.ptrace])
