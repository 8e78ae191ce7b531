"""`python -m tests.soak [--minutes N | --overload] [--docs DIRECTORY]`: soaks or overloads a stack; writes a page."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import nats
import uvloop
from millwright_local.databases import DATABASE
from millwright_local.scratch import scratch_directory
from millwright_local.stack import Stack

from tests.soak.mix import Mix, token_of
from tests.soak.overload import Overload, overload
from tests.soak.page import Soak, write, write_overload
from tests.soak.samples import Samples

MeasuredT = TypeVar("MeasuredT")
KEPT = Path(".millwright") / "soak"
CAPACITY_SECONDS = 15.0
CALLERS = 32
SHARE = 0.5
ROUND_SECONDS = 10.0
OVERLOAD_SECONDS = 30.0
EVENTS_SECONDS = 600.0
LOGS = {"EVENT_RETENTION_DAYS": "1", "EVENT_LOG_RETENTION_DAYS": "1", "AUDIT_RETENTION_DAYS": "90"}
RETENTION = {
    "workflow": {"INSTANCE_RETENTION_DAYS": "1"},
    "judgment": {"EXECUTION_RETENTION_DAYS": "1"},
    "etl": {"RUN_RETENTION_DAYS": "1"},
    "modules": {"OPERATION_RETENTION_DAYS": "1"},
}
"""As short as it can be, of each service beside `LOGS`."""
# What ended five minutes ago is as old as what is removed: so an hour shows what retention does in days. What is kept
# by the day, logs and judgments, goes with its day, which no hour shows.
AGE = """
UPDATE {table} SET end_time = end_time - interval '{days} days'
WHERE end_time BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() - interval '5 minutes'
"""
AGED = {"workflow.instance": 2, "judgment.replay": 31, "etl.run": 2, "modules.operation": 2}
"""By table: how many days older it becomes."""


def main() -> None:
    """Soak or overload, write the page, and exit with 1 if something grows or breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soak Millwright, or overload it.")
    parser.add_argument("--overload", action="store_true", help="overload it instead")
    parser.add_argument("--minutes", type=_minutes, default=60.0, help="for how long, at least 1; 60 by default")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the page and its plots go")
    options = parser.parse_args()
    logs = KEPT / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    if options.overload:
        overloaded = uvloop.run(measure(logs, _overload))
        write_overload(overloaded, options.docs)
        sys.exit("\n".join(overloaded.violations) or 0)
    soaked = uvloop.run(measure(logs, partial(_soak, seconds=options.minutes * 60), has_rare=True))
    write(soaked, options.docs)
    sys.exit("\n".join(soaked.violations) or 0)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 1 <= minutes < float("inf"):
        message = "a soak of less than a minute measures nothing"
        raise argparse.ArgumentTypeError(message)
    return minutes


async def measure(
    logs: Path, what: Callable[[Stack, Mix], Awaitable[MeasuredT]], *, has_rare: bool = False
) -> MeasuredT:
    """Measure a stack of its own, once everything is loaded, connected and made. Its logs are kept."""
    with scratch_directory(on_disk=True) as home:
        stack = Stack(home, free_ports=True, environment={})
        for name, settings in RETENTION.items():
            stack.services[name].change_settings(LOGS | settings)
        with keeping(stack.logs, logs):
            async with stack, Mix(stack.endpoints, token_of(stack), 1, has_rare=has_rare) as mix:
                await mix.prepare()
                await mix.capacity(CAPACITY_SECONDS / 3, CALLERS)
                return await what(stack, mix)


@contextmanager
def keeping(logs: Path, kept: Path) -> Iterator[None]:
    """Keep logs, however the block ends."""
    try:
        yield
    finally:
        shutil.copytree(logs, kept)


async def _soak(stack: Stack, mix: Mix, seconds: float) -> Soak:
    """Call for so long at half of what can be served."""
    await _shorten(stack)
    capacity = await mix.capacity(CAPACITY_SECONDS, CALLERS)
    samples = Samples(stack)
    before = len(mix.outcomes)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.gather(mix.at(capacity * SHARE, ROUND_SECONDS), _age(stack))
        await samples.take(len(mix.outcomes))
    return Soak(seconds, capacity, mix.outcomes[before:], samples)


async def _overload(stack: Stack, mix: Mix) -> Overload:
    capacity = await mix.capacity(CAPACITY_SECONDS, CALLERS)
    return await overload(stack, mix, capacity, OVERLOAD_SECONDS)


async def _shorten(stack: Stack) -> None:
    """Have NATS keep events for minutes instead of days."""
    assert stack.nats
    connection = await nats.connect(stack.nats.url)
    context = connection.jetstream()
    for stream in await context.streams_info():
        await context.update_stream(replace(stream.config, max_age=EVENTS_SECONDS))
    await connection.close()


async def _age(stack: Stack) -> None:
    assert stack.postgres
    async with stack.postgres.connect(DATABASE) as connection:
        for table, days in AGED.items():
            await connection.execute(AGE.format(table=table, days=days))


if __name__ == "__main__":
    main()
