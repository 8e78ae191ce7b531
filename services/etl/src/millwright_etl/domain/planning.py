"""Planning: which business days a run has, and why. Whoever carries the plan out needs nothing of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from millwright_runtime.errors import Violation

from millwright_etl.domain.landing import EARLIEST

MOST_BACKFILL_DAYS = 3_660
MOST_ASKED_DAYS = 400
MOST_PARALLEL = 16
BACKFILL_PARALLEL = 2


class Cause(StrEnum):
    """Why a day is in a run."""

    YESTERDAY = "yesterday"
    MISSING = "missing"
    FAILED = "failed"
    DIRTY = "dirty"
    ASKED = "asked"


class Redo(StrEnum):
    """Which days of a range a backfill has; each includes those before it."""

    MISSING = "MISSING"
    FAILED = "FAILED"
    DIRTY = "DIRTY"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a business day; one of which nothing is known is as this is without arguments."""

    is_published: bool = False
    """Its facts were made at least once."""
    is_failed: bool = False
    """Its last run left the facts as they were."""
    is_dirty: bool = False
    """It changed since its facts were made."""
    is_queued: bool = False
    """A run that will not keep it waiting has it already, with all that has changed."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A day of a run."""

    date: date
    cause: Cause


def due(yesterday: date, days: Mapping[date, Day]) -> list[Planned]:
    """Give every day up to yesterday that needs a run, the oldest first.

    That is yesterday unless it is published and unchanged, and of the days before those that have rows and were never
    published, failed, or changed. A day that another run has already is left to it, unless it changed since.
    """
    known = {yesterday: Day(), **days}
    causes = ((each, _due_cause(each == yesterday, known[each])) for each in sorted(known) if each <= yesterday)
    return [Planned(each, cause) for each, cause in causes if cause]


def backfill(from_date: date, to_date: date, redo: Redo, days: Mapping[date, Day]) -> list[Planned]:
    """Give the days of [from_date, to_date] that are to be done, the oldest first."""
    length = (to_date - from_date).days + 1
    asked = (from_date + timedelta(days=number) for number in range(length))
    causes = ((each, _backfill_cause(redo, days.get(each, Day()))) for each in asked)
    return [Planned(each, cause) for each, cause in causes if cause]


def asked(dates: Sequence[date]) -> list[Planned]:
    """Give the days that were named, each once, the oldest first."""
    return [Planned(each, Cause.ASKED) for each in sorted(set(dates))]


def date_faults(field: str, day: date, today: date) -> list[Violation]:
    """Give what is wrong with a day that is to be run; `today` by the plant's calendar."""
    if day > today:
        return [Violation(field, "OUT_OF_RANGE", f"must not lie ahead: today is {today}")]
    if day < EARLIEST:
        return [Violation(field, "OUT_OF_RANGE", f"must not be before {EARLIEST}")]
    return []


def range_faults(from_date: date, to_date: date, today: date) -> list[Violation]:
    """Give what is wrong with a range of days that is to be run."""
    length = (to_date - from_date).days + 1
    if length < 1:
        return [Violation("to_date", "OUT_OF_RANGE", "must not be before from_date")]
    found = []
    if length > MOST_BACKFILL_DAYS:
        what = f"must leave at most {MOST_BACKFILL_DAYS:,} days: these are {length:,}; run the range in parts"
        found.append(Violation("to_date", "RANGE_TOO_LONG", what))
    return found + date_faults("from_date", from_date, today) + date_faults("to_date", to_date, today)


def _due_cause(is_yesterday: bool, day: Day) -> Cause | None:  # noqa: FBT001 - private
    if day.is_queued:
        return None
    if day.is_failed:
        return Cause.FAILED
    if is_yesterday and not day.is_published:
        return Cause.YESTERDAY
    if not day.is_published:
        return Cause.MISSING
    return Cause.DIRTY if day.is_dirty else None


def _backfill_cause(redo: Redo, day: Day) -> Cause | None:
    if not day.is_published:
        return Cause.FAILED if day.is_failed else Cause.MISSING
    if day.is_failed and redo is not Redo.MISSING:
        return Cause.FAILED
    if day.is_dirty and redo in {Redo.DIRTY, Redo.ALL}:
        return Cause.DIRTY
    return Cause.ASKED if redo is Redo.ALL else None
