"""One run: a stack with what its calls are about, and what is measured while it is called."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import nats
from millwright_local.databases import DATABASE
from millwright_local.stack import Stack

from tests.soak.mix import WEIGHTS, Mix, token_of
from tests.soak.page import Soak
from tests.soak.samples import Samples

WARM_SECONDS = 5.0
CAPACITY_SECONDS = 15.0
CALLERS = 32
SHARE = 0.5
ROUND_SECONDS = 10.0
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


@asynccontextmanager
async def ready(
    home: Path,
    logs: Path,
    *,
    weights: Mapping[str, float] = WEIGHTS,
    settings: Mapping[str, str] = LOGS,
) -> AsyncIterator[tuple[Stack, Mix]]:
    """Run a stack in a directory, and give it with the calls, once what they are about is made. Its logs are kept.

    `settings` are every service's.
    """
    stack = Stack(home, free_ports=True, environment={})
    for name, retention in RETENTION.items():
        stack.services[name].change_settings({**settings, **retention})
    with _keeping(stack.logs, logs):
        async with stack, Mix(stack.endpoints, token_of(stack), 1, weights) as mix:
            await mix.prepare()
            yield stack, mix


async def capacity(mix: Mix) -> float:
    """Measure how many calls a second can be served, once everything is loaded and connected."""
    await mix.capacity(WARM_SECONDS, CALLERS)
    return await mix.capacity(CAPACITY_SECONDS, CALLERS)


async def soak(stack: Stack, mix: Mix, capacity: float, seconds: float, round_seconds: float = ROUND_SECONDS) -> Soak:
    """Call for so long at half of what can be served, and once at least in each way; take samples in between."""
    await _shorten(stack)
    samples = Samples(stack)
    before = len(mix.outcomes)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.gather(mix.at(capacity * SHARE, round_seconds), _age(stack))
        await samples.take(len(mix.outcomes))
    await mix.each()
    return Soak(seconds, capacity, mix.outcomes[before:], samples)


@contextmanager
def _keeping(logs: Path, kept: Path) -> Iterator[None]:
    """Keep logs, however the block ends."""
    try:
        yield
    finally:
        shutil.copytree(logs, kept)


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
