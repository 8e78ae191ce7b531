"""Calendars of plants as messages."""

from __future__ import annotations

import re
from datetime import date, time

from millwright.etl.v1 import production_service_pb2 as pb
from millwright_runtime.errors import InvalidFields, Violation

from millwright_etl.domain.calendar import Calendar, Shift, faults

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,16}")


def read(message: pb.PlantCalendar) -> Calendar:
    """Give the calendar; raise InvalidFields with everything that is wrong with it."""
    wrong: list[Violation] = []
    shifts = []
    for place, shift in enumerate(message.shifts):
        path = f"calendar.shifts[{place}]"
        if not _CODE.fullmatch(shift.code):
            wrong.append(Violation(f"{path}.code", "INVALID_FORMAT", "must be 1 to 16 of letters, digits, . _ and -"))
        start, end = _clock(shift.start, f"{path}.start", wrong), _clock(shift.end, f"{path}.end", wrong)
        shifts.append(Shift(shift.code, start, end, shift.planned_minutes))
    day_start = _clock(message.day_start, "calendar.day_start", wrong)
    valid_from = None
    if message.valid_from:
        try:
            valid_from = date.fromisoformat(message.valid_from)
        except ValueError:
            wrong.append(Violation("calendar.valid_from", "NOT_A_DATE", "must be a date, as 2026-11-01, or empty"))
    calendar = Calendar(message.time_zone, day_start, tuple(shifts), valid_from)
    if wrong := wrong or faults(calendar):
        raise InvalidFields(wrong)
    return calendar


def written(calendar: Calendar, etag: str) -> pb.PlantCalendar:
    """Give a calendar as callers have it."""
    return pb.PlantCalendar(
        time_zone=calendar.time_zone,
        day_start=f"{calendar.day_start:%H:%M}",
        shifts=[
            pb.Shift(
                code=shift.code,
                start=f"{shift.start:%H:%M}",
                end=f"{shift.end:%H:%M}",
                planned_minutes=shift.planned_minutes,
            )
            for shift in calendar.shifts
        ],
        valid_from=calendar.valid_from.isoformat() if calendar.valid_from else "",
        etag=etag,
    )


def _clock(text: str, field: str, wrong: list[Violation]) -> time:
    if not _CLOCK.fullmatch(text):
        wrong.append(Violation(field, "INVALID_FORMAT", "must be a time of day, as 06:00"))
        return time()
    return time.fromisoformat(text)
