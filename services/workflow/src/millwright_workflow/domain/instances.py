"""Instances: the states that a run of a workflow goes through. `docs/architecture/instance-states.md` draws them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from millwright_runtime.json import Json

from millwright_workflow.domain.errors import InstanceEnded, InstanceNotFaulted, InstanceNotPaused, InstanceNotRunning
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.transitions import ImpossibleTransition

INPUT_LIMIT_BYTES = 256 * 1024


class State(Enum):
    """Where an instance stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAULTED = "FAULTED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Tell whether it has ended: nothing happens to it any more, unless somebody retries it."""
        return self in _TERMINAL


class Happening(Enum):
    """What an event tells of an instance."""

    CREATED = "CREATED"
    STARTED = "STARTED"
    TASK_COMPLETED = "TASK_COMPLETED"
    TASK_RETRIED = "TASK_RETRIED"
    TASK_PROGRESS = "TASK_PROGRESS"
    CORRELATION_STARTED = "CORRELATION_STARTED"
    CORRELATION_COMPLETED = "CORRELATION_COMPLETED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    COMPLETED = "COMPLETED"
    FAULTED = "FAULTED"
    CANCELLED = "CANCELLED"


INITIAL = State.PENDING
TRANSITIONS: Mapping[tuple[State, State], Happening] = MappingProxyType(
    {
        (State.PENDING, State.RUNNING): Happening.STARTED,
        (State.PENDING, State.FAULTED): Happening.FAULTED,
        (State.PENDING, State.CANCELLED): Happening.CANCELLED,
        (State.RUNNING, State.PAUSED): Happening.PAUSED,
        (State.RUNNING, State.COMPLETED): Happening.COMPLETED,
        (State.RUNNING, State.FAULTED): Happening.FAULTED,
        (State.RUNNING, State.CANCELLED): Happening.CANCELLED,
        (State.PAUSED, State.RUNNING): Happening.RESUMED,
        (State.FAULTED, State.RUNNING): Happening.RESUMED,
        (State.CANCELLED, State.RUNNING): Happening.RESUMED,
        (State.PAUSED, State.CANCELLED): Happening.CANCELLED,
    }
)
"""Every move that an instance can make, with what its event tells."""
_TERMINAL = frozenset({State.COMPLETED, State.FAULTED, State.CANCELLED})


Key = tuple[str, uuid.UUID]
"""Tenant and id: what tells an instance from every other."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One run of a workflow."""

    tenant: str
    instance: uuid.UUID
    workflow: str
    channel: str | None
    version: int | None
    state: State
    input: Json
    output: Json
    error: WorkflowError | None
    cancel_reason: str | None
    """Set from the moment its cancellation is asked for."""
    finished_tasks: int
    sequence: int
    creator: str
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    parent: uuid.UUID | None = None
    """The instance whose `run: workflow` started it."""
    parent_task: str | None = None
    """The reference of that task."""
    depth: int = 0
    """How many instances it was started by, one above the other."""
    routing_key: str | None = None
    """None: its id."""

    @property
    def route(self) -> str:
        """Give what decides whether it begins on a canary."""
        return self.routing_key or str(self.instance)

    @property
    def day(self) -> date:
        """Give the day, in UTC, by which what it leaves is kept."""
        return self.create_time.astimezone(UTC).date()

    @property
    def key(self) -> Key:
        """Give what tells it from every other instance: callers may choose ids, so two tenants may have the same."""
        return self.tenant, self.instance


@dataclass(frozen=True, slots=True)
class InstanceEvent:
    """Something that happened to an instance."""

    tenant: str
    instance: uuid.UUID
    sequence: int
    happening: Happening
    workflow: str
    version: int | None
    event_time: datetime
    day: date
    """Of the instance."""
    task: str | None = None
    error: WorkflowError | None = None
    percent: float | None = None
    """How far the task is."""
    then: str | None = None
    """Where the flow goes after the task, if not on to the next."""


def happening(before: State, after: State) -> Happening:
    """Give what the event of a move tells; raise ImpossibleTransition if there is no such move."""
    if (before, after) not in TRANSITIONS:
        raise ImpossibleTransition("an instance", before, after)
    return TRANSITIONS[before, after]


def move(instance: Instance, to: State, **changes: Any) -> Instance:
    """Give the instance after a move and its event, with what else changes; raise ImpossibleTransition."""
    happening(instance.state, to)
    return replace(instance, state=to, sequence=instance.sequence + 1, **changes)


def event(instance: Instance, happening: Happening, time: datetime) -> InstanceEvent:
    """Give the event that tells of the instance's newest move."""
    return InstanceEvent(
        tenant=instance.tenant,
        instance=instance.instance,
        sequence=instance.sequence,
        happening=happening,
        workflow=instance.workflow,
        version=instance.version,
        event_time=time,
        day=instance.day,
        error=instance.error,
    )


class Cancellation(Enum):
    """What a wish to cancel comes to."""

    NOW = "NOW"
    """Nobody runs it: it is cancelled in the same transaction."""
    REQUESTED = "REQUESTED"
    """Its owner is asked to stop it."""
    UNCHANGED = "UNCHANGED"
    """It is cancelled already, or about to be."""


def cancel(instance: Instance) -> Cancellation:
    """Decide a wish to cancel; raise InstanceEnded if it ended otherwise."""
    if instance.state in (State.COMPLETED, State.FAULTED):
        raise InstanceEnded(instance=instance.instance, state=instance.state.value)
    if instance.state is State.CANCELLED or instance.cancel_reason is not None:
        return Cancellation.UNCHANGED
    return Cancellation.REQUESTED if instance.state is State.RUNNING else Cancellation.NOW


def check_running(instance: Instance) -> None:
    """Raise InstanceNotRunning unless it can be paused; one that is paused already is left so."""
    if instance.state not in (State.RUNNING, State.PAUSED):
        raise InstanceNotRunning(instance=instance.instance, state=instance.state.value)


def check_faulted(instance: Instance) -> None:
    """Raise InstanceNotFaulted unless it can be retried."""
    if instance.state not in (State.FAULTED, State.CANCELLED) or instance.version is None:
        raise InstanceNotFaulted(instance=instance.instance, state=instance.state.value)


def check_paused(instance: Instance) -> None:
    """Raise InstanceNotPaused unless it can be resumed."""
    if instance.state is not State.PAUSED:
        raise InstanceNotPaused(instance=instance.instance, state=instance.state.value)


def cancel_now(instance: Instance, reason: str, now: datetime) -> Instance:
    """Give an instance that nobody runs, cancelled."""
    return move(instance, State.CANCELLED, error=cancelled(reason), cancel_reason=reason, end_time=now)


def cancelled(reason: str) -> WorkflowError:
    """Give the error that a cancelled instance keeps."""
    return WorkflowError(type="urn:millwright:error:cancelled", status=499, title="Cancelled", detail=reason or None)
