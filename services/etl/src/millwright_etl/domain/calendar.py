"""The plant's calendar: what a business day is, and which shift an instant falls into.

A business day begins at the plant's own hour in the plant's own time zone, and a shift over midnight belongs to the day
it began. Days are half-open spans of instants: [begin, end). Where the clocks change, a day is 23 or 25 hours long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from millwright_runtime.errors import Violation

EARLIEST, LATEST = date(1990, 1, 1), date(2199, 12, 31)
"""Days that a calendar may hold from."""
MOST_SHIFTS = 12
MOST_DAYS_MOVED = 3
"""How far another calendar moves an instant at most: time zones are 26 hours apart, and days begin at any hour."""
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift, by the plant's clock; `end` at or before `start` is on the next morning."""

    code: str
    start: time
    end: time
    planned_minutes: int


@dataclass(frozen=True, slots=True)
class ShiftSpan:
    """A shift of one business day."""

    code: str
    begin_time: datetime
    end_time: datetime
    planned_seconds: int
    """What of it is planned for production on a line (PBT of ISO 22400)."""

    def until(self, end: datetime) -> ShiftSpan:
        """Give the shift as it is when it ends then; what is planned of it is not longer than it is."""
        end = max(end, self.begin_time)
        planned = min(self.planned_seconds, int((end - self.begin_time).total_seconds()))
        return replace(self, end_time=end, planned_seconds=planned)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a business day is, from `valid_from` on; None: from the beginning."""

    time_zone: str
    day_start: time
    shifts: tuple[Shift, ...]
    valid_from: date | None = None

    def begin_time(self, day: date) -> datetime:
        """Give when a business day begins, in UTC."""
        return self._instant(day, self.day_start)

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Give the instants [begin, end) of a business day, in UTC."""
        return self.begin_time(day), self.begin_time(day + timedelta(days=1))

    def business_date(self, instant: datetime) -> date:
        """Give the business day that an instant falls into."""
        local = instant.astimezone(ZoneInfo(self.time_zone))
        day = local.date() - timedelta(days=1)
        while instant >= self.begin_time(day + timedelta(days=1)):
            day += timedelta(days=1)
        return day

    def shift_spans(self, day: date) -> list[ShiftSpan]:
        """Give the shifts of a business day, in order; together they are the whole day."""
        begins = [self._shift_begin(day, shift) for shift in self.shifts]
        ends = [*begins[1:], self.span(day)[1]]
        return [
            ShiftSpan(shift.code, begin, end, shift.planned_minutes * 60).until(end)
            for shift, begin, end in zip(self.shifts, begins, ends, strict=True)
        ]

    def _shift_begin(self, day: date, shift: Shift) -> datetime:
        is_next_morning = shift.start < self.day_start
        return self._instant(day + timedelta(days=is_next_morning), shift.start)

    def _instant(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, ZoneInfo(self.time_zone)).astimezone(UTC)


DEFAULT = Calendar(
    time_zone="Asia/Seoul",
    day_start=time(6),
    shifts=(
        Shift("A", time(6), time(14), 450),
        Shift("B", time(14), time(22), 450),
        Shift("C", time(22), time(6), 450),
    ),
)
"""What holds for a plant that has not said otherwise."""


@dataclass(frozen=True, slots=True)
class Calendars:
    """A plant's calendars over the years: each holds until the next begins."""

    calendars: tuple[Calendar, ...] = (DEFAULT,)
    """By `valid_from`, the earliest first; that one holds from the beginning."""

    def of(self, day: date) -> Calendar:
        """Give the calendar that holds for a business day."""
        holding = self.calendars[0]
        for calendar in self.calendars:
            if calendar.valid_from is None or calendar.valid_from <= day:
                holding = calendar
        return holding

    def business_date(self, instant: datetime) -> date:
        """Give the business day that an instant falls into, by the calendar that holds for that day."""
        last = date.max
        for calendar in reversed(self.calendars):
            day = min(calendar.business_date(instant), last)
            if calendar.valid_from is None or day >= calendar.valid_from:
                return day
            last = calendar.valid_from - timedelta(days=1)
        return self.calendars[0].business_date(instant)

    def newest_over(self, instant: datetime) -> date:
        """Give the newest business day that is over at an instant."""
        return self.business_date(instant) - timedelta(days=1)

    def begin_time(self, day: date) -> datetime:
        """Give when a business day begins; none begins after a calendar has taken over that holds for later days."""
        later = ((each, each.valid_from) for each in self.calendars if each.valid_from and each.valid_from > day)
        return min([self.of(day).begin_time(day), *(each.begin_time(first) for each, first in later)])

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Give the instants of a business day; where a calendar takes over, the day before ends when it begins."""
        return self.begin_time(day), self.begin_time(day + timedelta(days=1))

    def first_moved(self, before: Calendars, valid_from: date) -> date:
        """Give the first day that is another span than before, where a calendar that holds from a day on is changed."""
        day = valid_from
        while self.span(day - timedelta(days=1)) != before.span(day - timedelta(days=1)):
            day -= timedelta(days=1)
        return day

    def shift_spans(self, day: date) -> list[ShiftSpan]:
        """Give the shifts of a business day; the last one ends with the day."""
        spans, end = self.of(day).shift_spans(day), self.span(day)[1]
        return [*spans[:-1], spans[-1].until(end)]


def faults(calendar: Calendar) -> list[Violation]:
    """Give everything that is wrong with a calendar, by its path in the request."""
    found = []
    try:
        ZoneInfo(calendar.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(Violation("calendar.time_zone", "UNKNOWN_VALUE", "must be an IANA time zone, as Asia/Seoul"))
    if calendar.valid_from and not EARLIEST <= calendar.valid_from <= LATEST:
        found.append(Violation("calendar.valid_from", "OUT_OF_RANGE", f"must be from {EARLIEST} to {LATEST}, or empty"))
    if not 1 <= len(calendar.shifts) <= MOST_SHIFTS:
        found.append(Violation("calendar.shifts", "OUT_OF_RANGE", f"must be 1 to {MOST_SHIFTS} shifts"))
        return found
    if len({shift.code for shift in calendar.shifts}) < len(calendar.shifts):
        found.append(Violation("calendar.shifts", "DUPLICATE", "must have codes of their own"))
    if calendar.shifts[0].start != calendar.day_start:
        found.append(Violation("calendar.shifts[0].start", "MISMATCH", "must be when the business day begins"))
    found += _chain_faults(calendar.shifts)
    return found


def _chain_faults(shifts: Sequence[Shift]) -> list[Violation]:
    """Shifts follow one another without gap or overlap, and are a day together."""
    found = []
    for place, shift in enumerate(shifts):
        following = shifts[(place + 1) % len(shifts)]
        if shift.end != following.start:
            what = f"must be when {following.code} begins: shifts leave no gap and do not overlap"
            found.append(Violation(f"calendar.shifts[{place}].end", "MISMATCH", what))
        if not 0 <= shift.planned_minutes <= _minutes(shift):
            what = f"must be from 0 to the {_minutes(shift)} minutes of the shift"
            found.append(Violation(f"calendar.shifts[{place}].planned_minutes", "OUT_OF_RANGE", what))
    if not found and sum(map(_minutes, shifts)) != _DAY_MINUTES:
        found.append(Violation("calendar.shifts", "MISMATCH", "must be 24 hours together"))
    return found


def _minutes(shift: Shift) -> int:
    minutes = (shift.end.hour - shift.start.hour) * 60 + shift.end.minute - shift.start.minute
    return minutes if minutes > 0 else minutes + _DAY_MINUTES
