"""Work: what `call: task` asks of workers outside the service, and how an item of it moves between them.

Owns the states of an item, the moves between them, and what becomes of a report. Knows no stream and no database.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any

from millwright_runtime.json import Json
from millwright_runtime.names import is_label
from millwright_runtime.transitions import ImpossibleTransition

from millwright_workflow.domain import partitions, sizes
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import WorkflowError

STATE_LIMIT_BYTES = 64 * 1024
LONGEST_RETRY = timedelta(days=7)
HEARTBEAT = timedelta(seconds=30)
SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT = timedelta(seconds=1), timedelta(hours=1)
ATTEMPTS = 10
MOST_ATTEMPTS = 1000
ACKNOWLEDGEMENT = timedelta(seconds=5)
HEARTBEAT_SLACK = timedelta(seconds=1.5)
"""Heartbeats reach the database together, up to a second late: an item lapses this much after its own timeout."""
_ITEM_IDS = uuid.UUID("5f0f0c3e-6c1e-4b0a-9d3f-3a1d4f1b7c55")


class State(Enum):
    """Where an item stands."""

    QUEUED = "QUEUED"
    """It may be taken, from its due time on."""
    OFFERED = "OFFERED"
    """It was sent to a worker, which has not said yet that it has it."""
    ACTIVE = "ACTIVE"
    """A worker has it."""
    HELD = "HELD"
    """Its instance is paused."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    WITHDRAWN = "WITHDRAWN"
    """Its instance goes on without it: it was cancelled, timed out or lost a race."""

    @property
    def is_settled(self) -> bool:
        """Tell whether the workflow may go on with what came of it."""
        return self in (State.COMPLETED, State.FAILED)

    @property
    def is_taken(self) -> bool:
        """Tell whether it is a worker's."""
        return self in (State.OFFERED, State.ACTIVE)


class Cause(Enum):
    """Why an item moves."""

    TAKEN = "TAKEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RELEASED = "RELEASED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    LAPSED = "LAPSED"
    HELD = "HELD"
    WITHDRAWN = "WITHDRAWN"
    ASKED = "ASKED"


INITIAL = State.QUEUED
TRANSITIONS: Mapping[tuple[State, State], frozenset[Cause]] = MappingProxyType(
    {
        (State.QUEUED, State.OFFERED): frozenset({Cause.TAKEN}),
        (State.OFFERED, State.ACTIVE): frozenset({Cause.ACKNOWLEDGED}),
        (State.OFFERED, State.QUEUED): frozenset({Cause.RELEASED, Cause.FAILED}),
        (State.OFFERED, State.COMPLETED): frozenset({Cause.COMPLETED}),
        (State.OFFERED, State.FAILED): frozenset({Cause.FAILED}),
        (State.ACTIVE, State.QUEUED): frozenset({Cause.FAILED, Cause.LAPSED}),
        (State.ACTIVE, State.COMPLETED): frozenset({Cause.COMPLETED}),
        (State.ACTIVE, State.FAILED): frozenset({Cause.FAILED, Cause.LAPSED}),
        (State.QUEUED, State.HELD): frozenset({Cause.HELD}),
        (State.OFFERED, State.HELD): frozenset({Cause.HELD}),
        (State.ACTIVE, State.HELD): frozenset({Cause.HELD}),
        (State.QUEUED, State.WITHDRAWN): frozenset({Cause.WITHDRAWN}),
        (State.OFFERED, State.WITHDRAWN): frozenset({Cause.WITHDRAWN}),
        (State.ACTIVE, State.WITHDRAWN): frozenset({Cause.WITHDRAWN}),
        (State.HELD, State.QUEUED): frozenset({Cause.ASKED}),
        (State.WITHDRAWN, State.QUEUED): frozenset({Cause.ASKED}),
    }
)
"""Every move that an item can make, with what makes it."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which task of which instance asks for the work."""

    tenant: str
    instance: uuid.UUID
    reference: str

    def item(self, attempt: int) -> uuid.UUID:
        """Give the id that workers know an attempt by: the same however often it is asked for."""
        return uuid.uuid5(_ITEM_IDS, f"{self.tenant}/{self.instance}{self.reference}/{attempt}")

    @property
    def pointer(self) -> str:
        """Give the JSON pointer of the task."""
        return self.reference.partition("@")[0].partition("#")[0]

    @property
    def part(self) -> int:
        """Give the partition whose owner waits for it."""
        return partitions.of(self.instance)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a worker wants its successor to begin from, and when in the task's life it was saved."""

    attempt: int
    stamp: int
    """Rising with each save of an attempt; microseconds since 1970 or a little more."""
    state: bytes

    def is_newer(self, other: Saved | None) -> bool:
        """Tell whether this is what counts of the two."""
        return other is None or (self.attempt, self.stamp) > (other.attempt, other.stamp)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a workflow gives to do."""

    queue: str
    input: str
    """JSON text."""
    heartbeat: timedelta
    max_failures: int
    """How many attempts may fail or fall silent before the task does."""


def wish(queue: str, input_: Json, heartbeat: timedelta | None, max_failures: int | None) -> Wish:
    """Give what a workflow gives to do, with defaults for what it leaves open; raise ValueError past a limit.

    Its input is within what workers are sent: an item that none can take would come again for ever.
    """
    heartbeat = HEARTBEAT if heartbeat is None else heartbeat
    max_failures = ATTEMPTS if max_failures is None else max_failures
    if not is_label(queue):
        raise ValueError(f"The queue must be 1 to 63 of a-z, 0-9 and inner dashes, not {queue[:100]!r}.")
    if not SHORTEST_HEARTBEAT <= heartbeat <= LONGEST_HEARTBEAT:
        raise ValueError("The heartbeat must be from 1 second to 1 hour.")
    if not 1 <= max_failures <= MOST_ATTEMPTS:
        raise ValueError(f"The attempts must be from 1 to {MOST_ATTEMPTS}.")
    return Wish(queue, sizes.text_of("input", input_, sizes.VALUE_LIMIT_BYTES), heartbeat, max_failures)


@dataclass(frozen=True, slots=True)
class Work:
    """An item, without what is large: its input and its saved state."""

    key: TaskKey
    queue: str
    heartbeat: timedelta
    max_failures: int
    state: State
    attempt: int
    failures: int
    worker: str | None
    due_time: datetime
    """When it may be taken; of one that is taken, when it is not its worker's any more unless it hears of it."""
    create_time: datetime
    percent: float | None = None
    output: str | None = None
    """JSON text, once it is completed."""
    error: WorkflowError | None = None
    saved: Saved | None = None
    """Of a change only: what is to be kept from now on, None leaving what is there."""
    is_news: bool = False
    """Its instance has not noticed its last change yet."""

    @property
    def id(self) -> uuid.UUID:
        """Give the id that workers know it by."""
        return self.key.item(self.attempt)


def first(key: TaskKey, wish: Wish, now: datetime) -> Work:
    """Give the item of a task that asks for the first time."""
    return Work(
        key=key,
        queue=wish.queue,
        heartbeat=wish.heartbeat,
        max_failures=wish.max_failures,
        state=INITIAL,
        attempt=0,
        failures=0,
        worker=None,
        due_time=now,
        create_time=now,
    )


def ask(work: Work, now: datetime) -> Work:
    """Give the item of a task that asks again: queued anew, for another attempt, if it was held or withdrawn."""
    if work.state not in (State.HELD, State.WITHDRAWN):
        return work
    return _queue(work, Cause.ASKED, now, attempt=work.attempt + 1)


def take(work: Work, worker: str, now: datetime) -> Work:
    """Give the item as it is sent to a worker."""
    return _move(work, State.OFFERED, Cause.TAKEN, worker=worker, due_time=now + ACKNOWLEDGEMENT)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a worker says of an item that it could not do."""

    error: WorkflowError
    retry_after: timedelta | None
    saved: bytes | None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The worker has the item."""


@dataclass(frozen=True, slots=True)
class Release:
    """The item never reached the worker."""


@dataclass(frozen=True, slots=True)
class Complete:
    """The item is done."""

    output: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The item is not done."""

    failure: Failure


Report = Acknowledge | Release | Complete | Fail


def is_held(work: Work, item: uuid.UUID, worker: str) -> bool:
    """Tell whether an attempt of this item is the worker's: only then does a report of it change anything."""
    return work.state.is_taken and work.worker == worker and work.id == item


def is_repeated(work: Work, item: uuid.UUID, worker: str, report: Report) -> bool:
    """Tell whether this is a report that has had its effect, and whose answer was lost."""
    effect = {Complete: State.COMPLETED, Fail: State.FAILED}.get(type(report))
    return work.state is effect and work.worker == worker and work.id == item


def settle(work: Work, report: Report, now: datetime) -> Work:
    """Give the item after a report of the worker whose it is."""
    match report:
        case Acknowledge():
            return acknowledge(work, now)
        case Release():
            return _queue(work, Cause.RELEASED, now) if work.state is State.OFFERED else work
        case Complete(output):
            return _move(work, State.COMPLETED, Cause.COMPLETED, output=output, is_news=True)
        case Fail(failure):
            return _fail(work, failure, now)


def acknowledge(work: Work, now: datetime) -> Work:
    """Give the item once its worker is known to have it, whichever way it said so."""
    if work.state is not State.OFFERED:
        return work
    return _move(work, State.ACTIVE, Cause.ACKNOWLEDGED, due_time=now + work.heartbeat + HEARTBEAT_SLACK)


def lapse(work: Work, now: datetime) -> Work:
    """Give an item whose due time has passed in a worker's hands: for another one, or failed for good."""
    if work.state is State.OFFERED:
        return _queue(work, Cause.RELEASED, now)
    detail = f"Worker {work.worker} was silent for longer than {work.heartbeat.total_seconds():g} s."
    error = errors.timeout(work.key.pointer, detail).error
    return _another(work, Cause.LAPSED, error, now, timedelta(0))


def hold(work: Work) -> Work:
    """Give the item while its instance is paused."""
    return _move(work, State.HELD, Cause.HELD, worker=None) if _is_open(work) else work


def withdraw(work: Work) -> Work:
    """Give the item once nobody wants it any more."""
    return _move(work, State.WITHDRAWN, Cause.WITHDRAWN, worker=None) if _is_open(work) else work


class Stop(Enum):
    """Why a worker is to let go of an item."""

    CANCELLED = "CANCELLED"
    SUPERSEDED = "SUPERSEDED"
    PAUSED = "PAUSED"


def stop_reason(state: State | None) -> Stop:
    """Say why an item is not its worker's any more, by where its task's work stands now; None if it is gone."""
    match state:
        case None | State.WITHDRAWN:
            return Stop.CANCELLED
        case State.HELD:
            return Stop.PAUSED
        case _:
            return Stop.SUPERSEDED


def _fail(work: Work, failure: Failure, now: datetime) -> Work:
    if failure.saved is not None:  # past all that the attempt saved before, whatever the clocks said
        work = replace(work, saved=Saved(work.attempt + 1, 0, failure.saved))
    if failure.retry_after is None:
        return _move(work, State.FAILED, Cause.FAILED, error=failure.error, failures=work.failures + 1, is_news=True)
    return _another(work, Cause.FAILED, failure.error, now, failure.retry_after)


def _another(work: Work, cause: Cause, error: WorkflowError, now: datetime, delay: timedelta) -> Work:
    failures = work.failures + 1
    if failures >= work.max_failures:
        return _move(work, State.FAILED, cause, error=error, failures=failures, is_news=True)
    return _queue(work, cause, now + delay, attempt=work.attempt + 1, failures=failures)


def _queue(work: Work, cause: Cause, due_time: datetime, **changes: Any) -> Work:
    return _move(work, State.QUEUED, cause, worker=None, due_time=due_time, **changes)


def _is_open(work: Work) -> bool:
    return work.state is State.QUEUED or work.state.is_taken


def _move(work: Work, to: State, cause: Cause, **changes: Any) -> Work:
    if cause not in TRANSITIONS.get((work.state, to), ()):
        raise ImpossibleTransition("a work item", work.state, to, cause)
    return replace(work, state=to, **changes)
