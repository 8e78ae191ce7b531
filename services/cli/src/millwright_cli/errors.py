"""What can go wrong, as one shape: from a service's answer or from before anything was sent; and the exit codes.

It decides no wording of hints (`words` does) and prints nothing (`output` does).
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"


class ExitCode(IntEnum):
    """How the command ended, for scripts."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Make a code that knows what it means."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    OK = 0, "done"
    UNEXPECTED = 1, "an unexpected error"
    USAGE = 2, "wrong usage; nothing was sent"
    NOT_FOUND = 3, "not found"
    REFUSED = 4, "refused: the state of things does not allow it"
    INVALID = 5, "an invalid argument"
    DENIED = 6, "not authenticated or not allowed"
    UNAVAILABLE = 7, "unavailable, overloaded or out of time"
    FAULTED = 8, "what was watched faulted, failed or was rolled back"
    CANCELLED = 9, "what was watched was cancelled, stopped or taken back"


_EXIT_CODES = {
    grpc.StatusCode.NOT_FOUND: ExitCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: ExitCode.REFUSED,
    grpc.StatusCode.ABORTED: ExitCode.REFUSED,
    grpc.StatusCode.ALREADY_EXISTS: ExitCode.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: ExitCode.REFUSED,
    grpc.StatusCode.INVALID_ARGUMENT: ExitCode.INVALID,
    grpc.StatusCode.OUT_OF_RANGE: ExitCode.INVALID,
    grpc.StatusCode.UNAUTHENTICATED: ExitCode.DENIED,
    grpc.StatusCode.PERMISSION_DENIED: ExitCode.DENIED,
    grpc.StatusCode.UNAVAILABLE: ExitCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ExitCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: ExitCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class Violation:
    """One wrong field: its path or JSON pointer, and its fault."""

    field: str
    description: str


@dataclass(eq=False)
class Failure(Exception):
    """Why the command did not do what it was asked."""

    code: str
    reason: str
    message: str
    exit_code: ExitCode
    metadata: dict[str, str] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give the error object that `-o json` prints."""
        return {
            "error": {
                "code": self.code,
                "reason": self.reason,
                "message": self.message,
                "metadata": self.metadata,
                "violations": [vars(violation) for violation in self.violations],
            }
        }


def usage(reason: str, message: str) -> Failure:
    """Make the failure of a call that was never sent, because what was asked for makes no sense."""
    return Failure(code="USAGE", reason=reason, message=message, exit_code=ExitCode.USAGE)


def refused(error: grpc.RpcError) -> Failure:
    """Read a failure from what a call was answered with.

    Without details, as from a proxy or from gRPC itself, the reason is empty and the message is gRPC's.
    """
    assert isinstance(error, grpc.Call)  # every error that a sync stub raises is one
    code = error.code()
    failure = Failure(
        code=code.name,
        reason="",
        message=error.details() or code.name,
        exit_code=_EXIT_CODES.get(code, ExitCode.UNEXPECTED),
    )
    for detail in _details(error):
        _read(detail, failure)
    return failure


def _details(error: grpc.Call) -> list[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return list(status_pb2.Status.FromString(value).details)
    return []


def _read(detail: Any, failure: Failure) -> None:
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    if detail.Unpack(info):
        failure.reason = info.reason
        failure.metadata = dict(info.metadata)
    elif detail.Unpack(request):
        failure.violations = [Violation(found.field, found.description) for found in request.field_violations]
