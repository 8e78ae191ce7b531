"""The rows of a made-up plant as they arrive: late, twice, corrected and bad."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain

from millwright_runtime.json import Json

from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.mock_plant import shifts
from millwright_etl.domain.mock_plant.expected import Expected
from millwright_etl.domain.mock_plant.faults import reason, spoilt
from millwright_etl.domain.mock_plant.plan import MOST_LATE_DAYS, Fate, Plan, draws, fates
from millwright_etl.domain.records import Record, RecordType

_NUMBERS = {
    RecordType.WORK_ORDER: "total_qty",
    RecordType.PRODUCTION_ORDER: "planned_qty",
    RecordType.EQUIPMENT_STATUS: "duration_seconds",
    RecordType.QUALITY: "defect_qty",
}


def total(plan: Plan, calendars: Calendars) -> int:
    """Give how many rows will arrive."""
    kinds = shifts.kinds(plan)
    return sum(
        fate.times
        for day in plan.dates
        for span in calendars.shift_spans(day)
        for line in plan.line_codes
        for fate in fates(plan, _place(day, line, span.code), kinds)
    )


def arrivals(plan: Plan, calendars: Calendars, expected: Expected) -> Iterator[tuple[date, list[Record]]]:
    """Give the rows that arrive on each day, in order, and tell `expected` what each says at last.

    The last rows come some days after the plan's last business day.
    """
    coming: defaultdict[date, list[Record]] = defaultdict(list)
    for day in plan.dates:
        for record, late_days in _of_day(plan, calendars, day, expected):
            coming[day + timedelta(days=late_days)].append(record)
        yield day, coming.pop(day, [])
    for late_days in range(1, MOST_LATE_DAYS + 2):
        day = plan.dates[-1] + timedelta(days=late_days)
        if day in coming:
            yield day, coming.pop(day)


def _of_day(plan: Plan, calendars: Calendars, day: date, expected: Expected) -> Iterator[tuple[Record, int]]:
    """Give the rows of a business day, each with how many days late it comes."""
    kinds = shifts.kinds(plan)
    for span in calendars.shift_spans(day):
        for line in plan.line_codes:
            place = _place(day, line, span.code)
            random = draws(plan, place, "first versions")
            rows = shifts.rows(plan, day, line, span, place)
            for record, fate in zip(rows, fates(plan, place, kinds), strict=True):
                _expect(expected, day, span.code, record, fate)
                last, late_days = _as_it_is(record, fate), fate.late_days
                if fate.is_corrected or fate.is_deleted:
                    yield (_first_version(plan, last, random()) if fate.is_corrected else last), late_days
                    later = last.source_time + timedelta(hours=1)
                    last, late_days = replace(last, source_time=later, deleted=fate.is_deleted), late_days + 1
                yield last, late_days
                if fate.is_twice:
                    yield last, late_days


def _expect(expected: Expected, day: date, shift: str, record: Record, fate: Fate) -> None:
    if fate.is_deleted:
        return
    if fate.fault:
        expected.quarantine(reason(fate.fault))
    else:
        expected.use(day, shift, record)


def _as_it_is(record: Record, fate: Fate) -> Record:
    if not fate.fault:
        return record
    return replace(record, payload=spoilt(record.record_type, fate.fault, record.payload))


def _first_version(plan: Plan, record: Record, chance: float) -> Record:
    """Give a record as it was written down first: another quantity, line or product."""
    number = _NUMBERS[record.record_type]
    others: list[dict[str, Json]] = [{number: 1}, {"line_code": _another(plan.line_codes, record.payload["line_code"])}]
    if "product_code" in record.payload:
        others.append({"product_code": _another(plan.product_codes, record.payload["product_code"])})
    return replace(record, payload={**record.payload, **others[int(chance * len(others))]})


def _another(codes: list[str], code: Json) -> str:
    return next(chain((each for each in codes if each != code), codes))


def _place(day: date, line: str, shift: str) -> str:
    return f"{day}/{line}/{shift}"
