"""The witness: sees everything, and says where a promise of the engine is broken.

It stands beside the database and the plant and believes neither: what was committed, acknowledged and called it keeps
in books of its own.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from millwright_workflow.domain import partitions
from millwright_workflow.domain.compensation import CompensationState
from millwright_workflow.domain.execution import Step, Tenure
from millwright_workflow.domain.instances import Instance, Key, State
from millwright_workflow.domain.interpreter.undo import PLACE as UNDO
from millwright_workflow.domain.interpreter.undo import undone_task

from workflow_simulation import workflows
from workflow_simulation.database import Channel, MemoryDatabase, Row


class Broken(Exception):
    """A promise is broken."""


class Witness:
    """Keeps the books of one simulation."""

    def __init__(
        self, database: MemoryDatabase, time: Callable[[], float], is_well: Callable[[uuid.UUID], bool]
    ) -> None:
        self._database = database
        self._time = time
        self._is_well = is_well
        self.trace: list[tuple[float, str, tuple[Any, ...]]] = []
        self.broken: list[str] = []
        self._owned: dict[tuple[int, int], uuid.UUID] = {}
        self._results: dict[tuple[Key, str], str] = {}
        self._keys: dict[tuple[Key, str], str] = {}
        self._left: dict[tuple[Channel, int], float] = {}

    def tell(self, what: str, *details: Any) -> None:
        """Write a line of the trace."""
        self.trace.append((self._time(), what, details))

    def complain(self, what: str) -> None:
        """Say that a promise is broken."""
        self.tell("BROKEN", what)
        self.broken.append(f"{self._time():.3f} {what}")

    def acquired(self, worker: uuid.UUID, epochs: dict[int, int], before: Sequence[uuid.UUID | None]) -> None:
        """Partitions have a new owner: of each epoch there is one, and nobody who is well loses any."""
        self.tell("acquired", worker, epochs)
        for robbed in {before[part] for part in epochs} - {None, worker}:
            if self._is_well(robbed):
                self.complain(f"partitions were taken from {robbed}, who is well")
        for part, epoch in epochs.items():
            if self._owned.setdefault((part, epoch), worker) != worker:
                self.complain(f"partition {part} has two owners under epoch {epoch}")

    def owns(self, worker: uuid.UUID, part: int) -> bool:
        """Tell whether a worker has the newest epoch of a partition, and has not given it up."""
        return self._database.owners[part] == worker

    def wrote(self, tenure: Tenure, steps: Sequence[Step]) -> None:
        """Steps were committed: by the owner alone, each result once, with dense events."""
        for step in steps:
            part = partitions.of(step.instance)
            name = _short(step.key)
            self.tell(
                "wrote",
                tenure.worker,
                name,
                step.number,
                step.event.happening.value if step.event else "progress",
                step.result.reference if step.result else "",
            )
            if not self.owns(tenure.worker, part) or self._database.epochs[part] != tenure.epochs.get(part):
                self.complain(f"a former owner of partition {part} wrote step {step.number} of {name}")
            if step.result is not None:
                if (step.key, step.result.reference) in self._results:
                    self.complain(f"{step.result.reference} of {name} has two results")
                self._results[step.key, step.result.reference] = step.output
        for key in {step.key for step in steps}:
            events = self._database.rows[key].events
            if events[-1].sequence != len(events):
                self.complain(f"the events of {_short(key)} have a gap at {len(events)}")

    def acknowledged(self, step: Step) -> None:
        """The engine goes on as if this were durable: then it is."""
        row = self._database.rows[step.key]
        if step.result is not None:
            kept = row.results.get(step.result.reference)
            if kept is None or kept.output != step.output:
                self.complain(f"{step.result.reference} of {_short(step.key)} was acknowledged and is not there")
        if row.step < step.number:
            self.complain(f"step {step.number} of {_short(step.key)} was acknowledged and is not there")

    def began(self, instance: Instance, channel: Channel, version_of_channel: int | None) -> None:
        """An instance was bound: not to a version that a rollback has left."""
        self.tell("began", _short(instance.key), f"version {instance.version}")
        if instance.version != version_of_channel:
            self.complain(f"{_short(instance.key)} began on version {instance.version} after {channel[1]} had left it")

    def called(self, worker: uuid.UUID, key: Key, reference: str, idempotency_key: str) -> None:
        """The engine acts outside: as the owner, for a running instance, not for a finished task, and with one key."""
        name = _short(key)
        self.tell("called", worker, name, reference)
        row = self._database.rows[key]
        if not self.owns(worker, partitions.of(key[1])):
            self.complain(f"a former owner called {reference} of {name}")
        is_undo = UNDO in reference
        if row.instance.state is not (State.COMPENSATING if is_undo else State.RUNNING):
            self.complain(f"{reference} of {name} was called while it is {row.instance.state.value}")
        if reference in row.results:
            self.complain(f"{reference} of {name} had finished and ran again")
        if self._keys.setdefault((key, reference), idempotency_key) != idempotency_key:
            self.complain(f"{reference} of {name} was repeated under another key")

    def check_end(self, is_owned: Callable[[int], bool]) -> None:
        """All has come to rest: everything that was committed is there, and every instance has ended."""
        results: defaultdict[Key, set[str]] = defaultdict(set)
        for key, reference in self._results:
            results[key].add(reference)
        for key, row in self._database.rows.items():
            sequences = [event.sequence for event in row.events]
            if sequences != list(range(1, len(sequences) + 1)) or row.instance.sequence != len(sequences):
                self.complain(f"the events of {_short(key)} are {sequences}, its sequence {row.instance.sequence}")
            if set(row.results) != results[key]:
                self.complain(f"results of {_short(key)} are lost or invented")
            if not row.instance.state.is_terminal:
                self.complain(f"{_short(key)} has not ended: it is {row.instance.state.value}")
            else:
                self._check_undone(key, row)
            if row.instance.state is State.FAULTED and row.instance.error.type.endswith("runtime"):
                self.complain(f"{_short(key)} met a mistake of ours: {row.instance.error.detail}")
        if orphans := [part for part in range(partitions.COUNT) if not is_owned(part)]:
            self.complain(f"partitions {orphans} are nobody's")

    def _check_undone(self, key: Key, row: Row) -> None:
        """All was undone that was to be, the last to finish first; and where nobody wanted that, nothing was."""
        undone = [task for reference in row.results if (task := undone_task(reference)) is not None]
        known = row.instance.compensation
        if known is None:
            if undone:
                self.complain(f"{undone} of {_short(key)} were undone although nobody wanted it")
            return
        if known.state is not CompensationState.COMPLETED:
            self.complain(f"the compensation of {_short(key)} ended {known.state.value}")
        plan = workflows.plan(int(row.instance.workflow.rpartition("-")[2]), row.instance.version or 0)
        finished = [reference for reference in row.results if reference.partition("@")[0] in plan.undos]
        if undone != finished[::-1]:
            self.complain(f"{undone} of {_short(key)} were undone, not {finished[::-1]}")


def _short(key: Key) -> str:
    return f"i{key[1].int % 10_000}"
