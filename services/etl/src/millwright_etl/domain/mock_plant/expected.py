"""What must come of the rows: facts, defects by type, and how many rows are set aside, by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.records import Record, RecordType

_COPIED = {
    RecordType.WORK_ORDER: ("total_qty", "good_qty", "defect_qty", "rework_qty", "scrap_qty", "runtime_seconds"),
    RecordType.PRODUCTION_ORDER: ("planned_qty", "planned_seconds"),
}
_STATUS = {"DOWN": "downtime_seconds", "SETUP": "setup_seconds"}


class FactKey(NamedTuple):
    """What a fact is about."""

    date: date
    line: str
    product: str
    shift: str


class Expected:
    """The sums so far."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars
        self._facts: defaultdict[FactKey, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._defects: defaultdict[tuple[FactKey, str], Decimal] = defaultdict(Decimal)
        self._reasons: Counter[str] = Counter()

    @property
    def facts(self) -> Mapping[FactKey, Mapping[str, Decimal]]:
        """Give the measures that are not 0, by what they are about; whole numbers and halves, exact."""
        facts = {key: dict(fact) for key, fact in sorted(self._facts.items())}
        for key, seconds in self._calendar_seconds():
            facts[key]["planned_seconds"] = seconds
        return facts

    @property
    def defects(self) -> Mapping[tuple[FactKey, str], Decimal]:
        """Give defective pieces, by what they are about and their type."""
        return self._defects

    @property
    def reasons(self) -> Mapping[str, int]:
        """Give how many rows are set aside, by reason."""
        return self._reasons

    def quarantine(self, reason: str) -> None:
        """Count a row that is set aside."""
        self._reasons[reason] += 1

    def use(self, day: date, shift: str, record: Record) -> None:
        """Add what a row says at last."""
        payload = record.payload
        key = FactKey(day, str(payload["line_code"]), str(payload.get("product_code", "-")), shift)
        if record.record_type is RecordType.QUALITY:
            self._defects[key, str(payload["defect_type"])] += _number(payload["defect_qty"])
            return
        fact = self._facts[key]
        for measure in _COPIED.get(record.record_type, ()):
            fact[measure] += _number(payload[measure])
        if record.record_type is RecordType.EQUIPMENT_STATUS:
            fact[_STATUS[str(payload["status"])]] += _number(payload["duration_seconds"])
        if record.record_type is RecordType.WORK_ORDER:
            pieces = _number(payload["total_qty"])
            fact["cycle_seconds_sum"] += pieces * _number(payload["cycle_seconds"])
            fact["ideal_seconds_sum"] += pieces * _number(payload["ideal_cycle_seconds"])
            fact["work_orders"] += 1

    def _calendar_seconds(self) -> Iterator[tuple[FactKey, Decimal]]:
        """Give the planned time of lines of which no order tells any of the day: what the calendar plans of each shift.

        A shift is spread over the products of a line by their running time, in whole seconds.
        """
        planned = {(key.date, key.line) for key, fact in self._facts.items() if fact["planned_seconds"]}
        worked = [key for key, fact in self._facts.items() if fact["work_orders"] and key[:2] not in planned]
        for (day, _, shift), group in groupby(sorted(sorted(worked), key=_shift_of_line), _shift_of_line):
            keys = list(group)
            [seconds] = [span.planned_seconds for span in self._calendars.shift_spans(day) if span.code == shift]
            running = [self._facts[key]["runtime_seconds"] for key in keys]
            ends = [(seconds * up_to / sum(running)).quantize(0, ROUND_HALF_UP) for up_to in accumulate(running)]
            yield from zip(keys, (end - begin for begin, end in pairwise([Decimal(0), *ends])), strict=True)


def _shift_of_line(key: FactKey) -> tuple[date, str, str]:
    return key.date, key.line, key.shift


def _number(value: object) -> Decimal:
    assert isinstance(value, int | float)
    return Decimal(value)
