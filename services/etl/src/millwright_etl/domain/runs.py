"""Runs: business days made into facts, window by window. `docs/architecture/run-states.md` draws their states.

A run's windows are begun, and end, each in a transaction that has locked the run: so its counts and sequence are exact.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from millwright_runtime.transitions import ImpossibleTransition

from millwright_etl.domain.quality import Result
from millwright_etl.domain.windows import Counts, Written

DAILY_PRODUCTION = "daily-production"
MOST_ATTEMPTS = 5
"""How often a window is begun: one that takes its worker with it each time must not take all of them for ever."""


class Kind(StrEnum):
    """What a run is for."""

    DUE = "DUE"
    BACKFILL = "BACKFILL"
    REDRIVE = "REDRIVE"
    ASKED = "ASKED"


class RunState(StrEnum):
    """Where a run stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing happens to it any more."""
        return self not in {RunState.PENDING, RunState.RUNNING}


class WindowState(StrEnum):
    """Where a window of a run stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PUBLISHED = "PUBLISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Happening(StrEnum):
    """What an event tells of a run."""

    CREATED = "CREATED"
    WINDOW_STARTED = "WINDOW_STARTED"
    WINDOW_RELEASED = "WINDOW_RELEASED"
    WINDOW_PUBLISHED = "WINDOW_PUBLISHED"
    WINDOW_FAILED = "WINDOW_FAILED"
    WINDOW_CANCELLED = "WINDOW_CANCELLED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


RUN_TRANSITIONS: Mapping[tuple[RunState, RunState], Happening] = MappingProxyType(
    {
        (RunState.PENDING, RunState.RUNNING): Happening.WINDOW_STARTED,
        (RunState.PENDING, RunState.CANCELLED): Happening.CANCELLED,
        (RunState.RUNNING, RunState.COMPLETED): Happening.COMPLETED,
        (RunState.RUNNING, RunState.FAILED): Happening.FAILED,
        (RunState.RUNNING, RunState.CANCELLED): Happening.CANCELLED,
    }
)
"""Every move that a run can make, with the event that tells of it."""
WINDOW_TRANSITIONS: Mapping[tuple[WindowState, WindowState], Happening] = MappingProxyType(
    {
        (WindowState.PENDING, WindowState.RUNNING): Happening.WINDOW_STARTED,
        (WindowState.RUNNING, WindowState.RUNNING): Happening.WINDOW_STARTED,
        (WindowState.RUNNING, WindowState.PENDING): Happening.WINDOW_RELEASED,
        (WindowState.RUNNING, WindowState.PUBLISHED): Happening.WINDOW_PUBLISHED,
        (WindowState.RUNNING, WindowState.FAILED): Happening.WINDOW_FAILED,
        (WindowState.RUNNING, WindowState.CANCELLED): Happening.WINDOW_CANCELLED,
        (WindowState.PENDING, WindowState.FAILED): Happening.WINDOW_FAILED,
        (WindowState.PENDING, WindowState.CANCELLED): Happening.CANCELLED,
    }
)
"""Every move that a window can make, with the event that tells of it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted in windows, and the control totals."""

    rows_read: int = 0
    rows_used: int = 0
    rows_quarantined: int = 0
    rows_superseded: int = 0
    facts_inserted: int = 0
    facts_updated: int = 0
    facts_unchanged: int = 0
    facts_deleted: int = 0
    total_qty: Decimal = Decimal()
    """Pieces in the rows that are used."""
    fact_total_qty: Decimal = Decimal()
    """Pieces in the facts, read anew."""

    @classmethod
    def of(cls, counts: Counts, written: Written) -> Tally:
        """Give the tally of a window from what its statement counted and what is in its facts."""
        shared = {field.name: getattr(counts, field.name) for field in fields(cls) if field.name != "fact_total_qty"}
        return cls(**shared, fact_total_qty=written.total_qty)

    def without_facts(self) -> Tally:
        """Give it for a window that is not published: its rows and pieces were counted, and no fact was written."""
        return replace(self, facts_inserted=0, facts_updated=0, facts_unchanged=0, facts_deleted=0)

    def plus(self, other: Tally) -> Tally:
        """Give both together."""
        return Tally(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class RunWindow:
    """One business day of one run."""

    tenant: str
    run: uuid.UUID
    date: date
    cause: str
    state: WindowState = WindowState.PENDING
    tally: Tally = NOTHING
    reason: str = ""
    """Why it failed, in UPPER_SNAKE_CASE."""
    message: str = ""
    quality: tuple[Result, ...] = ()
    """What the quality rules found."""
    attempts: int = 0
    duration_ms: int = 0
    end_time: datetime | None = None

    def moved(self, state: WindowState) -> tuple[RunWindow, Happening]:
        """Give it in its next state, and what tells of that; raise ImpossibleTransition."""
        happening = WINDOW_TRANSITIONS.get((self.state, state))
        if happening is None:
            raise ImpossibleTransition("a window", self.state, state)
        return replace(self, state=state), happening


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a pipeline over windows."""

    tenant: str
    run: uuid.UUID
    pipeline: str
    kind: Kind
    state: RunState
    parallel: int
    """How many of its windows are worked on at once, at most."""
    code_version: str
    sql_hash: str
    requester: str
    from_date: date | None
    to_date: date | None
    windows_total: int
    create_time: datetime
    """Also its one "now"."""
    windows_done: int = 0
    """Published or failed."""
    windows_failed: int = 0
    windows_cancelled: int = 0
    tally: Tally = NOTHING
    sequence: int = 1
    error: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
    cancel_time: datetime | None = None
    """When it was asked to stop; what is being worked on then still ends."""
    traceparent: str = ""
    """Where in a trace it was ordered (W3C Trace Context); its events are of that trace."""

    @property
    def windows_left(self) -> int:
        """Give how many windows have not ended."""
        return self.windows_total - self.windows_done - self.windows_cancelled

    @property
    def percent(self) -> float:
        """Give how far it is, 0 to 100; never goes back."""
        return 100 * self.windows_done / self.windows_total if self.windows_total else 100.0

    def begun(self, now: datetime) -> Run:
        """Give it with a window begun."""
        run = self if self.state is RunState.RUNNING else self._moved(RunState.RUNNING)
        return replace(run, start_time=run.start_time or now, sequence=run.sequence + 1)

    def released(self) -> Run:
        """Give it with a window given back."""
        return replace(self, sequence=self.sequence + 1)

    def with_ended(self, window: RunWindow) -> Run:
        """Give it with a window that has ended."""
        is_cancelled = window.state is WindowState.CANCELLED
        return replace(
            self,
            windows_done=self.windows_done + (not is_cancelled),
            windows_failed=self.windows_failed + (window.state is WindowState.FAILED),
            windows_cancelled=self.windows_cancelled + is_cancelled,
            tally=self.tally.plus(window.tally) if window.state is WindowState.PUBLISHED else self.tally,
            sequence=self.sequence + 1,
        )

    def cancelled(self, windows: int, now: datetime) -> Run:
        """Give it with a wish to stop, and so many windows that are not begun any more."""
        return replace(self, cancel_time=now, windows_cancelled=self.windows_cancelled + windows)

    def ended(self, now: datetime) -> tuple[Run, Happening] | None:
        """Give it at its end, and what tells of that; None as long as windows are left."""
        if self.windows_left:
            return None
        state, error = RunState.COMPLETED, ""
        if self.windows_cancelled or self.cancel_time:
            state = RunState.CANCELLED
        elif self.windows_failed:
            state = RunState.FAILED
            error = f"{self.windows_failed} of {self.windows_total} windows are not published; their old facts stay."
        moved = replace(self._moved(state), sequence=self.sequence + 1, end_time=now, error=error)
        return moved, RUN_TRANSITIONS[self.state, state]

    def _moved(self, state: RunState) -> Run:
        if (self.state, state) not in RUN_TRANSITIONS:
            raise ImpossibleTransition("a run", self.state, state)
        return replace(self, state=state)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run is, over its latest windows."""

    rows_a_second: float = 0.0
    windows_a_second: float = 0.0

    def seconds_left(self, run: Run) -> float:
        """Give how long a run takes yet at this pace; 0 if unknown."""
        return run.windows_left / self.windows_a_second if self.windows_a_second else 0.0


UNKNOWN_PACE = Pace()


def pace(windows: int, rows: int, seconds: float) -> Pace:
    """Give the pace of so many windows with so many rows, which took so long together, side by side as they ran."""
    return Pace(rows / seconds, windows / seconds) if windows and seconds > 0 else UNKNOWN_PACE
