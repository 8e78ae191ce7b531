"""What callers want to have judged, checked and taken apart; and which executions they ask for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import orjson
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2
from millwright_runtime.api import fields
from millwright_runtime.errors import InvalidFields, Violation

from millwright_judgment.domain import names
from millwright_judgment.domain.executions import Filter, Segment
from millwright_judgment.domain.releases import DEFAULT_CHANNEL
from millwright_judgment.engine.judging import Wish

MOST_INPUTS = 10_000
_LABEL_LIMIT = 63
_KEY_LIMIT = 128
_EARLIEST = timedelta(days=2 * 366)
_LATEST = timedelta(minutes=5)
_NOWHERE = Segment()

Judgeable: TypeAlias = "judgment_service_pb2.JudgeRequest | judgment_service_pb2.BatchInput"


class By(NamedTuple):
    """What a caller wants to judge by."""

    ruleset: str
    channel: str
    """Empty if a version is named."""
    number: int
    """0 if a channel is."""


@lru_cache(maxsize=4096)
def by(name: str) -> By:
    """Give what a ruleset's, a channel's or a version's name stands for; raise InvalidFields."""
    _, _, rest = name.partition("/")
    if "/versions/" in rest:
        version = names.parse_version(name, "ruleset")
        return By(version.ruleset, "", version.number)
    if "/channels/" in rest:
        return By(*names.parse_channel(name, "ruleset"), 0)
    return By(names.parse_ruleset(name, "ruleset"), DEFAULT_CHANNEL, 0)


def wish(judged_by: str, request: Judgeable) -> Wish:
    """Give one input that is to be judged; raise InvalidFields with every wrong field beside its values."""
    values = {name: plain(value) for name, value in request.input.values.items()}
    segment = _segment(request.segment) if request.HasField("segment") else _NOWHERE
    event_time = _event_time(request) if request.HasField("event_time") else None
    key, routing_key = request.idempotency_key, request.routing_key
    if key or routing_key:
        _check_keys(key, routing_key)
    digest = b""
    if key:
        content = [judged_by, values, [*segment], event_time, routing_key]
        digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
    return Wish(values, segment, event_time, key, digest, routing_key)


def plain(value: judgment_pb2.Value) -> float | str | bool | None:
    """Give a value as Python has it; None for null."""
    kind = value.WhichOneof("kind")
    if kind == "number":
        return value.number
    if kind == "text":
        return value.text
    return value.flag if kind == "flag" else None


def _segment(given: judgment_pb2.Segment) -> Segment:
    segment = Segment(given.line or None, given.product or None, given.shift or None, given.unit or None)
    violations = [
        Violation(f"segment.{name}", "INVALID_TEXT", f"must be at most {_LABEL_LIMIT} characters, none of them NUL")
        for name, text in zip(Segment._fields, segment, strict=True)
        if text is not None and (len(text) > _LABEL_LIMIT or "\x00" in text)
    ]
    if violations:
        raise InvalidFields(violations)
    return segment


def _event_time(request: Judgeable) -> datetime:
    time = fields.time(request.event_time, "event_time")
    now = datetime.now(UTC)
    if not now - _EARLIEST <= time <= now + _LATEST:
        what = "must be at most 5 minutes ahead and two years back"
        raise InvalidFields([Violation("event_time", "OUT_OF_RANGE", what)])
    return time


def _check_keys(key: str, routing_key: str) -> None:
    fields.text(key, "idempotency_key", _KEY_LIMIT)
    fields.text(routing_key, "routing_key", _KEY_LIMIT)


def check_batch(request: judgment_service_pb2.JudgeBatchRequest) -> None:
    """Raise InvalidFields for no inputs, or too many, and for a view that is none."""
    violations = []
    if not 1 <= len(request.inputs) <= MOST_INPUTS:
        violations.append(Violation("inputs", "OUT_OF_RANGE", f"must be 1 to {MOST_INPUTS:,}"))
    if request.view not in judgment_pb2.ExecutionView.values():
        violations.append(Violation("view", "UNKNOWN_VALUE", "must be BASIC, FULL, or unset"))
    if violations:
        raise InvalidFields(violations)


def execution_filter(given: judgment_service_pb2.ExecutionFilter) -> Filter:
    """Give which executions are asked for; raise InvalidFields."""
    judged_by = given.ruleset and (
        names.parse_version(given.ruleset, "filter.ruleset")
        if "/versions/" in given.ruleset
        else (names.parse_ruleset(given.ruleset, "filter.ruleset"), None)
    )
    ruleset, number = judged_by or (None, None)
    return Filter(
        ruleset=ruleset,
        version=number,
        from_time=_bound(given, "from_time"),
        to_time=_bound(given, "to_time"),
        outcomes=[fields.text(outcome, "filter.outcomes", _LABEL_LIMIT) for outcome in given.outcomes],
        experiment=names.parse_experiment(given.experiment, "filter.experiment") if given.experiment else None,
        **_texts(given),
    )


def _bound(given: judgment_service_pb2.ExecutionFilter, name: str) -> datetime | None:
    return fields.time(getattr(given, name), f"filter.{name}") if given.HasField(name) else None  # type: ignore[arg-type]


def _texts(given: judgment_service_pb2.ExecutionFilter) -> Mapping[str, Any]:
    columns = ("line", "product", "shift", "unit", "winning_rule")
    return {name: fields.text(getattr(given, name), f"filter.{name}", 200) or None for name in columns}
