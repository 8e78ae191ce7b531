"""What is done to the world, and when: a plan made from a seed, and the harms it is made of."""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random

from millwright_local.services import SERVICES, named

from tests.chaos.book import Book, party_of
from tests.chaos.world import CROSSING, World

FIRST_SECONDS = 2.0
GAP_SECONDS = (0.5, 4.0)
LENGTH_SECONDS = (0.5, 6.0)
SLOW_LINK_SECONDS = 0.02
SLOW_FLUSH_MILLISECONDS = 50


@asynccontextmanager
async def kill(world: World, target: str) -> AsyncIterator[None]:
    """End a process as a power cut would (SIGKILL), and start it again afterwards."""
    await world.servers[target].kill()
    yield
    await world.servers[target].start()


@asynccontextmanager
async def kill_all(world: World, target: str) -> AsyncIterator[None]:
    """End all replicas of a service at once."""
    replicas = world.replicas(target).values()
    await asyncio.gather(*(replica.kill() for replica in replicas))
    yield
    await asyncio.gather(*(replica.start() for replica in replicas))


@asynccontextmanager
async def freeze(world: World, target: str) -> AsyncIterator[None]:
    """Stop a process where it is (SIGSTOP), and let it go on afterwards."""
    world.servers[target].freeze()
    yield
    world.servers[target].thaw()


@asynccontextmanager
async def restart(world: World, target: str) -> AsyncIterator[None]:
    """Stop a process as its operator would, and start it again afterwards."""
    await world.servers[target].stop()
    yield
    await world.servers[target].start()


@asynccontextmanager
async def wipe(world: World, target: str) -> AsyncIterator[None]:
    """Kill a server and take away all that it has kept."""
    await world.servers[target].kill()
    if target == "nats":
        await asyncio.to_thread(shutil.rmtree, world.nats.directory / "jetstream", ignore_errors=True)
    yield
    await world.servers[target].start()


@asynccontextmanager
async def cut(world: World, target: str) -> AsyncIterator[None]:
    """Let nothing pass over a link, without a word to either side."""
    world.links[target].cut()
    yield
    world.links[target].mend()


@asynccontextmanager
async def reset(world: World, target: str) -> AsyncIterator[None]:
    """End every connection of a link, at its begin and at its end."""
    world.links[target].reset()
    yield
    world.links[target].reset()


@asynccontextmanager
async def slow(world: World, target: str) -> AsyncIterator[None]:
    """Let everything take long over a link."""
    world.links[target].delay_seconds = SLOW_LINK_SECONDS
    yield
    world.links[target].mend()


@asynccontextmanager
async def slow_disk(world: World, target: str) -> AsyncIterator[None]:
    """Let every flush of the database's log take long."""
    assert target == "postgres"
    await world.slow_the_disk(SLOW_FLUSH_MILLISECONDS)
    yield
    await world.slow_the_disk(0)


REPLICAS = tuple(name for service in SERVICES for name in (service.name, f"{service.name}-2"))
LINKS = tuple(f"{replica}-{server}" for replica in REPLICAS for server in ("postgres", "valkey", "nats"))
CALLS = tuple(f"{replica}-{peer}" for replica in (CROSSING, f"{CROSSING}-2") for _, peer in named(CROSSING).calls)
KINDS: dict[str, tuple[Callable[[World, str], AbstractAsyncContextManager[None]], Sequence[str], int]] = {
    "kill": (kill, REPLICAS, 5),
    "kill all": (kill_all, tuple(service.name for service in SERVICES), 2),
    "freeze": (freeze, REPLICAS, 4),
    "restart": (restart, REPLICAS, 2),
    "cut": (cut, LINKS, 4),
    "reset": (reset, LINKS, 2),
    "slow": (slow, LINKS, 2),
    "cut call": (cut, CALLS, 3),
    "reset call": (reset, CALLS, 2),
    "slow call": (slow, CALLS, 1),
    "slow disk": (slow_disk, ("postgres",), 1),
    "kill server": (kill, ("postgres", "valkey", "nats"), 3),
    "freeze server": (freeze, ("postgres", "valkey", "nats"), 2),
    "restart server": (restart, ("postgres", "valkey", "nats"), 1),
    "wipe server": (wipe, ("valkey", "nats"), 1),
}
"""By name: the harm, what it may be done to, and how often it comes compared with the others."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the plan."""

    begin_seconds: float
    seconds: float
    kind: str
    target: str

    @property
    def party(self) -> str:
        """The service, or the server, that is harmed."""
        return party_of(self.target)


def plan(seed: int, seconds: float) -> list[Fault]:
    """Make a plan: faults that follow one another and overlap."""
    chance = Random(f"faults {seed}")
    faults: list[Fault] = []
    at = FIRST_SECONDS
    while at < seconds:
        kind = chance.choices(list(KINDS), [weight for *_, weight in KINDS.values()])[0]
        faults.append(Fault(at, chance.uniform(*LENGTH_SECONDS), kind, chance.choice(KINDS[kind][1])))
        at += chance.uniform(*GAP_SECONDS)
    return faults


async def do(faults: Sequence[Fault], world: World, book: Book, seconds: float) -> None:
    """Do the plan, and return once all that was harmed is mended.

    A fault waits until its service, or its server, is whole again; if it waits until the end, it does not take place.
    """
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def do_one(fault: Fault) -> None:
        await asyncio.sleep(max(0.0, fault.begin_seconds - book.now))
        turn = turns[fault.party]
        has_waited = turn.locked()
        async with turn:
            if not has_waited or book.now < seconds:
                await _harm(fault, world, book)

    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(do_one(fault))


async def _harm(fault: Fault, world: World, book: Book) -> None:
    begin, *_ = KINDS[fault.kind]
    harm = book.open_harm(fault.kind, fault.target)
    async with begin(world, fault.target):
        await asyncio.sleep(fault.seconds)
    book.close_harm(harm)
