"""Becomes another program that dies with the parent; run as a file, `python -I -S leash.py …`.

The tie is made here, after the new process began, because code between fork and exec is unsafe in a parent that
has threads (gRPC has). Linux only; elsewhere the program runs untied. Imports nothing of ours: it runs isolated.
"""

import ctypes  # before the account changes: afterwards Python's own files may be out of reach
import os
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def leash(command: Sequence[str], *, death_signal: int, uid: int | None = None, gid: int | None = None) -> list[str]:
    """Return the command line that runs `command` and sends it `death_signal` when this process dies.

    It must be started from a thread that lives as long as the process: to Linux the parent is the thread.
    With `uid` and `gid` (which takes root) the program runs as that account, in the root directory.
    """
    account = "-" if uid is None or gid is None else f"{uid}:{gid}"
    launcher = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*launcher, str(os.getpid()), str(int(death_signal)), account, *command]


def _become_account(account: str) -> None:
    uid, gid = (int(part) for part in account.split(":"))
    os.chdir("/")  # the account may not be allowed where the parent stands
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _tie_to_parent(parent: int, death_signal: int) -> None:
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent died before the program began")


def main() -> None:
    """Change the account, tie the knot, become the program: in this order, since a new account unties it."""
    parent, death_signal, account, *command = sys.argv[1:]
    if account != "-":
        _become_account(account)
    _tie_to_parent(int(parent), int(death_signal))
    os.execv(command[0], command)  # noqa: S606 - what it is for


if __name__ == "__main__":
    main()
