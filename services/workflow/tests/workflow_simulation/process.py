"""A process of the workflow service: the engine as `app.py` puts it together, over what the simulation gives it."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from millwright_runtime.events.signals import Signals
from millwright_runtime.loops import kept_up
from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Memory, Step, Tenure
from millwright_workflow.domain.instances import Key
from millwright_workflow.domain.interpreter import CallHttp, Evaluate, HttpAnswer
from millwright_workflow.engine.calls.http import idempotency_key
from millwright_workflow.engine.running.clock import Clock
from millwright_workflow.engine.running.driver import Caller, Means
from millwright_workflow.engine.running.run import RunFactory
from millwright_workflow.engine.running.worker import Worker
from millwright_workflow.engine.running.writer import Writer
from millwright_workflow.engine.sandbox.expressions import Expressions

from workflow_simulation.database import MemoryDatabase
from workflow_simulation.loop import NEUTRAL, Host, VirtualLoop
from workflow_simulation.storage import MemoryStorage, Network
from workflow_simulation.transactions import Body, Transactions
from workflow_simulation.witness import Witness
from workflow_simulation.workflows import NoSecrets, Plans

START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
DRAIN_SECONDS = 10.0
CALL_SECONDS = (0.01, 0.01, 0.05, 0.05, 0.3, 0.3, 1.0, 1.0, 3.0, 7.0)
EXPRESSIONS = Expressions(None)
"""Every expression here is one that needs no sandbox."""


class VirtualClock(Clock):
    """The clocks of one machine: its wall clock is wrong by `skew` seconds."""

    def __init__(self, loop: VirtualLoop, skew: float = 0.0) -> None:
        super().__init__()
        self._loop = loop
        self.skew = skew

    def wall(self) -> datetime:
        """Give what this machine takes for the time."""
        return START + timedelta(seconds=self._loop.time() + self.skew)

    def monotonic(self) -> float:
        """Give seconds since this machine began, whenever that was."""
        return self._loop.time() + 1000.0


class Weather:
    """How the network and the database fare at the moment. By chance, a call is lost on its way there or back."""

    def __init__(self) -> None:
        self.is_down = False
        self.loss = 0.0
        self.slowness = 0.0


class FaultyNetwork(Network):
    """The way of one process to the database, in the weather there is."""

    def __init__(self, host: Host, dice: Random, weather: Weather) -> None:
        self._host = host
        self._dice = dice
        self._weather = weather
        self.is_cut = False

    async def carry(self, transactions: Transactions, body: Body) -> Any:
        """Have a transaction done. Raises ConnectionResetError: then it may have been done or not."""
        loop, dice, weather = asyncio.get_running_loop(), self._dice, self._weather
        answer: asyncio.Future[Any] = loop.create_future()
        fate = dice.random()
        is_given_up = False

        def begin() -> None:
            is_gone = (self._host.is_dead or is_given_up) and fate < 0.5
            if is_gone or self.is_cut or weather.is_down or fate < weather.loss:
                settle(None, ConnectionResetError("lost on the way"))
            else:
                transactions.begin(body, settle)

        def settle(result: Any, error: BaseException | None) -> None:
            if error is None and (self.is_cut or 1.0 - fate < weather.loss):
                error = ConnectionResetError("the answer is lost")
            if 0.5 - weather.slowness < fate < 0.5:
                loop.call_later(dice.expovariate(1.0), deliver, result, error, context=NEUTRAL)
            else:
                deliver(result, error)

        def deliver(result: Any, error: BaseException | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(result)

        loop.call_later(dice.expovariate(300.0), begin, context=NEUTRAL)
        try:
            return await answer
        finally:
            is_given_up = not answer.done() or answer.cancelled()


class WitnessedStorage(MemoryStorage):
    """The storage; what it commits the witness sees in the same moment."""

    witness: Witness
    cache: dict[tuple[Key, int], Memory]
    """What Valkey has of instances, by their steps: it may lag behind, or have lost anything."""
    dice: Random

    async def recall(self, found):
        """Give what is kept, of each from the cache if it is there."""
        kept = await super().recall(found)
        cached = [self.cache.get((active.instance.key, active.step)) for active in found]
        return [
            cache if cache and self.dice.random() < 0.5 else memory for cache, memory in zip(cached, kept, strict=True)
        ]

    async def acquire(self, worker, partitions):
        """Take partitions."""

        def body() -> Body:
            before = [*self.database.owners]
            epochs = yield from self.database.acquire(worker, wanted)
            self.witness.acquired(worker, epochs, before)
            return epochs

        wanted = tuple(partitions)
        return await self._do(body())

    async def claim(self, tenure, limit):
        """Begin instances."""

        def body() -> Body:
            begun = yield from self.database.claim(sent, limit, now)
            for instance in (active.instance for active in begun):
                if instance.channel is not None:
                    channel = self.database._channel(instance)
                    self.witness.began(instance, channel, self.database.channels[channel][0])
            return begun

        sent, now = self._as_sent(tenure), self._clock.now()
        return await self._do(body())

    async def write(self, tenure, steps):
        """Write steps."""

        def body() -> Body:
            written = yield from self.database.write(sent, steps)
            self.witness.wrote(sent, [step for step in steps if step.key in written])
            for row in map(self.database.rows.__getitem__, written):
                self.cache[row.instance.key, row.step] = row.memory
            return written

        sent, steps = self._as_sent(tenure), tuple(steps)
        return await self._do(body())


class WitnessedWriter(Writer):
    """The writer; what it acknowledges the witness checks in the same moment."""

    witness: Witness

    def commit(self, step: Step) -> asyncio.Future[bool]:
        """Queue a step."""
        future = super().commit(step)

        def settled(future: asyncio.Future[bool]) -> None:
            if not future.cancelled() and future.exception() is None:
                self.witness.acknowledged(step)

        future.add_done_callback(settled)
        return future


class Plant:
    """The machines that workflows call: they take their time, and may fail the first times."""

    def __init__(self, witness: Witness, dice: Random) -> None:
        self._witness = witness
        self._dice = dice
        self._failures: dict[str, int] = {}

    def carrier(self, worker: uuid.UUID) -> Callable[[Caller, CallHttp], Any]:
        """Give what carries out the calls of a worker."""

        async def carry_out(caller: Caller, call: CallHttp) -> HttpAnswer:
            await caller.confirm()
            key = caller.instance.key
            self._witness.called(worker, key, str(call.reference), self.key_of(caller, call))
            await asyncio.sleep(self._dice.choice(CALL_SECONDS))
            if "flaky" in call.uri and self._fails(call.uri, key):
                return HttpAnswer(503, {}, b"")
            return HttpAnswer(200, {"content-type": "application/json"}, b'{"heat": 7}')

        return carry_out

    def key_of(self, caller: Caller, call: CallHttp) -> str:
        """Give the key that a call is sent with."""
        return idempotency_key(caller, call)

    def _fails(self, uri: str, key: Any) -> bool:
        name = f"{key}{uri}"
        left = self._failures.setdefault(name, self._dice.randrange(3))
        self._failures[name] = left - 1
        return left > 0


class Process(Host):
    """One process, from its start to its end. `parts` may put mutants in the place of the engine's classes."""

    def __init__(self, name: str, world: Any, skew: float) -> None:
        super().__init__(name)
        self.world = world
        self.id = uuid.UUID(int=world.dice.getrandbits(128))
        self.clock = VirtualClock(world.loop, skew)
        self.network = FaultyNetwork(self, world.dice, world.weather)
        self.tenure: Tenure | None = None
        self._main: asyncio.Task[Any] | None = None
        self._worker: Worker | None = None
        self.is_leaving = False
        self.trouble_time = world.loop.time()

    @property
    def is_serving(self) -> bool:
        """Tell whether it should have its share."""
        return not (self.is_dead or self.is_leaving)

    def start(self) -> None:
        """Begin to serve."""
        self._main = self.spawn(self._serve())

    def leave(self) -> None:
        """Drain, as on SIGTERM, and end."""
        self.is_leaving = True
        self.spawn(self._drain())

    def _compose(self) -> None:
        world, parts = self.world, self.world.parts
        storage = parts.storage(world.database, world.transactions, self.network, self.clock)
        storage.witness, storage.cache, storage.dice = world.witness, world.cache, world.dice
        holdings = parts.holdings(storage, self.id, self.clock)
        self._writer = parts.writer(storage, holdings)
        self._writer.witness = world.witness
        signals = Signals()
        carriers = {Evaluate: EXPRESSIONS.carry_out, CallHttp: world.plant.carrier(self.id)}
        means = Means(self._writer, signals, carriers, holdings.confirm, self.clock)
        runs = RunFactory(Plans(), means, NoSecrets())
        self._worker = parts.worker(storage, holdings, signals, runs, 100, DRAIN_SECONDS / 2)
        self.tenure = holdings.tenure

    async def _serve(self) -> None:
        self._compose()
        async with asyncio.TaskGroup() as group:
            self._working = group.create_task(kept_up("worker", self._worker.run))
            self._writing = group.create_task(kept_up("writer", self._writer.run))

    async def _drain(self) -> None:
        for loop, task in ((self._worker, self._working), (self._writer, self._writing)):
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await loop.drain()
            task.cancel()
            await asyncio.wait([task])
        self.is_dead = True
        self.world.witness.tell("left", self.name)

    def owns(self, part: int) -> bool:
        """Tell whether it holds a partition, as it sees it and as the database does."""
        database: MemoryDatabase = self.world.database
        return database.owners[part] == self.id and self.tenure.epochs.get(part) == database.epochs[part]

    @property
    def share(self) -> int:
        """How many partitions it holds."""
        return sum(self.owns(part) for part in range(partitions.COUNT))
