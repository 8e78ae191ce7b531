"""CloudEvents 1.0: which events are taken, in the JSON format that everything here passes around, and their messages.

Owns the limits of an event, its form as a NATS message in either mode, and the subject it is published under. Decides
nothing about who wants it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from millwright_runtime.json import Json, JsonObject, from_text, to_text

DATA_LIMIT_BYTES: Final = 256 * 1024
ATTRIBUTE_LIMIT: Final = 1024
"""The most characters an attribute may have."""
ATTRIBUTES_LIMIT: Final = 64
BATCH_LIMIT: Final = 500
SUBJECTS: Final = "millwright.*.events.>"
RUN_SUBJECTS: Final = "millwright.*.etl.lifecycle.>"
"""What the etl service tells of its runs as a whole: one message when a run is ordered and one when it has ended."""

_REQUIRED = ("id", "source", "type")
_TEXTS = frozenset({*_REQUIRED, "specversion", "subject", "time", "datacontenttype", "dataschema"})
_DATA = frozenset({"data", "data_base64"})
_NAME = re.compile(r"[a-z0-9]{1,64}")
_SUBJECT_SAFE = "-_~:"
_HEADER_SAFE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"
_STRUCTURED = "application/cloudevents+json"


class InvalidEvent(ValueError):
    """An event is none, or is over a limit."""

    def __init__(self, attribute: str, fault: str) -> None:
        super().__init__(f"{attribute} {fault}")
        self.attribute = attribute
        self.fault = fault


class OversizedData(InvalidEvent):
    """An event's data is over its limit."""

    def __init__(self, size: int) -> None:
        super().__init__("data", f"has {size} bytes; at most {DATA_LIMIT_BYTES} are taken")
        self.size = size


def check(event: JsonObject) -> JsonObject:
    """Give the event as it is; raise InvalidEvent for one that CloudEvents or our limits do not allow."""
    for name in _REQUIRED:
        if not event.get(name):
            raise InvalidEvent(name, "must be given")
    if event.get("specversion") != "1.0":
        raise InvalidEvent("specversion", "must be 1.0")
    if len(event) > ATTRIBUTES_LIMIT:
        raise InvalidEvent("extensions", f"must be at most {ATTRIBUTES_LIMIT} attributes in all")
    for name, value in event.items():
        if name not in _DATA:
            _check_attribute(name, value)
    if event.keys() >= _DATA:
        raise InvalidEvent("data", "must not be given together with data_base64")
    size = data_size(event)
    if size > DATA_LIMIT_BYTES:
        raise OversizedData(size)
    if "\\u0000" in to_text(event):
        raise InvalidEvent("data", "must not hold a NUL character")
    return event


def data_size(event: JsonObject) -> int:
    """Give how many bytes an event's data has as JSON."""
    return sum(len(to_text(event[name]).encode()) for name in _DATA if name in event)


def key(event: JsonObject) -> str:
    """Give what an event is known by: nobody takes two of one source and id."""
    return hashlib.sha256(f"{event['source']}\n{event['id']}".encode("utf-8", "replace")).hexdigest()


def subject(tenant: str, event: JsonObject) -> str:
    """Give the subject an event is published under: its type, with what a subject cannot have in percent-encoding."""
    tokens = [quote(token, safe=_SUBJECT_SAFE) or "_" for token in str(event["type"]).split(".")]
    return f"millwright.{tenant}.events.{'.'.join(tokens)}"


def write_message(event: JsonObject) -> tuple[dict[str, str], bytes]:
    """Give headers and body of an event in the binary mode of the NATS binding."""
    headers = {f"ce-{name}": _write_header(value) for name, value in event.items() if name not in _DATA}
    if "data_base64" in event:
        return headers, base64.b64decode(str(event["data_base64"]))
    if "data" not in event:
        return headers, b""
    data = event["data"]
    is_text = isinstance(data, str) and not _is_json(event.get("datacontenttype"))
    return headers, (data if isinstance(data, str) and is_text else to_text(data)).encode("utf-8", "replace")


def read_message(headers: Mapping[str, str], body: bytes) -> JsonObject:
    """Give the event in a message of either mode, checked; raise InvalidEvent."""
    known = {name.lower(): value for name, value in headers.items()}
    content_type = known.get("content-type", "")
    event = _structured(body) if content_type.startswith(_STRUCTURED) else _binary(known, content_type, body)
    return check(event)


def _structured(body: bytes) -> JsonObject:
    try:
        event = from_text(body)
    except ValueError:
        raise InvalidEvent("the message", "must be JSON") from None
    if not isinstance(event, dict):
        raise InvalidEvent("the message", "must be a JSON object")
    return event


def _binary(headers: Mapping[str, str], content_type: str, body: bytes) -> JsonObject:
    event: JsonObject = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if content_type and "datacontenttype" not in event:
        event["datacontenttype"] = content_type
    if "traceparent" in headers:  # the transport's, which the extension of that name outranks
        event.setdefault("traceparent", headers["traceparent"])
    if body:
        event.update(_read_data(event.get("datacontenttype"), body))
    return event


def _read_data(content_type: Json, body: bytes) -> JsonObject:
    if _is_json(content_type):
        try:
            return {"data": from_text(body)}
        except ValueError:
            raise InvalidEvent("data", "must be JSON, as its content type says") from None
    try:
        return {"data": body.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(body).decode()}


def _is_json(content_type: Json) -> bool:
    media_type = str(content_type or "application/json").partition(";")[0].strip().lower()
    return media_type.endswith(("/json", "+json"))


def _check_attribute(name: str, value: Json) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidEvent(name[:100], "must be named in lower-case letters and digits")
    if isinstance(value, dict | list | float) or (name in _TEXTS and not isinstance(value, str)):
        raise InvalidEvent(name, "must be text, or an extension a whole number or a boolean")
    if len(str(value)) > ATTRIBUTE_LIMIT:
        raise InvalidEvent(name, f"must be at most {ATTRIBUTE_LIMIT} characters")


def _write_header(value: Json) -> str:
    return quote(value if isinstance(value, str) else to_text(value), safe=_HEADER_SAFE)
