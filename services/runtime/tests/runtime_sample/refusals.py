"""What a client sees of a refused call."""

from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True)
class Refusal:
    code: str
    message: str
    info: error_details_pb2.ErrorInfo
    bad_request: error_details_pb2.BadRequest | None
    retry_info: error_details_pb2.RetryInfo | None
    pushback: str | None

    @property
    def reason(self):
        return self.info.reason


def decode(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the details off the wire, and hold them to what every error promises."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    details = {}
    for packed in status.details:
        name = packed.TypeName().rpartition(".")[2]
        assert name not in details, "each type of detail at most once"
        details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    info = details.pop("ErrorInfo")
    assert info.domain == "millwright"
    return Refusal(
        error.code().name,
        error.details(),
        info,
        details.pop("BadRequest", None),
        details.pop("RetryInfo", None),
        trailers.get("grpc-retry-pushback-ms"),
    )


async def refused(call) -> Refusal:
    """Await a call, or read a stream to its end, and give its refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read(call) if hasattr(call, "__aiter__") else call)
    return decode(caught.value)


async def _read(stream):
    while await stream.read() is not grpc.aio.EOF:
        pass
