"""`python -m tests.soak [--minutes N] [--docs DIRECTORY]`: soaks a stack, overloads it, and writes the page."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nats
import uvloop
from millwright_local.databases import DATABASE
from millwright_local.scratch import scratch_directory
from millwright_local.stack import Stack

from tests.soak.mix import Mix, token_of
from tests.soak.overload import overload
from tests.soak.page import Soak, write
from tests.soak.samples import Samples

KEPT = Path(".millwright") / "soak"
CAPACITY_SECONDS = 15.0
CALLERS = 32
SHARE = 0.5
ROUND_SECONDS = 10.0
OVERLOAD_SECONDS = 30.0
EVENTS_SECONDS = 600.0
RETENTION = {"INSTANCE_RETENTION_DAYS": "1", "EVENT_LOG_RETENTION_DAYS": "1"}
# What ended five minutes ago is two days old: so an hour shows what retention does in days.
AGE = """
UPDATE workflow.instance SET end_time = end_time - interval '2 days'
WHERE end_time BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() - interval '5 minutes'
"""


def main() -> None:
    """Soak, overload, write the page, and exit with 1 if something grows or breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Soak Millwright, and then overload it.")
    parser.add_argument("--minutes", type=_minutes, default=60.0, help="for how long, at least 1; 60 by default")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the page and its plots go")
    options = parser.parse_args()
    logs = KEPT / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    soaked = uvloop.run(soak(options.minutes * 60, logs))
    write(soaked, options.docs)
    sys.exit("\n".join(soaked.violations) or 0)


def _minutes(text: str) -> float:
    minutes = float(text)
    if minutes < 1:
        message = "a soak of less than a minute measures nothing"
        raise argparse.ArgumentTypeError(message)
    return minutes


async def soak(seconds: float, logs: Path) -> Soak:
    """Soak a stack of its own for so long, at half of what it can serve; then overload it. Its logs are kept."""
    with scratch_directory(on_disk=True) as home:
        stack = Stack(home, free_ports=True, environment={})
        stack.services["workflow"].change_settings(RETENTION)
        with keeping(stack.logs, logs):
            return await _soak(stack, seconds)


@contextmanager
def keeping(logs: Path, kept: Path) -> Iterator[None]:
    """Keep logs, however the block ends."""
    try:
        yield
    finally:
        shutil.copytree(logs, kept)


async def _soak(stack: Stack, seconds: float) -> Soak:
    async with stack, Mix(stack.endpoints, token_of(stack), seed=1) as mix:
        await mix.prepare()
        await mix.capacity(CAPACITY_SECONDS / 3, CALLERS)  # everything is loaded and connected, and every stream made
        await _shorten(stack)
        capacity = await mix.capacity(CAPACITY_SECONDS, CALLERS)
        samples = Samples(stack)
        before = len(mix.outcomes)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.gather(mix.at(capacity * SHARE, ROUND_SECONDS), _age(stack))
            await samples.take(len(mix.outcomes))
        outcomes = mix.outcomes[before:]
        return Soak(seconds, capacity, outcomes, samples, await overload(stack, mix, capacity, OVERLOAD_SECONDS))


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
        await connection.execute(AGE)


if __name__ == "__main__":
    main()
