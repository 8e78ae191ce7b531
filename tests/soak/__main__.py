"""`python -m tests.soak [--minutes N | --overload] [--docs DIRECTORY]`: soaks or overloads a stack; writes a page."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import uvloop
from millwright_local.scratch import scratch_directory

from tests.soak.mix import ALL_WEIGHTS, DEAR_WEIGHTS
from tests.soak.overload import Overload, overload
from tests.soak.page import Soak, write, write_overload
from tests.soak.run import LOGS, capacity, ready, soak

KEPT = Path(".millwright") / "soak"
OVERLOAD_SECONDS = 30.0
CONNECTIONS = {"DATABASE_CONNECTIONS": str(min(10, 2 * (os.cpu_count() or 1)))}
"""As docs/runbook.md sizes them: of each service twice the cores of Postgres, up to the usual 10."""


def main() -> None:
    """Soak or overload, write the page, and exit with 1 if something grows or breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soak Millwright, or overload it.")
    parser.add_argument("--overload", action="store_true", help="overload it instead")
    parser.add_argument("--minutes", type=_minutes, default=60.0, help="for how long, at least 1; 60 by default")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the page and its plots go")
    options = parser.parse_args()
    logs = KEPT / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    if options.overload:
        overloaded = uvloop.run(_overload(logs))
        write_overload(overloaded, options.docs)
        sys.exit("\n".join(overloaded.violations) or 0)
    soaked = uvloop.run(_soak(logs, options.minutes * 60))
    write(soaked, options.docs)
    sys.exit("\n".join(soaked.violations) or 0)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 1 <= minutes < float("inf"):
        message = "a soak of less than a minute measures nothing"
        raise argparse.ArgumentTypeError(message)
    return minutes


async def _soak(logs: Path, seconds: float) -> Soak:
    with scratch_directory(on_disk=True) as home:
        async with ready(home, logs, weights=ALL_WEIGHTS) as (stack, mix):
            return await soak(stack, mix, await capacity(mix), seconds)


async def _overload(logs: Path) -> Overload:
    with scratch_directory(on_disk=True) as home:
        async with ready(home, logs, weights=DEAR_WEIGHTS, settings=LOGS | CONNECTIONS) as (stack, mix):
            return await overload(stack, mix, await capacity(mix), OVERLOAD_SECONDS)


if __name__ == "__main__":
    main()
