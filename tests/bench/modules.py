"""How long installs, rollbacks and their news take; the peer of a large install is `unzip` and esbuild by themselves.

Packages are unpacked in memory, the peer's too: where many files were removed within minutes, ext4 is several times
slower to make new ones. What Postgres keeps of a package is flushed to disk, and the peer keeps nothing.

The news is timed from an event's `event_time`, when it was written, just before the commit. All clocks are this
machine's.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from millwright.modules.v1 import operation_pb2
from millwright_local.processes import Process
from millwright_local.scratch import scratch_directory
from millwright_local.stack import TENANT, Stack
from millwright_modules.archive import extraction, index
from millwright_modules.archive.limits import Limits
from millwright_modules.building import command, toolchain
from nats.aio.msg import Msg

from tests.bench.figures import Figure, latencies, percentile
from tests.bench.modules_client import BENCH, SMALL, Client, package
from tests.bench.modules_load import installs_at_once, upgrades_under_reads
from tests.bench.rig import fresh_stack

PEER = "unzip and a bare esbuild"
LARGE = (10_000, 100 << 20)
INSTALLS = 20
MOVES = 100
ROUNDS = 5
MOVE_MILLISECONDS = 50.0
NEWS_MILLISECONDS = 200.0
SILENCE_SECONDS = 1.0
LARGE_RATIO, READER_RATIO = 2.0, 1.2


async def modules() -> AsyncIterator[Figure]:
    """Install small modules and a large one, and go back and forth between two versions."""
    async with _stack() as stack, Client(stack) as client:
        assert stack.nats is not None
        async with _news(stack.nats.url) as heard:
            small = [await client.install(package(f"1.{number}.0", SMALL)) for number in range(INSTALLS)]
        for figure in (
            *latencies(BENCH, "install of 5 MB in 300 files", [one.seconds for one in small]),
            *latencies(BENCH, "event to watch", [each for one in small for each in one.news],
                       most_milliseconds=NEWS_MILLISECONDS),
            *latencies(BENCH, "event to NATS", heard, most_milliseconds=NEWS_MILLISECONDS),
        ):  # fmt: skip
            yield figure
        for figure in await _move(client):
            yield figure
        for figure in await _install_large(client):
            yield figure
        for figure in await installs_at_once(stack, client):
            yield figure
        for figure in await upgrades_under_reads(client):
            yield figure
    for figure in await asyncio.to_thread(_read):
        yield figure


@asynccontextmanager
async def _stack() -> AsyncIterator[Stack]:
    """Start a stack that unpacks packages in memory."""
    with scratch_directory() as room:
        async with fresh_stack() as stack:
            stack.services["modules"].change_settings({"WORK_DIRECTORY": str(room)})
            await stack.services["modules"].restart()
            yield stack


@asynccontextmanager
async def _news(url: str) -> AsyncIterator[list[float]]:
    heard: list[float] = []

    async def hear(message: Msg) -> None:
        event = json.loads(message.data)
        told = operation_pb2.OperationEvent()
        told.event_time.FromJsonString(event["eventTime"])
        heard.append(time.time() - told.event_time.ToNanoseconds() / 1e9)

    connection = await nats.connect(url)
    await connection.subscribe(f"millwright.{TENANT}.modules.progress.>", cb=hear)
    try:
        yield heard
    finally:
        await connection.close()


async def _move(client: Client) -> Sequence[Figure]:
    """Go back and forth while the page is read all the time: a read that fails ends the bench."""
    reads = 0

    async def read() -> None:
        nonlocal reads
        while True:
            await client.read_page()
            reads += 1

    reading = asyncio.create_task(read())
    seconds = [await client.roll_back(f"1.{number % 2}.0") for number in range(MOVES)]
    if reading.done():
        await reading
    reading.cancel()
    return [
        *latencies(BENCH, "rollback", seconds, most_milliseconds=MOVE_MILLISECONDS),
        Figure(BENCH, "assets read meanwhile, none refused", reads, ""),
    ]


async def _install_large(client: Client) -> Sequence[Figure]:
    data = package("2.0.0", LARGE)
    peer = await _by_hand(data)
    watched = await client.install(data)
    return [
        Figure(BENCH, "install of 100 MB in 10,000 files", watched.seconds, "s", PEER, peer, most_ratio=LARGE_RATIO),
        Figure(BENCH, "longest silence meanwhile", watched.silence, "s", most=SILENCE_SECONDS),
    ]


async def _by_hand(data: bytes) -> float:
    esbuild, unzip = toolchain.find(), shutil.which("unzip")
    assert unzip, "the peer needs unzip"
    with scratch_directory() as directory:
        packed = directory / "package.zip"
        packed.write_bytes(data)
        begin = time.perf_counter()
        source = directory / command.SOURCE
        log = directory / "log"
        await Process("unzip", [unzip, "-q", str(packed), "-d", str(source)], log=log).run(60)
        called = [str(esbuild.path), str(source / "src/page.tsx"), "--bundle", "--format=esm", "--external:react"]
        called += ["--external:react/jsx-runtime", "--jsx=automatic", "--minify", f"--outdir={directory / 'out'}"]
        await Process("esbuild", called, log=log).run(60)
        return time.perf_counter() - begin


def _read() -> Sequence[Figure]:
    """Unpack the same archive by the strict reader and by `zipfile`, by turns."""
    data = package("3.0.0", (2000, 50 << 20))
    ours, theirs = [], []
    with scratch_directory() as directory:
        packed = directory / "package.zip"
        packed.write_bytes(data)
        for number in range(ROUNDS):
            ours.append(_timed_strict(packed, directory / f"ours-{number}"))
            theirs.append(_timed_zipfile(packed, directory / f"theirs-{number}"))
    times = percentile(ours, 50), percentile(theirs, 50)
    return [Figure(BENCH, "unpacking 50 MB p50", times[0], "s", "zipfile", times[1], most_ratio=READER_RATIO)]


def _timed_strict(packed: Path, target: Path) -> float:
    begin = time.perf_counter()
    with packed.open("rb") as file:
        listed = index.read(file.fileno(), Limits())
        extraction.extract(file.fileno(), listed, target, lambda _bytes, _files: None)
    return time.perf_counter() - begin


def _timed_zipfile(packed: Path, target: Path) -> float:
    begin = time.perf_counter()
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(target)
    return time.perf_counter() - begin
