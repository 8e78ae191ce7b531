"""`python -m tests.soak.flood RATE SECONDS SEED`: calls at a rate, or as often as it can, from a process of its own.

It says when it is ready, begins when it is told to, and waits for no answer before the next call. It shares the CPUs
with what it calls, and has them first where it may; should it not come to the rate, it tells how many it has begun.

Whoever measures how long a call takes must not be what makes it wait: so who floods is apart from who measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle

import uvloop

from tests.soak.mix import DEAR_WEIGHTS, Mix, Outcome, at

REFUSED = "RESOURCE_EXHAUSTED"
_VARIABLE = "MILLWRIGHT_FLOOD"
_AT_ONCE = 2_000
"""Calls of one process that are under way, at most."""
_PROCESSES = 2
_CLIENTS = 32
"""That one process stands for: each has connections of its own."""
_NICENESS = -10
"""The time that it takes is missing to what it calls, which makes the overload worse."""


@dataclass(frozen=True, slots=True)
class Flood:
    """What became of the calls of all processes."""

    begun: int
    """Calls that were begun in the time that there was: what was asked of the services, whatever became of it."""
    codes: Counter[str]
    failures: Counter[str]
    """Those that were neither served nor refused, by kind and code."""
    unhinted: int
    """Refusals that did not say when to come again."""


def failures(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Give how many calls of which kind ended how, other than served or refused."""
    return Counter(f"{it.kind} {it.code}" for it in outcomes if it.code not in {"OK", REFUSED})


@asynccontextmanager
async def flooders(
    endpoints: Mapping[str, str], token: str, rate: float, seconds: float
) -> AsyncIterator[Sequence[Process]]:
    """Start processes that together flood at the rate, and give them once they are ready."""
    told = json.dumps({"endpoints": dict(endpoints), "token": token})
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.soak.flood", str(rate / _PROCESSES), str(seconds), str(seed)),
            env=os.environ | {_VARIABLE: told},
            stdin=PIPE,
            stdout=PIPE,
        )
        for seed in range(_PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout
            await process.stdout.readline()
        yield processes
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()


async def flood(processes: Sequence[Process]) -> Flood:
    """Flood from processes that are ready."""
    told = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    answers = [json.loads(answer) for answer, _ in told]
    codes, failures = (sum((Counter(it[key]) for it in answers), Counter[str]()) for key in ("codes", "failures"))
    begun, unhinted = (sum(answer[key] for answer in answers) for key in ("begun", "unhinted"))
    return Flood(begun, codes, failures, unhinted)


async def _flood(rate: float, seconds: float, seed: int) -> None:
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    told = json.loads(os.environ[_VARIABLE])
    async with AsyncExitStack() as stack:
        seeds = range(seed * _CLIENTS, (seed + 1) * _CLIENTS)
        mixes = [Mix(told["endpoints"], told["token"], it, DEAR_WEIGHTS) for it in seeds]
        for mix in mixes:
            await stack.enter_async_context(mix)
            await mix.start()
        _say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        end = time.monotonic() + seconds
        clients = cycle(mixes)
        outcomes = await at(rate, seconds, lambda: next(clients).one(), _AT_ONCE)
    codes = Counter(it.code for it in outcomes)
    unhinted = sum(it.code == REFUSED and not it.has_hint for it in outcomes)
    begun = sum(it.begin < end for it in outcomes)
    answer = {"begun": begun, "codes": codes, "failures": failures(outcomes), "unhinted": unhinted}
    _say(json.dumps(answer))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - whoever started it listens


if __name__ == "__main__":
    uvloop.run(_flood(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
