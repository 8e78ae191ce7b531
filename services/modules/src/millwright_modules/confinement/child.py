"""What the child process runs first: it confines itself, for good, and becomes the program.

If any part of it does not work, the program does not run.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from millwright_modules.confinement import kernel, landlock, seccomp

NOT_CONFINED = 125
"""How the process exits if it could not confine itself; it says why."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Take the wish in from the only argument; never come back."""
    wish: dict[str, Any] = json.loads(sys.argv[1])
    try:
        confine(wish)
        os.execve(wish["command"][0], wish["command"], {})  # noqa: S606 - what this process is for
    except (OSError, ValueError, kernel.Unavailable) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        os._exit(NOT_CONFINED)


def confine(wish: dict[str, Any]) -> None:
    """Give up, in this order, outliving the service, new privileges, resources, files and the network."""
    kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != wish["parent"]:  # it ended before the line above
        os._exit(NOT_CONFINED)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    with suppress(OSError):  # short of memory, the kernel ends this process first; it confines nothing
        Path("/proc/self/oom_score_adj").write_bytes(b"1000")
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, wish["memory_bytes"]),
        (resource.RLIMIT_CPU, wish["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, wish["file_bytes"]),
        (resource.RLIMIT_NOFILE, wish["open_files"]),
    ):
        resource.setrlimit(limit, (value, value))
    os.chdir(wish["directory"])
    landlock.restrict(
        [
            (wish["command"][0], landlock.RUN),
            *((path, landlock.READ) for path in wish["readable"]),
            *((path, landlock.WRITE) for path in wish["writable"]),
        ]
    )
    seccomp.refuse_network()


if __name__ == "__main__":
    main()
