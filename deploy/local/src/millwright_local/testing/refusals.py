"""What a client sees of a refused call."""

from collections.abc import AsyncIterable, Awaitable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True)
class Refusal:
    """The status of a call that was refused, with its details."""

    code: str
    message: str
    info: error_details_pb2.ErrorInfo
    violations: tuple[error_details_pb2.BadRequest.FieldViolation, ...]
    retry_info: error_details_pb2.RetryInfo | None
    pushback: str | None

    @property
    def reason(self) -> str:
        """Give the constant that clients branch on."""
        return str(self.info.reason)

    @property
    def kind(self) -> tuple[str, str]:
        """Give the code and the reason."""
        return self.code, self.reason

    @property
    def fields(self) -> list[str]:
        """Give the path of each wrong field."""
        return [violation.field for violation in self.violations]

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Give each wrong field with its reason."""
        return [(violation.field, violation.reason) for violation in self.violations]


def decode(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the details off the wire, and hold them to what every error promises.

    That is one ErrorInfo, of our domain, each other type of detail at most once, and the status that gRPC tells, too.
    """
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    details = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        assert name not in details
        details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    info = details["ErrorInfo"]
    assert info.domain == "millwright"
    bad_request = details.get("BadRequest", error_details_pb2.BadRequest())
    pushback = trailers.get("grpc-retry-pushback-ms")
    return Refusal(
        code=error.code().name,
        message=error.details() or "",
        info=info,
        violations=tuple(bad_request.field_violations),
        retry_info=details.get("RetryInfo"),
        pushback=str(pushback) if pushback is not None else None,
    )


async def refused(call: Awaitable[Any] | AsyncIterable[Any]) -> Refusal:
    """Await a call, or read a stream to its end, and give its refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read(call) if isinstance(call, AsyncIterable) else call)
    return decode(caught.value)


async def _read(stream: AsyncIterable[Any]) -> None:
    async for _ in stream:
        pass
