"""Python's values as the messages that every contract uses; `fields` goes the other way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

from google.protobuf import duration_pb2, struct_pb2, timestamp_pb2

from millwright_runtime.json import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def timestamp(time: datetime) -> timestamp_pb2.Timestamp: ...
@overload
def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None: ...
def timestamp(time: datetime | None) -> timestamp_pb2.Timestamp | None:
    """Give an instant; None stays None, which leaves the field unset."""
    if time is None:
        return None
    since = time - _EPOCH  # Timestamp.FromDatetime takes nearly three times as long
    return timestamp_pb2.Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def now() -> timestamp_pb2.Timestamp:
    """Give this instant, for a heartbeat."""
    message = timestamp_pb2.Timestamp()
    message.GetCurrentTime()
    return message


def duration(span: timedelta) -> duration_pb2.Duration:
    """Give a span of time."""
    message = duration_pb2.Duration()
    message.FromTimedelta(span)
    return message


def value(json: Json) -> struct_pb2.Value:
    """Give JSON."""
    message = struct_pb2.Value()
    _fill(message, json)
    return message


def _fill(message: struct_pb2.Value, json: Json) -> None:
    """Set a message to JSON: `json_format` copies the names of all that is around for every entry of a list."""
    match json:
        case None:
            message.null_value = struct_pb2.NULL_VALUE
        case bool():
            message.bool_value = json
        case int() | float():
            message.number_value = json
        case str():
            message.string_value = json
        case list():
            message.list_value.SetInParent()
            values = message.list_value.values
            for entry in json:
                _fill(values.add(), entry)
        case dict():
            message.struct_value.SetInParent()
            fields = message.struct_value.fields
            for key, entry in json.items():
                _fill(fields[key], entry)
