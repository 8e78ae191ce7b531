"""The peer of `engine`: DBOS Transact in a process of its own. `python -m tests.bench.dbos_peer DATABASE_URL KIND`.

For each line `CONCURRENCY WORKFLOWS` on its input, it runs so many workflows of ten steps and prints one JSON list:
begin and end of every step, in seconds. Its workflows are started in the process and not over a network.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig

from tests.bench.backlog import PAYLOAD, TASKS

CONNECTIONS = {"threads": 20, "async": 50}
"""What each kind is fastest with at 100 workflows at once."""
Times = list[tuple[float, float]]


@DBOS.step()
def note() -> str:
    """Give the payload."""
    return PAYLOAD


@DBOS.step()
async def note_async() -> str:
    """Give the payload."""
    return PAYLOAD


@DBOS.workflow()
def notes() -> Times:
    """Take all steps, one after the other."""
    times = []
    for _ in range(TASKS):
        begin = time.perf_counter()
        note()
        times.append((begin, time.perf_counter()))
    return times


@DBOS.workflow()
async def notes_async() -> Times:
    """Take all steps, one after the other."""
    times = []
    for _ in range(TASKS):
        begin = time.perf_counter()
        await note_async()
        times.append((begin, time.perf_counter()))
    return times


def in_threads(concurrency: int, workflows: int) -> list[Times]:
    """Run workflows, each in a thread."""
    with ThreadPoolExecutor(concurrency) as threads:
        return list(threads.map(lambda _: notes(), range(workflows)))


async def in_loop(concurrency: int, workflows: int) -> list[Times]:
    """Run workflows on one event loop."""
    room = asyncio.Semaphore(concurrency)

    async def run() -> Times:
        async with room:
            return await notes_async()

    return await asyncio.gather(*(run() for _ in range(workflows)))


def serve(url: str, kind: str) -> None:
    """Answer line by line until the input ends."""
    connections = CONNECTIONS[kind]
    DBOS(config=DBOSConfig(name="peer", system_database_url=url, sys_db_pool_size=connections, log_level="ERROR"))
    DBOS.launch()
    with asyncio.Runner() as loop:
        for line in sys.stdin:
            concurrency, workflows = map(int, line.split())
            if kind == "threads":
                runs = in_threads(concurrency, workflows)
            else:
                runs = loop.run(in_loop(concurrency, workflows))
            print(json.dumps([times for run in runs for times in run]), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    serve(*sys.argv[1:])
