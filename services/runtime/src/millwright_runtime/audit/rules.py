"""What the contract says of the audit log: which RPCs have entries, and which of their fields name what they change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from millwright.api.v1 import service_pb2

_RESPONSE = "response"
_DECIDERS = (service_pb2.ACCESS_OPERATOR, service_pb2.ACCESS_ADMIN)


class AuditRuleMissing(Exception):
    """An RPC for those who decide says neither what the audit log keeps of it nor that it keeps nothing."""


class AuditPathUnknown(Exception):
    """An RPC's audit rule names a field that its messages do not have."""


@dataclass(frozen=True, slots=True)
class Audited:
    """Where the messages of an audited RPC name what it is about."""

    request: tuple[tuple[str, ...], ...] = ()
    response: tuple[tuple[str, ...], ...] = ()


def rule(method: MethodDescriptor) -> Audited | None:
    """Give what is kept of calls of `method`, None for nothing; raises if the contract does not say, or wrongly."""
    options = method.GetOptions()
    paths = [tuple(path.split(".")) for path in options.Extensions[service_pb2.audited]]
    is_unaudited = options.Extensions[service_pb2.unaudited]
    is_decision = options.Extensions[service_pb2.access] in _DECIDERS
    if bool(paths) == is_unaudited and (is_decision or paths):
        message = f"{method.full_name} needs either (millwright.api.v1.audited) or (millwright.api.v1.unaudited)"
        raise AuditRuleMissing(message)
    asked = tuple(path for path in paths if path[0] != _RESPONSE)
    answered = tuple(path[1:] for path in paths if path[0] == _RESPONSE)
    for path in asked:
        _check(method, method.input_type, path)
    for path in answered:
        _check(method, method.output_type, path)
    return Audited(asked, answered) if paths else None


def names(message: Message, paths: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Give the values of the fields at `paths` as text, of repeated ones each; what is not set is left out."""
    for path in paths:
        yield from _values(message, path)


def _check(method: MethodDescriptor, message: Descriptor | None, path: tuple[str, ...]) -> None:
    for place, name in enumerate(path):
        field = message.fields_by_name.get(name) if message else None
        is_last = place == len(path) - 1
        if field is None or is_last == (field.message_type is not None):
            raise AuditPathUnknown(f"{method.full_name}: {'.'.join(path)}")
        message = field.message_type


def _values(message: Message, path: tuple[str, ...]) -> Iterator[str]:
    field = message.DESCRIPTOR.fields_by_name[path[0]]
    value = getattr(message, field.name)
    for each in value if field.is_repeated else [value]:
        if len(path) > 1:
            yield from _values(each, path[1:])
        elif text := _text(field, each):
            yield text


def _text(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    return value.hex() if isinstance(value, bytes) else str(value)
