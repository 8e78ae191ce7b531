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
from millwright_runtime.transitions import ImpossibleTransition

from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.errors import (
    InstanceCompensated,
    InstanceEnded,
    InstanceNotFaulted,
    InstanceNotPaused,
    InstanceNotRunning,
)
from millwright_workflow.domain.interpreter.effects import WorkflowError

INPUT_LIMIT_BYTES = 256 * 1024


class State(Enum):
    """Where an instance stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPENSATING = "COMPENSATING"
    """What its finished tasks did is being undone."""
    COMPLETED = "COMPLETED"
    FAULTED = "FAULTED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Tell whether it has ended: nothing happens to it any more, unless somebody retries it."""
        return self in _TERMINAL

    @property
    def gives_up(self) -> bool:
        """Tell whether an instance that comes here leaves what it has begun and not finished."""
        return self.is_terminal or self is State.COMPENSATING


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
    COMPENSATION_STARTED = "COMPENSATION_STARTED"
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
        (State.RUNNING, State.COMPENSATING): Happening.COMPENSATION_STARTED,
        (State.PAUSED, State.COMPENSATING): Happening.COMPENSATION_STARTED,
        (State.FAULTED, State.COMPENSATING): Happening.COMPENSATION_STARTED,
        (State.CANCELLED, State.COMPENSATING): Happening.COMPENSATION_STARTED,
        (State.COMPENSATING, State.FAULTED): Happening.FAULTED,
        (State.COMPENSATING, State.CANCELLED): Happening.CANCELLED,
    }
)
"""Every move that an instance can make, with what its event tells."""
_CANCELLED_TYPE = "urn:millwright:error:cancelled"
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
    compensation: Compensation | None = None
    """None: nobody has asked that what it did be undone."""
    traceparent: str = ""
    """Where in a trace it was started (W3C Trace Context); its events and its calls are of that trace."""

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
    traceparent: str = ""
    """Of the instance."""


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
    cause = instance.compensation.cause if instance.compensation else None
    return InstanceEvent(
        tenant=instance.tenant,
        instance=instance.instance,
        sequence=instance.sequence,
        happening=happening,
        workflow=instance.workflow,
        version=instance.version,
        event_time=time,
        day=instance.day,
        error=instance.error or cause,
        traceparent=instance.traceparent,
    )


class Cancellation(Enum):
    """What a wish to cancel comes to."""

    NOW = "NOW"
    """Nobody runs it: it is cancelled in the same transaction."""
    REQUESTED = "REQUESTED"
    """Its owner is asked to stop it."""
    COMPENSATE = "COMPENSATE"
    """Nobody runs it: a worker takes it, to undo what it did."""
    STOP = "STOP"
    """Its owner is asked to stop undoing."""
    UNCHANGED = "UNCHANGED"
    """It is as wanted already, or about to be."""


def cancel(instance: Instance, *, compensates: bool = False) -> Cancellation:
    """Decide a wish to cancel, and to undo what was done if it `compensates`; raise InstanceEnded if it has ended.

    What has faulted or was cancelled can still be undone. To cancel without compensation what is being undone stops
    that.
    """
    if instance.state is State.COMPENSATING:
        return Cancellation.STOP if not compensates and _is_undoing(instance) else Cancellation.UNCHANGED
    if compensates and instance.start_time is not None and instance.state is not State.COMPLETED:
        return _compensate(instance)
    if instance.state in (State.COMPLETED, State.FAULTED):
        raise InstanceEnded(instance=instance.instance, state=instance.state.value)
    if instance.state is State.CANCELLED or instance.cancel_reason is not None:
        return Cancellation.UNCHANGED
    return Cancellation.REQUESTED if instance.state is State.RUNNING else Cancellation.NOW


def _compensate(instance: Instance) -> Cancellation:
    known = instance.compensation and instance.compensation.state
    if instance.state is State.RUNNING:
        return Cancellation.UNCHANGED if known else Cancellation.REQUESTED
    return Cancellation.UNCHANGED if known is CompensationState.COMPLETED else Cancellation.COMPENSATE


def _is_undoing(instance: Instance) -> bool:
    return instance.compensation is not None and instance.compensation.state is CompensationState.RUNNING


def check_running(instance: Instance) -> None:
    """Raise InstanceNotRunning unless it can be paused; one that is paused already is left so."""
    if instance.state not in (State.RUNNING, State.PAUSED):
        raise InstanceNotRunning(instance=instance.instance, state=instance.state.value)


def check_faulted(instance: Instance) -> None:
    """Raise InstanceNotFaulted or InstanceCompensated unless it can be retried."""
    if instance.state not in (State.FAULTED, State.CANCELLED) or instance.version is None:
        raise InstanceNotFaulted(instance=instance.instance, state=instance.state.value)
    if instance.compensation and instance.compensation.state is CompensationState.COMPLETED:
        raise InstanceCompensated(instance=instance.instance)


def check_forward(instance: Instance) -> None:
    """Raise InstanceCompensated if its results cannot be gone on from: what they tell of may be undone."""
    if instance.compensation and instance.compensation.has_begun:
        raise InstanceCompensated(instance=instance.instance)


def check_paused(instance: Instance) -> None:
    """Raise InstanceNotPaused unless it can be resumed."""
    if instance.state is not State.PAUSED:
        raise InstanceNotPaused(instance=instance.instance, state=instance.state.value)


def cancel_now(instance: Instance, reason: str, now: datetime) -> Instance:
    """Give an instance that nobody runs, cancelled."""
    return move(instance, State.CANCELLED, error=cancelled(reason), cancel_reason=reason, end_time=now)


def compensate(instance: Instance, reason: str | None = None) -> Instance:
    """Give an instance that nobody runs and whose tasks are to be undone from now on; `reason` is a cancellation's.

    What it ended with, or what it was being undone for, stays the cause.
    """
    known = instance.compensation and instance.compensation.cause
    cause = known or instance.error or cancelled(reason or "")
    return move(
        instance,
        State.COMPENSATING,
        error=None,
        end_time=None,
        cancel_reason=instance.cancel_reason if reason is None else reason,
        compensation=Compensation(CompensationState.RUNNING, cause),
    )


def compensated(cause: WorkflowError) -> State:
    """Give the state in which an instance ends once all is undone that was to be undone for `cause`."""
    return State.CANCELLED if cause.type == _CANCELLED_TYPE else State.FAULTED


def cancelled(reason: str) -> WorkflowError:
    """Give the error that a cancelled instance keeps."""
    return WorkflowError(type=_CANCELLED_TYPE, status=499, title="Cancelled", detail=reason or None)
