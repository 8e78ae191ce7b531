"""The words for refusing. Pure: a domain may raise these, and `api.status` alone turns them into gRPC.

MillwrightError
├── InvalidArgument      the request is wrong whatever the state: mend it
│   └── InvalidFields    several fields at once, each with its path
├── Unauthenticated      who is calling is not known
├── PermissionDenied     who is calling may not
├── NotFound             what it names does not exist, or is another tenant's
├── AlreadyExists        what it would make exists
├── FailedPrecondition   the state does not allow it: change that first
├── Aborted              somebody else was faster: read again, decide anew
├── OutOfRange           past what is there, or no longer kept
├── ResourceExhausted    too much at once: wait, then again
├── DeadlineExceeded     the caller's time is over
├── Unimplemented        not in this release
└── Unavailable          not now: the same call may succeed later

A concrete error is a subclass of three lines: its docstring is the message, with `{variables}`, and its name is the
reason: `VersionBad` becomes VERSION_BAD.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field: its path in the request (or a JSON pointer inside a document), the reason, and a sentence."""

    field: str
    reason: str
    description: str


class MillwrightError(Exception):
    """Something was refused."""

    code: ClassVar[str] = "INTERNAL"
    """The name of the gRPC status code."""
    retry_seconds: float | None = None
    """How long a caller should wait before the same call may succeed, where that is known."""

    def __init__(self, **variables: object) -> None:
        """Format the class's docstring with `variables`; each is also sent to the caller as metadata."""
        self.variables = {name: str(value) for name, value in variables.items()}
        message = " ".join((type(self).__doc__ or "").split())
        super().__init__(message.format(**self.variables))

    @property
    def reason(self) -> str:
        """Give the constant that clients branch on."""
        return _WORD_START.sub("_", type(self).__name__).upper()

    @property
    def violations(self) -> Sequence[Violation]:
        """Give the fields at fault; empty where no field is."""
        return ()


class InvalidArgument(MillwrightError):
    """The request is wrong."""

    code = "INVALID_ARGUMENT"


class InvalidFields(InvalidArgument):
    """The request has {count} wrong field(s): {first}"""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self._violations = tuple(violations)
        first = self._violations[0]
        super().__init__(count=len(self._violations), first=f"{first.field}: {first.description}")

    @property
    def violations(self) -> Sequence[Violation]:
        """Give every field at fault."""
        return self._violations


class Unauthenticated(MillwrightError):
    """The caller is not known."""

    code = "UNAUTHENTICATED"


class PermissionDenied(MillwrightError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class NotFound(MillwrightError):
    """It does not exist."""

    code = "NOT_FOUND"


class AlreadyExists(MillwrightError):
    """It exists already."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(MillwrightError):
    """The state does not allow it."""

    code = "FAILED_PRECONDITION"


class Aborted(MillwrightError):
    """Somebody else was faster."""

    code = "ABORTED"


class OutOfRange(MillwrightError):
    """It is past what is there."""

    code = "OUT_OF_RANGE"


class ResourceExhausted(MillwrightError):
    """Too much at once."""

    code = "RESOURCE_EXHAUSTED"
    retry_seconds: float | None = 1.0


class DeadlineExceeded(MillwrightError):
    """The deadline of the call passed before it was done."""

    code = "DEADLINE_EXCEEDED"


class Unimplemented(MillwrightError):
    """It is not in this release."""

    code = "UNIMPLEMENTED"


class Unavailable(MillwrightError):
    """Not now."""

    code = "UNAVAILABLE"
    retry_seconds = 1.0
