"""A world made by a seed: processes that share a database, callers, and a nemesis that harms them all.

Faults stop after some seconds. From then on everything must come to rest: every instance ends, every partition has an
owner, and shares are fair.
"""

import asyncio
import logging
import random
import sys
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from millwright_workflow.domain.compensation import CompensationState
from millwright_workflow.domain.instances import Instance, State
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.worker import Worker

from workflow_simulation import workflows
from workflow_simulation.database import MemoryDatabase
from workflow_simulation.loop import Standstill, VirtualLoop
from workflow_simulation.process import (
    Plant,
    Process,
    VirtualClock,
    Weather,
    WitnessedStorage,
    WitnessedWriter,
)
from workflow_simulation.storage import Network
from workflow_simulation.transactions import Body, Transactions
from workflow_simulation.witness import Witness

TENANT = "plant"
REST_SECONDS = 60.0
"""How long after the last fault all may take to come to rest: leases, an audit, calls and waits."""
WELL_SECONDS = 8.0
POLICIES = (RunPolicy.DRAIN, RunPolicy.PAUSE, RunPolicy.CANCEL, RunPolicy.CANCEL_COMPENSATE)


@dataclass(frozen=True)
class Parts:
    """What the processes are made of. A mutant takes the place of one of them."""

    storage: type[WitnessedStorage] = WitnessedStorage
    database: type[MemoryDatabase] = MemoryDatabase
    holdings: type[Holdings] = Holdings
    writer: type[WitnessedWriter] = WitnessedWriter
    worker: type[Worker] = Worker
    plant: type[Plant] = Plant


@dataclass(frozen=True)
class Outcome:
    """What became of a world."""

    seed: int
    broken: list[str]
    seconds: float
    results: int
    trace: list[tuple[float, str, tuple[Any, ...]]]
    names: dict[uuid.UUID, str]

    def __str__(self) -> str:
        """Tell the course of it, so that a person can follow."""
        lines = [f"seed {self.seed}: {'; '.join(self.broken) or 'all well'}"]
        lines += [f"{time:9.3f}  {what:<10} {self._described(details)}" for time, what, details in self.trace]
        return "\n".join(lines)

    def _described(self, details: tuple[Any, ...]) -> str:
        return " ".join(self.names.get(it, str(it)) if isinstance(it, uuid.UUID) else str(it) for it in details)


class World:
    """Everything there is."""

    def __init__(self, seed: int, parts: Parts) -> None:
        self.dice = Random(seed)
        self.parts = parts
        self.loop = VirtualLoop(self.dice if self.dice.random() < 0.5 else None)
        self.weather = Weather()
        server_clock = VirtualClock(self.loop)
        self.database = parts.database(self.loop.time, server_clock.now)
        self.transactions = Transactions(self._statement_seconds)
        self.witness = Witness(self.database, self.loop.time, self.is_well)
        self.plant = parts.plant(self.witness, self.dice)
        self.cache: dict[Any, Any] = {}
        self.processes: list[Process] = []
        self._is_slow = self.dice.random() < 0.5
        self._trouble_time = 0.0
        self._now = server_clock.now
        self._tasks: list[asyncio.Task[Any]] = []

    async def live(self) -> None:
        """Let the world have its course."""
        for _ in range(self.dice.randint(1, 3)):
            self.join()
        for kind in range(len(workflows.LINES)):
            await self.commit(self.database.point(self._channel(kind), 1))
        callers = asyncio.create_task(self._call())
        await self._harm(self.dice.uniform(2.0, 12.0))
        self._calm()
        await callers
        await self._rest()

    def join(self) -> None:
        """Start one more process."""
        process = Process(f"p{len(self.processes) + 1}", self, self.dice.choice((0.0, 0.0, 0.4, -0.7)))
        self.processes.append(process)
        self.witness.tell("joined", process.name)
        process.start()

    async def commit(self, body: Body) -> Any:
        """Do what a caller wants, over a good network; where the server is gone, it is not done."""
        with suppress(ConnectionResetError):
            return await Network().carry(self.transactions, body)

    @property
    def serving(self) -> list[Process]:
        """The processes that run."""
        return [process for process in self.processes if process.is_serving]

    def is_well(self, worker: uuid.UUID) -> bool:
        """Tell whether nothing has kept a process from its work for so long that it must have its lease."""
        if self.weather.loss or self.weather.is_down:
            return False
        return any(
            process.id == worker
            and process.is_serving
            and not process.is_frozen
            and not process.network.is_cut
            and self.loop.time() - max(process.trouble_time, self._trouble_time) > WELL_SECONDS
            for process in self.processes
        )

    def _statement_seconds(self) -> float:
        return self.dice.expovariate(10.0) if self._is_slow and self.dice.random() < 0.2 else 0.0

    def _channel(self, kind: int) -> tuple[str, str, str]:
        return TENANT, f"plant.line-{kind}", "prod"

    # Callers.

    async def _call(self) -> None:
        kinds = self.dice.sample(range(len(workflows.LINES)), 3)
        for _ in range(self.dice.randint(3, 6)):
            kind = self.dice.choice(kinds)
            await self._start(kind)
            if self.dice.random() < 0.4:
                await self._soon(self._roll_back(kind))
            await asyncio.sleep(self.dice.expovariate(1.5))
        for _ in range(self.dice.randrange(4)):
            await self.dice.choice((self._cancel, self._pause, self._roll_back, self._start))(self.dice.choice(kinds))
            await asyncio.sleep(self.dice.expovariate(1.0))

    async def _soon(self, act: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(self.dice.uniform(0.0, 0.6))
        await act

    async def _start(self, kind: int) -> None:
        version = 1 if self.dice.random() < 0.1 else None
        instance = Instance(
            tenant=TENANT,
            instance=uuid.UUID(int=self.dice.getrandbits(128)),
            workflow=f"plant.line-{kind}",
            channel=None if version else "prod",
            version=version,
            state=State.PENDING,
            input={"order": 4711},
            output=None,
            error=None,
            cancel_reason=None,
            finished_tasks=0,
            sequence=1,
            creator="somebody",
            create_time=self._now(),
            start_time=None,
            end_time=None,
        )
        self.witness.tell("started", f"i{instance.instance.int % 10_000}", instance.workflow)
        await self.commit(self.database.start(instance))

    async def _cancel(self, _kind: int) -> None:
        if self.database.rows:
            key, compensates = self.dice.choice([*self.database.rows]), self.dice.random() < 0.6
            self.witness.tell("cancelled", f"i{key[1].int % 10_000}", "with undo" if compensates else "")
            await self.commit(self.database.cancel(key, "enough", compensates=compensates))

    async def _pause(self, _kind: int) -> None:
        if self.database.rows:
            await self.commit(self.database.pause(self.dice.choice([*self.database.rows]), "a moment"))

    async def _roll_back(self, kind: int) -> None:
        version = 3 - self.database.channels[self._channel(kind)][0]
        policy = self.dice.choice(POLICIES)
        await self.commit(self.database.point(self._channel(kind), version, policy))
        self.witness.tell("rolled back", kind, version, policy.value)

    async def _resume_all(self) -> None:
        for key, row in [*self.database.rows.items()]:
            if row.instance.state is State.PAUSED:
                await self.commit(self.database.resume(key))
            elif row.instance.state.is_terminal:
                await self.commit(self.database.retry_undo(key))

    # The nemesis.

    async def _harm(self, seconds: float) -> None:
        until = self.loop.time() + seconds
        while self.loop.time() < until:
            await asyncio.sleep(self.dice.expovariate(0.7))
            harms = (
                self._kill,
                self._kill,
                self._freeze,
                self._freeze,
                self._leave,
                self._join_one,
                self._join_one,
                self._storm,
                self._outage,
                self._cut,
                self._jump,
            )
            self.dice.choice(harms)()

    def _calm(self) -> None:
        self.weather.loss = self.weather.slowness = 0.0
        self.weather.is_down = self._is_slow = False
        self._trouble_time = self.loop.time()
        for process in self.processes:
            process.network.is_cut = False
            if process.is_frozen and not process.is_dead:
                process.thaw(self.loop)
        if not self.serving:
            self.join()
        self.witness.tell("calm")

    def _one(self) -> Process | None:
        return self.dice.choice(self.serving) if self.serving else None

    def _kill(self) -> None:
        if process := self._one():
            self.witness.tell("killed", process.name)
            process.kill()
            self._later(self.join)

    def _freeze(self) -> None:
        if (process := self._one()) and not process.is_frozen:
            self.witness.tell("frozen", process.name)
            process.freeze()
            self._later(
                self._thaw,
                process,
                seconds=self.dice.choice((1.0, self.dice.uniform(4.0, 5.5), self.dice.uniform(4.0, 5.5), 8.0)),
            )

    def _thaw(self, process: Process) -> None:
        if process.is_frozen and not process.is_dead:
            self.witness.tell("thawed", process.name)
            process.thaw(self.loop)
            process.trouble_time = self.loop.time()

    def _leave(self) -> None:
        if (process := self._one()) and not process.is_frozen:
            self.witness.tell("leaves", process.name)
            process.leave()
            self._later(self.join)

    def _join_one(self) -> None:
        if len(self.serving) < 3:
            self.join()

    def _storm(self) -> None:
        self.weather.loss, self.weather.slowness = self.dice.choice(((0.02, 0.1), (0.1, 0.2), (0.3, 0.3)))
        self.witness.tell("storm", self.weather.loss)

    def _outage(self) -> None:
        self.witness.tell("outage")
        self.weather.is_down = True
        self.transactions.abort_all(lambda: ConnectionResetError("the server is gone"))
        self._later(self._recover, seconds=self.dice.uniform(0.1, 6.0))

    def _recover(self) -> None:
        self.weather.is_down = False
        self._trouble_time = self.loop.time()

    def _cut(self) -> None:
        if process := self._one():
            self.witness.tell("cut off", process.name)
            process.network.is_cut = True
            self._later(self._mend, process, seconds=self.dice.uniform(0.5, 8.0))

    def _mend(self, process: Process) -> None:
        process.network.is_cut = False
        process.trouble_time = self.loop.time()

    def _jump(self) -> None:
        if process := self._one():
            process.clock.skew += self.dice.choice((-5.0, 2.0, 5.0))
            self.witness.tell("clock jumps", process.name, process.clock.skew)

    def _later(self, act: Any, *args: Any, seconds: float | None = None) -> None:
        delay = self.dice.expovariate(1.0) if seconds is None else seconds
        self.loop.call_later(delay, self._unless_calm, act, args)

    def _unless_calm(self, act: Any, args: tuple[Any, ...]) -> None:
        if act != self.join or len(self.serving) < 3:
            act(*args)

    # Rest.

    async def _rest(self) -> None:
        until = self.loop.time() + REST_SECONDS
        while not self._is_at_rest() and self.loop.time() < until and not self.witness.broken:
            await self._resume_all()
            await asyncio.sleep(1.0)
        if self.witness.broken:
            return
        self.witness.check_end(lambda part: any(process.owns(part) for process in self.serving))
        shares = [process.share for process in self.serving]
        if max(shares) - min(shares) > 1:
            self.witness.complain(f"shares are {shares}")

    def _is_at_rest(self) -> bool:
        shares = [process.share for process in self.serving]
        has_ended = all(has_come_to_its_end(row.instance) for row in self.database.rows.values())
        return has_ended and sum(shares) == 64 and max(shares) - min(shares) <= 1


def has_come_to_its_end(instance: Instance) -> bool:
    """Tell whether an instance has ended, and nothing of it is left half undone."""
    known = instance.compensation
    return instance.state.is_terminal and (known is None or known.state is CompensationState.COMPLETED)


def simulate(seed: int, parts: Parts = Parts()) -> Outcome:
    """Let the world of a seed have its course."""
    logging.disable(logging.CRITICAL)
    hook, sys.unraisablehook = sys.unraisablehook, lambda _unraisable: None
    random.seed(seed)
    world = World(seed, parts)
    try:
        _run(world.loop, world.live(), world.witness)
    finally:
        world.loop.end()
        sys.unraisablehook = hook
        logging.disable(logging.NOTSET)
    names = {process.id: process.name for process in world.processes}
    results = sum(len(row.results) for row in world.database.rows.values())
    return Outcome(seed, world.witness.broken, world.loop.time(), results, world.witness.trace, names)


def _run(loop: VirtualLoop, life: Coroutine[Any, Any, None], witness: Witness) -> None:
    try:
        loop.run_until_complete(life)
    except Standstill:
        witness.complain("nobody will ever run again")
