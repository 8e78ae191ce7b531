"""Bodies of events: protobuf's JSON mapping of the contract's messages, written without making the messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def timestamp(time: datetime) -> str:
    """Give an instant as protobuf's JSON has it: RFC 3339 in UTC, with no, three or six digits of a second."""
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.removesuffix("000").removesuffix(".000") + "Z"


def without_defaults(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what protobuf's JSON leaves out: fields that are unset or have their default."""
    return {name: value for name, value in body.items() if value}
