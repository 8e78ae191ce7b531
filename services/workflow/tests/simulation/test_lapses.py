"""What a dead process owned is taken over as soon as its lease has ended, on a clock that is virtual."""

import asyncio
import uuid
from datetime import UTC, datetime
from functools import partial

import pytest
from millwright_workflow.domain import partitions
from millwright_workflow.engine.running.holdings import LEASE, Holdings
from workflow_simulation.database import MemoryDatabase
from workflow_simulation.loop import Host, VirtualLoop
from workflow_simulation.process import VirtualClock
from workflow_simulation.storage import MemoryStorage, Network
from workflow_simulation.transactions import Transactions

STATEMENT_SECONDS = 0.001
SOON_SECONDS = 0.1


class Lodger:
    """Notes when partitions come to it."""

    def __init__(self, loop) -> None:
        self._loop = loop
        self.gains: list[tuple[float, int]] = []

    async def move_in(self, gained) -> None:
        self.gains.append((self._loop.time(), len(gained)))

    async def vacate(self, given) -> None:
        """Nothing runs here."""

    def abandon(self, lost) -> None:
        """Nothing runs here."""


@pytest.fixture
def loop():
    """A virtual loop, and nobody on it."""
    loop = VirtualLoop()
    yield loop
    loop.end()


@pytest.mark.parametrize("kill_time", [10.0, 10.3, 10.5, 10.9])
def test_the_heir_looks_when_the_lease_of_the_dead_ends_and_not_a_pass_later(loop, kill_time) -> None:
    database = MemoryDatabase(loop.time, partial(datetime.now, UTC))
    transactions = Transactions(lambda: STATEMENT_SECONDS)
    hosts, lodgers = [Host("victim"), Host("heir")], [Lodger(loop), Lodger(loop)]
    victim = uuid.UUID(int=1)

    async def live() -> None:
        for number, (host, lodger) in enumerate(zip(hosts, lodgers, strict=True), 1):
            storage = MemoryStorage(database, transactions, Network())
            host.spawn(Holdings(storage, uuid.UUID(int=number), VirtualClock(loop)).run(lodger))
            await asyncio.sleep(0.37)
        await asyncio.sleep(kill_time - loop.time())
        hosts[0].kill()
        await asyncio.sleep(LEASE.total_seconds() + 2.0)

    loop.run_until_complete(live())
    time, count = lodgers[1].gains[-1]
    assert count == partitions.COUNT // 2
    assert database.workers[victim] <= time <= database.workers[victim] + SOON_SECONDS
