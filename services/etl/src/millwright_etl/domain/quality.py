"""Quality rules: what the data of a plant must meet, and what follows where it does not.

Some checks look at rows, the others at the whole window. ERROR and CRITICAL quarantine the rows that a check of rows is
about. A window is not published if a check of the window does not hold with ERROR, or any check with CRITICAL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median

from millwright_runtime.errors import Violation

from millwright_etl.domain.payloads import TEXTS, kinds_with
from millwright_etl.domain.records import RecordType
from millwright_etl.domain.windows import Counts, Findings, Window

MOST_RULES = 100
REFERENCES = ("line_code", "product_code", "shift", "equipment_code")
"""The fields whose values a plant can name."""
_ROWS = {
    RecordType.WORK_ORDER: "work orders",
    RecordType.PRODUCTION_ORDER: "production orders",
    RecordType.EQUIPMENT_STATUS: "states of equipment",
    RecordType.QUALITY: "inspections",
}

_ID = re.compile(r"[a-z0-9-]{1,63}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LEAST_WEEKS = 2
"""Fewer days to compare with say nothing about how many rows are usual."""


class Check(StrEnum):
    """What is checked."""

    NOT_NULL = "NOT_NULL"
    RANGE = "RANGE"
    UNIQUE = "UNIQUE"
    REFERENCE = "REFERENCE"
    VOLUME = "VOLUME"
    FRESHNESS = "FRESHNESS"
    QUARANTINE = "QUARANTINE"

    @property
    def is_of_rows(self) -> bool:
        """Tell whether it is about single rows, rather than the whole window."""
        return self in {Check.NOT_NULL, Check.RANGE, Check.UNIQUE, Check.REFERENCE}


class Severity(StrEnum):
    """What follows when a rule does not hold."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Rule:
    """A quality rule of a plant."""

    id: str
    check: Check
    severity: Severity
    field: str = ""
    """Of a payload, for checks of rows."""
    record_type: RecordType = RecordType.WORK_ORDER
    """Which rows are looked at, for checks of rows."""
    min: float | None = None
    max: float | None = None
    tolerated_share: float = 0.0
    """Of the rows that are looked at: so many may break it before it counts as broken."""
    disabled: bool = False
    built_in: bool = False
    revision: int = 0
    """How often it was saved."""

    @property
    def name(self) -> str:
        """Give its resource name."""
        return f"qualityRules/{self.id}"

    @property
    def sets_aside(self) -> bool:
        """Tell whether rows that break it are quarantined."""
        return self.check.is_of_rows and self.severity in {Severity.ERROR, Severity.CRITICAL}


BUILT_IN = (
    Rule("quarantined-rows", Check.QUARANTINE, Severity.ERROR, min=20, max=0.1, built_in=True),
    Rule("source-freshness", Check.FRESHNESS, Severity.WARNING, max=12, built_in=True),
    Rule("usual-volume", Check.VOLUME, Severity.WARNING, max=0.5, built_in=True),
)
"""What holds for a plant that has not said otherwise."""


@dataclass(frozen=True, slots=True)
class History:
    """What days before the window were like."""

    weekday_rows: Sequence[int] = ()
    """Rows read on the same weekday of the last weeks."""
    sources: Mapping[str, float] | None = None
    """The newest event of each source system in the days before, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a rule found in a window."""

    rule: str
    """Its resource name."""
    check: Check
    severity: Severity
    held: bool
    rows: int
    """How many rows broke it; how many sources are stale."""
    value: float
    """What was measured: a share, or hours."""
    message: str

    @property
    def blocks(self) -> bool:
        """Tell whether the window must not be published."""
        if self.held:
            return False
        return self.severity is Severity.CRITICAL or (self.severity is Severity.ERROR and not self.check.is_of_rows)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a window is not published."""

    reason: str
    message: str


def in_force(saved: Iterable[Rule]) -> list[Rule]:
    """Give a plant's rules by id: those that it saved, and the built-in ones that it did not change."""
    rules = {rule.id: rule for rule in (*BUILT_IN, *saved)}
    return [rules[name] for name in sorted(rules)]


def results(
    rules: Sequence[Rule], counts: Counts, findings: Findings, history: History, window: Window, now: datetime
) -> list[Result]:
    """Give what each rule that is not disabled found; `findings.broken` is by the rules of rows, in their order."""
    broken = iter(findings.broken)
    found = []
    for rule in rules:
        if rule.disabled:
            continue
        match rule.check:
            case Check.VOLUME:
                found.append(_volume(rule, counts.rows_read, history.weekday_rows))
            case Check.FRESHNESS:
                found.append(_freshness(rule, findings.sources, history.sources or {}, min(window.end_time, now)))
            case Check.QUARANTINE:
                found.append(_quarantine(rule, findings.rows_refused, counts.rows_read))
            case _:
                found.append(_of_rows(rule, next(broken), findings.checked_rows[rule.record_type]))
    return found


def refusal(found: Sequence[Result]) -> Refusal | None:
    """Give why a window with these results is not published; None if it may be."""
    blocking = [result for result in found if result.blocks]
    if not blocking:
        return None
    is_threshold = all(result.check is Check.QUARANTINE for result in blocking)
    told = "; ".join(f"{result.rule}: {result.message}" for result in blocking)
    return Refusal("QUARANTINE_THRESHOLD" if is_threshold else "QUALITY", told)


def faults(rule: Rule) -> list[Violation]:
    """Give everything that is wrong with a rule, by its field in the request."""
    found = []
    if not _ID.fullmatch(rule.id):
        found.append(Violation("rule.name", "INVALID_FORMAT", "must be qualityRules/ and 1 to 63 of a-z, 0-9, dashes"))
    found += _field_faults(rule)
    bounds = [bound for bound in (rule.min, rule.max, rule.tolerated_share) if bound is not None]
    if not all(map(math.isfinite, bounds)):
        found.append(Violation("rule.max", "NOT_A_NUMBER", "must be a finite number, as min and tolerated_share"))
        return found
    found += _bound_faults(rule)
    if not 0 <= rule.tolerated_share <= 1 or (rule.tolerated_share and not rule.check.is_of_rows):
        what = "must be from 0 to 1, and 0 for a check of the whole window"
        found.append(Violation("rule.tolerated_share", "OUT_OF_RANGE", what))
    return found


def _field_faults(rule: Rule) -> Iterator[Violation]:
    if not rule.check.is_of_rows:
        if rule.field:
            yield Violation("rule.field", "NOT_ALLOWED", "must be empty for a check of the whole window")
        if rule.record_type is not RecordType.WORK_ORDER:
            yield Violation("rule.record_type", "NOT_ALLOWED", "must not be given for a check of the whole window")
    elif rule.record_type not in (kinds := kinds_with(rule.field)):
        what = f"is no field of {rule.record_type}: rows of {' and '.join(kinds)} have it (record_type)"
        yield Violation("rule.field", "NOT_OF_RECORD_TYPE", what)
    elif rule.check is Check.RANGE and rule.field in TEXTS:
        yield Violation("rule.field", "NOT_A_NUMBER", "must be a field that holds a number, as total_qty")
    elif rule.check is Check.REFERENCE:
        if rule.field not in REFERENCES:
            yield Violation("rule.field", "UNKNOWN_VALUE", f"must be one of {', '.join(REFERENCES)}")
    elif not _FIELD.fullmatch(rule.field):
        yield Violation("rule.field", "INVALID_FORMAT", "must be a field of a payload, as total_qty")


def _bound_faults(rule: Rule) -> Iterator[Violation]:
    match rule.check:
        case Check.RANGE:
            if rule.min is None and rule.max is None:
                yield Violation("rule.max", "REQUIRED", "must be given, or min")
            elif rule.min is not None and rule.max is not None and rule.min > rule.max:
                yield Violation("rule.max", "OUT_OF_RANGE", "must not be below min")
        case Check.QUARANTINE:
            if rule.max is None or not 0 <= rule.max <= 1:
                yield Violation("rule.max", "OUT_OF_RANGE", "must be a share from 0 to 1")
            if rule.min is not None and rule.min < 0:
                yield Violation("rule.min", "OUT_OF_RANGE", "must be a number of rows")
        case Check.VOLUME | Check.FRESHNESS:
            if rule.max is None or rule.max <= 0:
                yield Violation("rule.max", "OUT_OF_RANGE", "must be above 0")
            if rule.min is not None:
                yield Violation("rule.min", "NOT_ALLOWED", "must not be given for this check")
        case _:
            if rule.min is not None or rule.max is not None:
                yield Violation("rule.max", "NOT_ALLOWED", "must not be given for this check, nor min")


def _of_rows(rule: Rule, broken: int, checked: int) -> Result:
    share = broken / checked if checked else 0.0
    rows = f"{checked} {_ROWS[rule.record_type]}"
    message = f"{broken} of {rows}: {fault_text(rule)}" if broken else f"holds for {rows}"
    return _result(rule, held=share <= rule.tolerated_share, rows=broken, value=share, message=message)


def fault_text(rule: Rule) -> str:
    """Say what is wrong with a row that breaks a rule of rows."""
    match rule.check:
        case Check.NOT_NULL:
            return f"{rule.field} must be given"
        case Check.UNIQUE:
            return f"{rule.field} must not be the same in two {_ROWS[rule.record_type]} of a day"
        case Check.REFERENCE:
            return f"{rule.field} must be one that has been named"
        case _ if rule.max is None:
            return f"{rule.field} must be at least {rule.min:g}"
        case _ if rule.min is None:
            return f"{rule.field} must be at most {rule.max:g}"
        case _:
            return f"{rule.field} must be from {rule.min:g} to {rule.max:g}"


def _volume(rule: Rule, rows: int, usual: Sequence[int]) -> Result:
    if len(usual) < _LEAST_WEEKS:
        message = f"{rows} rows; too few weeks to compare with"
        return _result(rule, held=True, rows=0, value=0.0, message=message)
    middle = median(usual)
    share = abs(rows - middle) / middle if middle else float(rows > 0)
    message = f"{rows} rows, and {middle:g} on this weekday of the last weeks"
    return _result(rule, held=share <= _most(rule), rows=0, value=share, message=message)


def _freshness(rule: Rule, sources: Mapping[str, float], before: Mapping[str, float], end: datetime) -> Result:
    newest = {name: max(sources.get(name, -math.inf), before.get(name, -math.inf)) for name in {*sources, *before}}
    hours = {name: max(0.0, (end.timestamp() - time) / 3600) for name, time in newest.items()}
    stale = sorted(name for name, age in hours.items() if age > _most(rule))
    told = (f"{name}: nothing since {_minute(newest[name])}, {hours[name]:.1f} h before the end" for name in stale)
    message = "; ".join(told) or f"each of {len(hours)} sources was heard in the last {_most(rule):g} h"
    return _result(rule, held=not stale, rows=len(stale), value=max(hours.values(), default=0.0), message=message)


def _quarantine(rule: Rule, refused: int, rows: int) -> Result:
    share = refused / rows if rows else 0.0
    held = share <= _most(rule) or refused <= (rule.min or 0)
    return _result(rule, held=held, rows=refused, value=share, message=f"{refused} of {rows} rows are quarantined")


def _result(rule: Rule, *, held: bool, rows: int, value: float, message: str) -> Result:
    return Result(rule.name, rule.check, rule.severity, held, rows, value, message)


def _most(rule: Rule) -> float:
    return math.inf if rule.max is None else rule.max


def _minute(seconds: float) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
