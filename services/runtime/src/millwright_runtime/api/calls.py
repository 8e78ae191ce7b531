"""The call being served: who makes it, and until when. Set by the interceptor, read by servicers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, as the verified token says."""

    subject: str
    tenant: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Call:
    """One call in progress."""

    method: str
    """`/package.Service/Method`."""
    principal: Principal
    deadline: float
    """On the clock of `time.monotonic()`, in seconds."""
    resting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while the call waits on purpose, so that others are served."""

    @property
    def remaining_seconds(self) -> float:
        """Give the time left for whatever is done on behalf of this call; never below zero."""
        return max(0.0, self.deadline - time.monotonic())


_current: ContextVar[Call] = ContextVar("millwright_call")


def current() -> Call:
    """Give the call being served; outside of one this is a mistake of ours and raises LookupError."""
    return _current.get()


def enter(call: Call) -> None:
    """Make `call` the current one for the task that serves it."""
    _current.set(call)
