"""Many installs at once, and upgrades under those who read: what that costs a service, and what readers see of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
from millwright_local.stack import Stack

from tests.bench.figures import Figure, latencies
from tests.bench.modules_client import BENCH, SMALL, Client, package

INSTALLS = 20
UPGRADES = 100
READERS = 2
PAGE_ALONE = (105, 100_000)
MOST_MEBIBYTES = 512.0
_SAMPLE_SECONDS = 0.02
_MEBIBYTE = 1 << 20


@dataclass(slots=True)
class Peak:
    """The most memory that a service had; its builds have limits of their own."""

    mebibytes: float = 0.0


async def installs_at_once(stack: Stack, client: Client) -> Sequence[Figure]:
    """Install modules one at a time, and then as many at once; each is another module."""
    alone = [package("1.0.0", SMALL, f"alone-{number}") for number in range(INSTALLS)]
    together = [package("1.0.0", SMALL, f"together-{number}") for number in range(INSTALLS)]
    async with _watched(stack) as usual:
        begin = time.perf_counter()
        for data in alone:
            await client.install(data)
        slow = time.perf_counter() - begin
    async with _watched(stack) as peak:
        begin = time.perf_counter()
        await asyncio.gather(*map(client.install, together))
        quick = time.perf_counter() - begin
    what, peer = f"{INSTALLS} installs of 5 MB at once", "one at a time"
    return [
        Figure(BENCH, f"{what}, all completed", INSTALLS / quick, "1/s", peer, INSTALLS / slow),
        Figure(BENCH, f"{what}, memory at most", peak.mebibytes, "MiB", peer, usual.mebibytes, most=MOST_MEBIBYTES),
    ]


async def upgrades_under_reads(client: Client) -> Sequence[Figure]:
    """Upgrade a module again and again while its page is read: each read is of one version, and none fails."""
    code = "upgraded"
    await client.install(package("1.0.0", PAGE_ALONE, code, is_marked=True))
    seconds: list[float] = []

    async def read_on() -> None:
        while True:
            begin = time.perf_counter()
            version, page = await client.read_page(code)
            seconds.append(time.perf_counter() - begin)
            assert f'"{version}"'.encode() in page, f"a page of {version} is of another version"

    async with asyncio.TaskGroup() as group:  # a read that fails ends the bench
        reading = [group.create_task(read_on()) for _ in range(READERS)]
        for number in range(1, UPGRADES + 1):
            await client.install(package(f"1.{number}.0", PAGE_ALONE, code, is_marked=True))
        for task in reading:
            task.cancel()
    return [
        Figure(BENCH, f"pages read during {UPGRADES} upgrades, none refused or mixed", len(seconds), ""),
        *latencies(BENCH, "page read during upgrades", seconds),
    ]


@asynccontextmanager
async def _watched(stack: Stack) -> AsyncIterator[Peak]:
    """Give the peak of the service's memory, which is known afterwards."""
    process = stack.services["modules"].process
    assert process
    service, peak = psutil.Process(process.pid), Peak()

    async def look() -> None:
        while True:
            peak.mebibytes = max(peak.mebibytes, service.memory_info().rss / _MEBIBYTE)
            await asyncio.sleep(_SAMPLE_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield peak
    finally:
        looking.cancel()
