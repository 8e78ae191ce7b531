"""The one place where an exception becomes what a client sees. A client never sees Python's own text."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable

import asyncpg
import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from millwright_runtime.errors import MillwrightError, Unavailable

_DOMAIN = "millwright"
_log = logging.getLogger(__name__)


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached at the moment. Nothing was changed; try again."""


class Internal(MillwrightError):
    """Something went wrong on our side; the log has it as error {error_id}."""


def refusal(error: BaseException, method: str) -> MillwrightError:
    """Give what to tell the client of `error`; what was not foreseen is logged in full under an id of its own."""
    if isinstance(error, MillwrightError):
        return error
    if is_connection_loss(error):
        _log.warning("database unavailable", extra={"method": method, "fault": repr(error)})
        return DatabaseUnavailable()
    error_id = str(uuid.uuid4())
    _log.error("unexpected error", extra={"method": method, "error_id": error_id}, exc_info=error)
    return Internal(error_id=error_id)


def is_connection_loss(error: BaseException) -> bool:
    """Tell whether `error` means that Postgres is away, rather than that we asked it something wrong."""
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error)  # "connection is closed", "pool is closing"; its other uses are our mistakes
    return isinstance(
        error,
        (
            OSError,
            asyncpg.PostgresConnectionError,
            asyncpg.CannotConnectNowError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
            asyncpg.TooManyConnectionsError,
        ),
    )


def to_grpc(error: MillwrightError) -> grpc.Status:
    """Give the status with its details: one ErrorInfo, the violations if fields are at fault, the wait if known."""
    code = grpc.StatusCode[error.code]
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=_DOMAIN, metadata=error.variables)
    ]
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, reason=v.reason, description=v.description)
            for v in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=str(error), details=_packed(details))
    result: grpc.Status = rpc_status.to_status(status)
    return result


def _packed(details: Iterable[Message]) -> list[any_pb2.Any]:
    packed = []
    for detail in details:
        wrapper = any_pb2.Any()
        wrapper.Pack(detail)
        packed.append(wrapper)
    return packed
