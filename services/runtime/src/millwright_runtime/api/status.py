"""The one place where an exception becomes what a client sees. A client never sees Python's own text."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import asyncpg
import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from millwright_runtime import mistakes, tracing
from millwright_runtime.errors import MillwrightError, Unavailable
from millwright_runtime.postgres.database import DatabaseUnavailable, is_connection_loss

_DOMAIN = "millwright"
# gRPC clients take 8 KiB of trailing metadata by default and drop what is larger, the status included. The details
# travel in base64, the message percent-encoded beside them.
_MAX_DETAILS_BYTES = 4500
_MAX_TEXT_CHARACTERS = 300
_log = logging.getLogger(__name__)


class Conflict(Unavailable):
    """Another call changed the same at the same moment. Try again, with the same request_id where the call has one."""


def refusal(error: BaseException, method: str) -> MillwrightError:
    """Give what to tell the client of `error`; what was not foreseen is logged in full under an id of its own."""
    if isinstance(error, MillwrightError):
        return error
    if isinstance(error, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)):  # else it is a loss, too
        _log.warning("two transactions stood in each other's way", extra={"method": method, "fault": repr(error)})
        return Conflict()
    if is_connection_loss(error):
        _log.warning("database unavailable", extra={"method": method, "fault": repr(error)})
        return DatabaseUnavailable()
    tracing.fail(error)
    return mistakes.record(_log, "unexpected error", error, method=method)


def to_grpc(error: MillwrightError) -> status_pb2.Status:
    """Give the status with its details: one ErrorInfo, the violations if fields are at fault, the wait if known.

    It always fits what clients take: long texts are cut, and violations that find no place are counted in
    `violations_left_out`.
    """
    metadata = {name: _cut(value) for name, value in error.variables.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=_DOMAIN, metadata=metadata)]
    if error.retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.violations:
        room = _MAX_DETAILS_BYTES - sum(detail.ByteSize() for detail in details)
        bad_request = _bad_request(error, room)
        details.append(bad_request)
        if left_out := len(error.violations) - len(bad_request.field_violations):
            details[0].metadata["violations_left_out"] = str(left_out)  # type: ignore[attr-defined]
    code: int = grpc.StatusCode[error.code].value[0]
    return status_pb2.Status(code=code, message=_cut(str(error)), details=_packed(details))


def _bad_request(error: MillwrightError, room: int) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in error.violations:
        bad_request.field_violations.add(
            field=_cut(violation.field), reason=violation.reason, description=_cut(violation.description)
        )
        if bad_request.ByteSize() > room:
            del bad_request.field_violations[-1]
            break
    return bad_request


def _cut(text: str) -> str:
    """Shorten `text`, and replace what UTF-8 cannot hold: it may come from a client's JSON."""
    if len(text) > _MAX_TEXT_CHARACTERS:
        text = text[: _MAX_TEXT_CHARACTERS - 1] + "…"
    return text.encode(errors="replace").decode()


def _packed(details: Iterable[Message]) -> list[any_pb2.Any]:
    packed = []
    for detail in details:
        wrapper = any_pb2.Any()
        wrapper.Pack(detail)
        packed.append(wrapper)
    return packed
