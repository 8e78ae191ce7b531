"""What is looked at before a row is landed, and what is told to its sender if it is refused.

A row is refused only for what would keep it from being found again: a broken key, no JSON object, an impossible time.
Whatever is wrong with the fields of a payload is found when the pipeline runs, apart from dates and times: they are
read here, because they decide to which business day the row belongs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.payloads import NUMBERS
from millwright_etl.domain.records import Record, RecordType, SourceType

PAYLOAD_BYTES = 1024 * 1024
EARLIEST = date(1990, 1, 1)
AHEAD = timedelta(days=1)
"""How far ahead of us the clocks of sources may be."""

_SOURCE_TYPES = frozenset(map(str, SourceType))
_RECORD_TYPES = frozenset(map(str, RecordType))
_SYSTEM = re.compile(r"[a-z0-9.-]{1,63}")
_MOST_ID_CHARACTERS = 200
_MOST_NUMBER_CHARACTERS = 1000
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_MOST_DIGITS = 300
_LONG_NUMBER = re.compile(rf"[0-9]{{{_MOST_DIGITS}}}")
_TINY_NUMBER = re.compile(r"[eE]-[0-9]{3}")
_TIMES = ("start_time", "end_time")


class Refusal(NamedTuple):
    """Why a row is not landed."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row that may be landed."""

    source_type: str
    source_system: str
    record_type: str
    external_id: str
    payload: str
    """A JSON object, as it was sent."""
    event_time: datetime
    source_time: datetime | None
    """When its system wrote it; None: when it comes here."""
    deleted: bool
    stated_date: date | None
    """The business day that the payload names, if it does."""
    faults: str | None
    """What is wrong with dates, times and endless numbers in it, as JSON."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Give its natural key within the tenant."""
        return self.source_system, self.record_type, self.external_id


class Payload(NamedTuple):
    """What is in a payload."""

    fields: Mapping[str, Any]
    may_be_endless: bool
    """Whether there may be numbers that are longer than anything that is measured."""


class Counts(NamedTuple):
    """How many rows became what."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0
    refused: int = 0

    def plus(self, other: Counts) -> Counts:
        """Give both together."""
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))


class Door:
    """Looks at the rows of one plant as they come in."""

    def __init__(self, calendars: Calendars, now: datetime) -> None:
        """Read times without an offset by the plant's clock; `now` bounds what lies ahead."""
        self._zone = ZoneInfo(calendars.calendars[-1].time_zone)
        self._earliest_time = datetime.combine(EARLIEST, time(), UTC)
        self._latest_time = now + AHEAD
        self._latest_date = (now + AHEAD).astimezone(self._zone).date()

    def examine(
        self,
        source_type: str,
        source_system: str,
        record_type: str,
        external_id: str,
        payload: str,
        event_time: datetime | None,
        source_time: datetime | None,
        *,
        deleted: bool,
    ) -> Row | Refusal:
        """Give the row, or why it cannot be landed; a deleted one needs no payload."""
        fault = _key_fault(source_type, source_system, record_type, external_id)
        if fault is not None:
            return fault
        if event_time is None or not self._earliest_time <= event_time <= self._latest_time:
            return Refusal("EVENT_TIME_OUT_OF_RANGE", "event_time", "must be between 1990 and a day ahead")
        if source_time is not None and not self._earliest_time <= source_time <= self._latest_time:
            return Refusal("INVALID_FIELD", "source_time", "must be between 1990 and a day ahead")
        if deleted and not payload:
            payload = "{}"
        read = read_payload(payload)
        if isinstance(read, Refusal):
            return read
        stated_date, faults = self.look_into(read)
        told = orjson.dumps(faults).decode() if faults else None
        return Row(
            source_type,
            source_system,
            record_type,
            external_id,
            payload,
            event_time,
            source_time,
            deleted,
            stated_date,
            told,
        )

    def admit(self, record: Record) -> Row | Refusal:
        """Give the row of a record of ours, as `examine` does."""
        return self.examine(
            record.source_type,
            record.source_system,
            record.record_type,
            record.external_id,
            orjson.dumps(record.payload).decode(),
            record.event_time,
            record.source_time,
            deleted=record.deleted,
        )

    def look_into(self, payload: Payload) -> tuple[date | None, list[dict[str, str]]]:
        """Give the business day that a payload names, and what is wrong with dates, times and endless numbers in it."""
        faults: list[dict[str, str]] = []
        fields = payload.fields
        stated_date = self._stated_date(fields.get("business_date"), faults)
        start, end = (self._time(fields.get(field), field, faults) for field in _TIMES)
        if start is not None and end is not None and end < start:
            faults.append(_fault("END_BEFORE_START", "end_time", "end_time must not be before start_time"))
        if payload.may_be_endless:
            faults += [
                _fault("TOO_LONG", field, f"{field} must have fewer than {_MOST_DIGITS} digits")
                for field in sorted(NUMBERS & fields.keys())
                if isinstance(text := fields[field], str) and _may_be_endless(text)
            ]
        return stated_date, faults

    def _stated_date(self, value: Any, faults: list[dict[str, str]]) -> date | None:
        if value is None:
            return None
        try:
            stated = date.fromisoformat(value)
        except (TypeError, ValueError):
            faults.append(_fault("NOT_A_DATE", "business_date", "business_date must be a date, as 2026-11-01"))
            return None
        if EARLIEST <= stated <= self._latest_date:
            return stated
        faults.append(_fault("OUT_OF_RANGE", "business_date", "business_date must be between 1990 and tomorrow"))
        return None

    def _time(self, value: Any, field: str, faults: list[dict[str, str]]) -> datetime | None:
        if value is None:
            return None
        try:
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=self._zone)
            is_possible = self._earliest_time <= instant <= self._latest_time
        except (TypeError, ValueError, OverflowError):
            faults.append(_fault("NOT_A_TIME", field, f"{field} must be an instant, as 2026-11-01T08:30:00+09:00"))
            return None
        if is_possible:
            return instant
        faults.append(_fault("OUT_OF_RANGE", field, f"{field} must be between 1990 and a day ahead"))
        return None


class BusinessDays:
    """Tells business days of many instants: most fall into a day that was asked for before."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars
        self._spans: dict[date, tuple[datetime, datetime]] = {}
        self._last = EARLIEST, datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    def of(self, stated_date: date | None, event_time: datetime) -> date:
        """Give the business day of a row."""
        if stated_date is not None:
            return stated_date
        day, begin, end = self._last
        if not begin <= event_time < end:
            day = self._calendars.business_date(event_time)
            self._last = day, *self._calendars.span(day)
        return day

    def of_all(self, versions: Iterable[tuple[date | None, datetime]]) -> list[date]:
        """Give the business days of rows, each once."""
        return sorted({self.of(stated_date, event_time) for stated_date, event_time in versions})


def rounds(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Give rows in rounds: in each, every key at most once; the rows of a key keep their order."""
    left = list(rows)
    while left:
        seen: set[tuple[str, str, str]] = set()
        this: list[Row] = []
        again: list[Row] = []
        for row in left:
            (again if row.key in seen else this).append(row)
            seen.add(row.key)
        yield this
        left = again


def _key_fault(source_type: str, source_system: str, record_type: str, external_id: str) -> Refusal | None:
    if source_type not in _SOURCE_TYPES:
        return Refusal("INVALID_FIELD", "source_type", "must be ERP or MES")
    if not _SYSTEM.fullmatch(source_system):
        return Refusal("INVALID_FIELD", "source_system", "must be 1 to 63 of a-z, 0-9, dots and dashes")
    if record_type not in _RECORD_TYPES:
        return Refusal("INVALID_FIELD", "record_type", "must be a kind of row that there is")
    if not 1 <= len(external_id) <= _MOST_ID_CHARACTERS or "\x00" in external_id:
        return Refusal(
            "INVALID_FIELD", "external_id", f"must be 1 to {_MOST_ID_CHARACTERS} characters, none of them NUL"
        )
    return None


def read_payload(payload: str) -> Payload | Refusal:
    """Give the payload's fields, or why it cannot be landed."""
    if _size(payload) > PAYLOAD_BYTES:
        return Refusal("PAYLOAD_TOO_LARGE", "payload", f"must be at most {PAYLOAD_BYTES} bytes")
    try:
        value = orjson.loads(payload)
        if may_be_endless := _may_be_endless(payload):
            json.loads(payload, parse_float=_check_number, parse_int=_check_number)
    except (ValueError, RecursionError):
        return Refusal("PAYLOAD_NOT_JSON", "payload", "must be a JSON object whose numbers can be held")
    if not isinstance(value, dict) or ("\\u0000" in payload and _NUL.search(payload)):
        return Refusal("PAYLOAD_NOT_JSON", "payload", "must be a JSON object, and hold no NUL character")
    return Payload(value, may_be_endless)


def _may_be_endless(text: str) -> bool:
    """Tell whether there may be a number that Postgres does not hold; cheap, since every row is asked."""
    has_exponent = "e-" in text or "E-" in text
    return bool(has_exponent and _TINY_NUMBER.search(text)) or bool(_LONG_NUMBER.search(text))


def _size(text: str) -> int:
    """Give how many bytes a text has; of one that is short whatever it holds, something that is not too few."""
    return len(text) * 4 if len(text) * 4 <= PAYLOAD_BYTES else len(text.encode())


def _check_number(text: str) -> None:
    """Refuse what Postgres does not hold: it has no place for more digits, and does not round them."""
    exponent = text.lower().partition("e")[2]
    if len(text) > _MOST_NUMBER_CHARACTERS or abs(int(exponent or 0)) > _MOST_NUMBER_CHARACTERS:
        raise ValueError


def _fault(code: str, field: str, message: str) -> dict[str, str]:
    return {"code": code, "field": field, "message": message}
