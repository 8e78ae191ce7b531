"""One run: the load calls while the plan is done, everything is mended and comes to rest, what is there is judged."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from millwright_local.etl_client import EtlClient
from millwright_local.judgment_client import JudgmentClient
from millwright_local.modules_client import ModulesClient
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES, Service
from millwright_local.workflow_client import WorkflowClient

from tests import evidence, history
from tests.chaos import checker, faults
from tests.chaos.book import Book
from tests.chaos.load import Load
from tests.chaos.load.crossing import TASKS as CROSSING_TASKS
from tests.chaos.load.crossing import CrossingLoad
from tests.chaos.load.etl import PIECES, EtlLoad
from tests.chaos.load.inspections import TASKS as INSPECTION_TASKS
from tests.chaos.load.inspections import InspectionLoad, Way
from tests.chaos.load.judgment import JudgmentLoad
from tests.chaos.load.modules import ModulesLoad
from tests.chaos.load.readers import SlowReaders
from tests.chaos.load.workflow import TASKS, WORKFLOW, WorkflowLoad
from tests.chaos.witness import Held, Witness
from tests.chaos.world import TENANT, World
from tests.machine import Machine

REST_SECONDS = 180.0
"""How long all that was begun has to end once everything is mended: far above what is usual, on a busy machine, too."""
JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Course:
    """What became of a run."""

    seed: int
    book: Book
    violations: list[str]


class Loads:
    """The loads on one world."""

    def __init__(self, world: World, book: Book, seed: int, machine: Machine) -> None:
        def chance(name: str) -> Random:
            return Random(f"{name} {seed}")

        self.workflow = WorkflowLoad(book, world.clients("workflow", WorkflowClient), chance("workflow"), machine)
        self.judgment = JudgmentLoad(book, world.clients("judgment", JudgmentClient), chance("judgment"))
        self.etl = EtlLoad(book, world.clients("etl", EtlClient), chance("etl"))
        self.modules = ModulesLoad(book, world.clients("modules", ModulesClient), chance("modules"))
        clients = (world.clients("workflow", WorkflowClient), world.clients("modules", ModulesClient))
        self.crossing = CrossingLoad(book, *clients, chance("crossing"))
        token = world.stack.keys.token(tenant=TENANT, roles=("worker",))
        ways = [Way(process.address, token) for process in world.replicas("workflow").values()]
        people = world.clients("workflow", WorkflowClient)
        self.inspections = InspectionLoad(book, people, ways, chance("inspections"))
        self.readers = SlowReaders(book, world.clients("workflow", WorkflowClient), chance("readers"))

    @property
    def all(self) -> Sequence[Load]:
        """All of them."""
        services = (self.workflow, self.judgment, self.etl, self.modules)
        return *services, self.crossing, self.inspections, self.readers


Trouble = Callable[[World, Book], Awaitable[None]]
"""What is done to a world while it is called; it returns once all is as it should be, or will be when it is mended."""


async def harm(seed: int, seconds: float, directory: Path) -> Course:
    """Make a run in which faults are done by the seed's plan."""

    async def trouble(world: World, book: Book) -> None:
        await faults.do(faults.plan(seed, seconds), world, book, seconds)
        await asyncio.sleep(max(0.0, seconds - book.now))

    return await run(seed, directory, trouble)


async def run(seed: int, directory: Path, trouble: Trouble, services: Sequence[Service] = SERVICES) -> Course:
    """Make a run; its journal and the logs of all processes are kept in `directory`."""
    with scratch_directory() as home:
        book = Book(directory / JOURNAL)
        try:
            async with World(home, services) as world, Machine() as machine:
                loads = Loads(world, book, seed, machine)
                violations = await _live_through(world, loads, book, trouble)
                violations += await _judge(world, loads, book, machine)
                for violation in violations:
                    book.write("violation", text=violation)
        finally:
            shutil.copytree(home / "logs", directory / "logs", dirs_exist_ok=True)
            book.close()
    return Course(seed, book, violations)


async def _live_through(world: World, loads: Loads, book: Book, trouble: Trouble) -> list[str]:
    """Call while trouble is made, mend everything, and wait until all has ended; tell if it does not."""
    await asyncio.gather(*(load.prepare() for load in loads.all))
    book.begin_again()
    stop = asyncio.Event()
    calling = [asyncio.create_task(load.run(stop)) for load in loads.all]
    try:
        await trouble(world, book)
        await world.mend()
        stop.set()
        book.come_to_rest()
        ended, late = await asyncio.wait(calling, timeout=REST_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
        await asyncio.gather(*ended)
    finally:
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
    return ["not everything has ended in time"] if late else []


async def _judge(world: World, loads: Loads, book: Book, machine: Machine) -> list[str]:
    held = await Witness(world, book).read()
    requests = [
        checker.Request(each.path, each.time, each.idempotency_key)
        for many in list(machine.requests.values())
        for each in many
    ]
    completed = [work.name for work in book.works if work.kind == "install" and work.state == "COMPLETED"]
    return [
        *book.surprises,
        *checker.check_calls(book.calls),
        *checker.check_works(
            book.works, {"instance": TASKS, "crossing": CROSSING_TASKS, "inspection": INSPECTION_TASKS}
        ),
        *checker.check_streams(book.streams),
        *checker.check_told(book.told, held.names),
        *checker.check_told({"activation": checker.Counter(completed)}, {"activation": held.installs}),
        *checker.check_crossings(loads.crossing.ends, held.requesters, PIECES, held.pieces),
        *checker.check_outside(requests, loads.workflow.results),
        *checker.check_cancellations(loads.workflow.cancellations, held.cancelled),
        *checker.check_amount("rows", loads.etl.rows, held.rows),
        *checker.check_amount("pieces", loads.etl.rows * PIECES, held.pieces),
        *checker.check_live(loads.modules.live, held.live),
        *(f"{count} events of {name} are not published" for name, count in held.outboxes.items() if count),
        *_judge_rulesets(held),
        *await _judge_releases(world, loads),
    ]


async def _judge_releases(world: World, loads: Loads) -> list[str]:
    """Hold the workflow's release log, and the versions that instances began on, to each other."""
    workflow = WORKFLOW.removeprefix("workflows/")
    moves = await evidence.read_moves(world.postgres, TENANT, workflow)
    begins = await evidence.read_begins(world.postgres, TENANT, workflow, loads.workflow.starts)
    state, violations = history.replay(moves)
    channels = await evidence.read_channels(world.postgres, TENANT, workflow)
    if {name: version for name, (version, _) in channels.items()} != state.channels:
        violations.append(f"channels are at {channels}, and the log leads to {state.channels}")
    violations += history.check_begins(moves, begins)
    return violations + history.check_answers(moves, begins, loads.workflow.rollbacks)


def _judge_rulesets(held: Held) -> list[str]:
    moves = [
        history.Move(
            it.revision,
            it.Operation.Name(it.operation).removeprefix("OPERATION_"),
            it.channel.rpartition("/")[2],
            it.from_version,
            it.to_version,
            it.marked_bad,
        )
        for it in reversed(held.ruleset_moves)
    ]
    return [f"ruleset: {violation}" for violation in history.replay(moves)[1]]
