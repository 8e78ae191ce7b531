"""Landlock: which files a process may touch, decided by the process itself and never taken back.

Numbers and structures are those of the kernel's `include/uapi/linux/landlock.h`; system call numbers are the same on
every processor.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from enum import IntFlag

from millwright_modules.confinement import kernel

LOWEST_ABI = 4
"""The first that can refuse TCP."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_ABI = 1
_RULE_PATH_BENEATH = 1
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_SCOPED_SINCE_ABI = 6
_IOCTL_SINCE_ABI = 5


class Access(IntFlag):
    """What may be done to files; what no rule allows is refused."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIRECTORY = 1 << 3
    REMOVE_DIRECTORY = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHARACTER_DEVICE = 1 << 6
    MAKE_DIRECTORY = 1 << 7
    MAKE_FILE = 1 << 8
    MAKE_SOCKET = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK_DEVICE = 1 << 11
    MAKE_LINK = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEVICE = 1 << 15


READ = Access.READ_FILE | Access.READ_DIRECTORY
RUN = Access.READ_FILE | Access.EXECUTE
WRITE = READ | Access.WRITE_FILE | Access.MAKE_FILE | Access.MAKE_DIRECTORY | Access.TRUNCATE
_OF_FILES = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEVICE


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def abi() -> int:
    """Tell which version of Landlock the kernel has; 0 for none."""
    try:
        return kernel.call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_ABI))
    except OSError:
        return 0


def restrict(rules: Iterable[tuple[str, Access]]) -> None:
    """Refuse this thread and its children, from now on, every file but those beneath a path of `rules`, and all of TCP.

    Raises kernel.Unavailable if the kernel's Landlock is older than LOWEST_ABI, OSError if a path does not exist. The
    process needs PR_SET_NO_NEW_PRIVS. What is open already stays open.
    """
    version = abi()
    if version < LOWEST_ABI:
        raise kernel.Unavailable(f"Landlock {LOWEST_ABI}; it has {version or 'none'}")
    handled = Access((1 << 16) - 1)
    if version < _IOCTL_SINCE_ABI:
        handled &= ~Access.IOCTL_DEVICE
    scoped = _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPED_SINCE_ABI else 0
    wanted = _Ruleset(handled, _BIND_AND_CONNECT_TCP, scoped)
    size = ctypes.sizeof(wanted) if scoped else _Ruleset.scoped.offset
    ruleset = kernel.call(_CREATE_RULESET, ctypes.pointer(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path, access in rules:
            _allow(ruleset, path, access & handled)
        kernel.call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: Access) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        rule = _PathBeneath(access if os.path.isdir(path) else access & _OF_FILES, place)  # noqa: PTH112
        kernel.call(
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_int(_RULE_PATH_BENEATH),
            ctypes.pointer(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(place)
