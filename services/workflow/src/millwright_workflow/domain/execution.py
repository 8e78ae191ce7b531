"""What is written of a running instance, and what is read of it when it goes on elsewhere."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from millwright_runtime.json import Json

from millwright_workflow.domain.compensation import CompensationState
from millwright_workflow.domain.instances import Instance, InstanceEvent, Key, State
from millwright_workflow.domain.interpreter.effects import Failure, History, TaskResult, WorkflowError
from millwright_workflow.domain.releases import RunPolicy


class Tier(Enum):
    """Where a checkpoint was found, the quickest first."""

    MEMORY = "MEMORY"
    VALKEY = "VALKEY"
    POSTGRES = "POSTGRES"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is kept of a task that has not finished."""

    key: str
    """What is kept, and of which task: such as `wait /do/0/pause`."""
    begin_time: datetime
    due_time: datetime | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How an instance leaves its worker."""

    state: State
    output: Json = None
    error: WorkflowError | None = None
    """For COMPENSATING, the cause."""
    compensation: CompensationState | None = None
    """Where its compensation stands from then on, if that changes."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A task's result as it was made durable."""

    number: int
    """Of the step that wrote it."""
    result: TaskResult
    output: str
    """As JSON text."""
    context: str
    """As JSON text."""
    time: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One advance of one instance: all of it is written, or nothing."""

    event: InstanceEvent | None
    """None for progress, which is nobody's business but the engine's, and takes no sequence."""
    tenant: str
    instance: uuid.UUID
    number: int
    """Its place among the instance's steps, from 1."""
    sequence: int
    """The sequence of the instance's newest event afterwards."""
    time: datetime
    result: TaskResult | None = None
    output: str = "null"
    """The result's output, as JSON text."""
    context: str = "null"
    """The result's context, as JSON text."""
    progress: Progress | None = None
    end: End | None = None

    @property
    def key(self) -> Key:
        """Give what tells its instance from every other."""
        return self.tenant, self.instance

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Give the result as it is kept, if there is one."""
        if self.result is None:
            return None
        return Checkpoint(self.number, self.result, self.output, self.context, self.time)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is kept of an instance's tasks."""

    checkpoints: tuple[Checkpoint, ...] = ()
    """In the order of their steps."""
    progress: dict[str, Progress] = field(default_factory=dict)

    @property
    def history(self) -> History:
        """Give what a walk takes as it is."""
        failures = {entry.failure.reference: entry.failure for entry in self.progress.values() if entry.failure}
        return History({kept.result.reference: kept.result for kept in self.checkpoints}, failures)


@dataclass(frozen=True, slots=True)
class Active:
    """An instance that a worker is to drive."""

    instance: Instance
    step: int
    """The number of its last written step."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a running instance: a caller, or a rollback's run policy."""

    key: Key
    run_policy: RunPolicy
    """PAUSE, CANCEL or CANCEL_COMPENSATE."""
    reason: str
    state: State = State.RUNNING
    """The one that the instance was seen in: of another the wish says nothing."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """The right of a worker to write: its partitions, each with the epoch under which it holds it."""

    worker: uuid.UUID
    epochs: dict[int, int]
