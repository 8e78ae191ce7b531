"""Circuit breakers: when a system is down, it is not called by everybody who waits for it.

Owns when a circuit opens, when one call goes through to see, and when it closes. Reads no clock, keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any

from millwright_runtime.transitions import ImpossibleTransition

FAILURES_TO_OPEN = 5
SHORTEST_OPEN, LONGEST_OPEN = timedelta(seconds=5), timedelta(minutes=1)
LONGEST_PROBE = timedelta(seconds=60)
"""After which another call goes through to see: who made the last one may be dead."""


class State(Enum):
    """Where a circuit stands."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Cause(Enum):
    """What moves a circuit."""

    FAILED = "FAILED"
    PROBED = "PROBED"
    SUCCEEDED = "SUCCEEDED"


INITIAL = State.CLOSED
TRANSITIONS: Mapping[tuple[State, State], Cause] = MappingProxyType(
    {
        (State.CLOSED, State.OPEN): Cause.FAILED,
        (State.OPEN, State.HALF_OPEN): Cause.PROBED,
        (State.OPEN, State.CLOSED): Cause.SUCCEEDED,
        (State.HALF_OPEN, State.HALF_OPEN): Cause.PROBED,
        (State.HALF_OPEN, State.OPEN): Cause.FAILED,
        (State.HALF_OPEN, State.CLOSED): Cause.SUCCEEDED,
    }
)
"""Every move that a circuit can make, with what makes it."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of how calls of one system fare."""

    state: State = INITIAL
    failures: int = 0
    """In a row."""
    openings: int = 0
    """How often it has opened since it was closed: each time for longer."""
    retry_time: datetime | None = None
    """When the next call goes through to see, unless it is closed."""


HEALTHY = Circuit()


def admit(circuit: Circuit, now: datetime) -> Circuit | None:
    """Give the circuit with a call under way, or None if the call is refused."""
    if circuit.state is State.CLOSED:
        return circuit
    assert circuit.retry_time is not None
    if now < circuit.retry_time:
        return None
    return _move(circuit, State.HALF_OPEN, Cause.PROBED, retry_time=now + LONGEST_PROBE)


def succeed(circuit: Circuit) -> Circuit:
    """Give the circuit after a call that went well, however long ago it began."""
    return HEALTHY if circuit.state is State.CLOSED else _move(circuit, State.CLOSED, Cause.SUCCEEDED, **_FRESH)


def fail(circuit: Circuit, now: datetime) -> Circuit:
    """Give the circuit after a call that failed."""
    failed = replace(circuit, failures=circuit.failures + 1)
    if circuit.state is State.OPEN or (circuit.state is State.CLOSED and failed.failures < FAILURES_TO_OPEN):
        return failed
    span = min(LONGEST_OPEN, SHORTEST_OPEN * 2 ** min(circuit.openings, 10))
    return _move(failed, State.OPEN, Cause.FAILED, openings=circuit.openings + 1, retry_time=now + span)


def _move(circuit: Circuit, to: State, cause: Cause, **changes: Any) -> Circuit:
    if TRANSITIONS.get((circuit.state, to)) is not cause:
        raise ImpossibleTransition("a circuit", circuit.state, to, cause)
    return replace(circuit, state=to, **changes)


_FRESH: Mapping[str, Any] = MappingProxyType({"failures": 0, "openings": 0, "retry_time": None})
