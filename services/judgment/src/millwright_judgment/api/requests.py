"""What callers send, checked and taken apart. Every wrong field is reported, with its path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf import timestamp_pb2
from millwright.judgment.v1 import release_service_pb2
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation

from millwright_judgment.domain import names
from millwright_judgment.domain.html.words import LANGUAGES
from millwright_judgment.domain.releases import DEFAULT_FREEZE, Actor, Promotion, Rollback
from millwright_judgment.domain.ruleset.limits import DOCUMENT_BYTES

_LONGEST_PLAN = timedelta(days=366)


def actor(reason: str, *, required: bool, automatic: bool = False) -> Actor:
    """Give who calls, with the reason that they give; raise InvalidFields if it is missing or too long."""
    return Actor(calls.current().principal.subject, fields.reason(reason, required=required), automatic)


def language(text: str) -> str:
    """Give the language of a page, English where none is named; raise InvalidFields for one that is not known."""
    if text and text not in LANGUAGES:
        what = f"must be one of {', '.join(LANGUAGES)}, or empty"
        raise InvalidFields([Violation("language", "UNKNOWN_VALUE", what)])
    return text or LANGUAGES[0]


def promotion(request: release_service_pb2.PromoteVersionRequest) -> tuple[str, Promotion]:
    """Give the ruleset and the wish in a request to promote."""
    name = names.parse_channel(request.channel, "channel")
    expected = request.expected_revision if request.HasField("expected_revision") else None
    violations = list(fields.revision_faults(expected, automatic=request.automatic))
    if request.version <= 0:
        violations.append(Violation("version", "REQUIRED", "must be the number of a version, from 1"))
    if violations:
        raise InvalidFields(violations)
    activate_time = _activate_time(request.activate_time) if request.HasField("activate_time") else None
    return name.ruleset, Promotion(name.channel, request.version, expected, activate_time)


def _activate_time(value: timestamp_pb2.Timestamp) -> datetime:
    time = fields.time(value, "activate_time")
    if time > datetime.now(UTC) + _LONGEST_PLAN:
        raise InvalidFields([Violation("activate_time", "OUT_OF_RANGE", "must be at most a year ahead")])
    return time


def rollback(request: release_service_pb2.RollbackVersionRequest) -> tuple[str, Rollback]:
    """Give the ruleset and the wish in a request to roll back."""
    name = names.parse_channel(request.channel, "channel")
    return name.ruleset, Rollback(channel=name.channel, **fields.rollback(request, DEFAULT_FREEZE))


def document_text(text: str, field: str = "document") -> str:
    """Give a document's text; raise InvalidFields if it is too long. What else is wrong, reading it tells."""
    return fields.text(text, field, DOCUMENT_BYTES)


def etag(text: str) -> int:
    """Give the revision that an etag stands for; one that cannot be ours stands for none there is."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
