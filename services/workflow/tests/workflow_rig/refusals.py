"""What a client sees of a refused call."""

from dataclasses import dataclass

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

    @property
    def reason(self):
        """Give the constant that clients branch on."""
        return self.info.reason

    @property
    def kind(self):
        """Give the code and the reason."""
        return self.code, self.reason

    @property
    def fields(self):
        """Give the path of each wrong field."""
        return [violation.field for violation in self.violations]

    @property
    def faults(self):
        """Give each wrong field with its reason."""
        return [(violation.field, violation.reason) for violation in self.violations]


def decode(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the details off the wire: exactly one ErrorInfo, of our domain, and a BadRequest at most."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    details = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    assert len(details) == len(status.details)
    info = details["ErrorInfo"]
    assert info.domain == "millwright"
    bad_request = details.get("BadRequest", error_details_pb2.BadRequest())
    return Refusal(error.code().name, error.details(), info, tuple(bad_request.field_violations))


async def refused(call) -> Refusal:
    """Await a call, or read a stream to its end, and give its refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read(call) if hasattr(call, "__aiter__") else call)
    return decode(caught.value)


async def _read(stream):
    async for _ in stream:
        pass
