"""What callers send in the fields that services share, checked. Each function raises InvalidFields with the path.

A request with several faults of its own collects them: it reports every wrong field at once.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypedDict

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2

from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.json import Json

REASON_LIMIT = 1000
_LONGEST_FREEZE = timedelta(days=30)
_LONGEST_WAIT_SECONDS = 30.0
_ANSWER_SECONDS = 0.2


def text(value: str, field: str, limit: int) -> str:
    """Give a text as it is; at most `limit` characters, and none that Postgres cannot hold."""
    if len(value) > limit:
        raise InvalidFields([Violation(field, "TOO_LONG", f"must be at most {limit} characters")])
    if "\x00" in value:
        raise InvalidFields([Violation(field, "INVALID_CHARACTER", "must not hold a NUL character")])
    return value


def reason(value: str, *, required: bool = False) -> str:
    """Give the reason that a caller gives for what they do."""
    if required and not value.strip():
        raise InvalidFields([Violation("reason", "REQUIRED", "must say why; it is kept in the release log")])
    return text(value, "reason", REASON_LIMIT)


def revision_faults(expected: int | None, *, automatic: bool = False) -> Iterator[Violation]:
    """Give what is wrong with an `expected_revision`; what no person decides must know what it decides on."""
    if expected is not None and expected < 0:
        yield Violation("expected_revision", "OUT_OF_RANGE", "must not be negative")
    if expected is None and automatic:
        yield Violation("expected_revision", "REQUIRED", "must be set by what no person decides")


class RollbackRequest(Protocol):
    """A request to roll a channel back, whatever the channel is of."""

    target_version: int
    source_version: int
    expected_revision: int
    keep_source_good: bool
    allow_bad_target: bool

    @property
    def freeze(self) -> duration_pb2.Duration:
        """Give how long automatic promotions are refused afterwards."""
        ...

    def HasField(self, field_name: Any, /) -> bool:
        """Tell whether a field is set."""
        ...


class RollbackWish(TypedDict):
    """What such a request asks for, by the names that domains have for it."""

    target_version: int | None
    source_version: int | None
    expected_revision: int | None
    keep_source_good: bool
    allow_bad_target: bool
    freeze: timedelta


def rollback(request: RollbackRequest, freeze: timedelta, faults: Iterable[Violation] = ()) -> RollbackWish:
    """Give what a request to roll back asks for; one that does not say how long it freezes does so for `freeze`.

    Raises InvalidFields with everything that is wrong, `faults` included: those of what one service alone has.
    """
    if request.HasField("freeze"):
        freeze = duration(request.freeze, "freeze")
    target = request.target_version if request.HasField("target_version") else None
    source = request.source_version if request.HasField("source_version") else None
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = list(revision_faults(expected))
    for field, number in (("target_version", target), ("source_version", source)):
        if number is not None and number <= 0:
            violations.append(Violation(field, "OUT_OF_RANGE", "must be the number of a version, from 1"))
    if not timedelta(0) <= freeze <= _LONGEST_FREEZE:
        violations.append(Violation("freeze", "OUT_OF_RANGE", "must be from 0 to 30 days"))
    violations += faults
    if violations:
        raise InvalidFields(violations)
    return RollbackWish(
        target_version=target,
        source_version=source,
        expected_revision=expected,
        keep_source_good=request.keep_source_good,
        allow_bad_target=request.allow_bad_target,
        freeze=freeze,
    )


def from_sequence(value: int) -> int:
    """Give where a watch starts: not below 0."""
    if value < 0:
        raise InvalidFields([Violation("from_sequence", "OUT_OF_RANGE", "must not be negative")])
    return value


def wait_seconds(wait: duration_pb2.Duration) -> float:
    """Give how long a poll waits, 30 s at most, and no longer than the call's deadline leaves time to answer."""
    seconds = duration(wait, "wait").total_seconds()
    if not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        raise InvalidFields([Violation("wait", "OUT_OF_RANGE", "must be from 0 to 30 seconds")])
    return min(seconds, max(0.0, calls.current().remaining_seconds - _ANSWER_SECONDS))


def duration(value: duration_pb2.Duration, field: str) -> timedelta:
    """Give a duration."""
    try:
        return value.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", "is not a valid duration")]) from None


def time(value: timestamp_pb2.Timestamp, field: str) -> datetime:
    """Give an instant, in UTC."""
    try:
        return value.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", "is not a valid timestamp")]) from None


def identifier(value: str, field: str) -> uuid.UUID:
    """Give a UUID."""
    try:
        return uuid.UUID(value)
    except ValueError:
        raise InvalidFields([Violation(field, "NOT_A_UUID", "must be a UUID, or empty")]) from None


def json(value: struct_pb2.Value, field: str) -> Json:
    """Give what a Value holds; whole numbers become int, and there is no NaN and no infinity."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return {key: json(entry, f"{field}.{key}") for key, entry in value.struct_value.fields.items()}
        case "list_value":
            return [json(entry, f"{field}[{place}]") for place, entry in enumerate(value.list_value.values)]
        case "number_value":
            number = value.number_value
            if not math.isfinite(number):
                raise InvalidFields([Violation(field, "NOT_A_NUMBER", "must be a finite number: JSON has no other")])
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None
