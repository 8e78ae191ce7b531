"""Watch streams that outlive their connection.

It owns the one rule of every watch: after a break, go on from the last sequence received. It prints nothing and
knows no resource.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc


class Watched(Protocol):
    """A message of a watch stream: it says up to which sequence everything has been sent."""

    sequence: int


Message = TypeVar("Message", bound=Watched)
Sent = TypeVar("Sent", covariant=True)


class Stream(Protocol[Sent]):
    """What opening a stream gives: gRPC's call, as far as it is used here."""

    def __iter__(self) -> Iterator[Sent]: ...

    def code(self) -> grpc.StatusCode: ...

    def cancel(self) -> object: ...


@dataclass(frozen=True)
class Patience:
    """How long to go on without an answer, in seconds."""

    # Before the first message: whoever cannot be reached at all should be reported soon.
    at_first: float = 10.0
    # After a break: long enough for a replica to restart or another to take over.
    afterwards: float = 60.0
    # Between two attempts: doubled from the shortest to the longest.
    shortest_pause: float = 0.1
    longest_pause: float = 5.0


# The replica is gone, or could not wait for us any longer: another stream goes on.
_BREAKS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)


class StreamEndedError(Exception):
    """The service ended the stream again and again without a final message."""


def follow(
    open_stream: Callable[[int | None], Stream[Message]],
    *,
    sequence: int | None = None,
    patience: Patience = Patience(),
    on_break: Callable[[int | None], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Message]:
    """Yield every message of a watch, heartbeats too, until the caller stops asking; then the stream is cancelled.

    `open_stream` gets the last sequence received, None for none yet. When the stream ends, or breaks in a way
    that another one mends, it is opened again after a pause, so that the caller sees no gap and no repeat.

    Raises grpc.RpcError for any other break, or when patience runs out; StreamEndedError where streams only ended.
    """
    waited, allowed = 0.0, patience.at_first
    while True:
        broken: grpc.RpcError | None = None
        stream = open_stream(sequence)
        try:
            for message in stream:
                sequence, waited, allowed = message.sequence, 0.0, patience.afterwards
                yield message
        except grpc.RpcError as error:
            if stream.code() not in _BREAKS:
                raise
            broken = error
        finally:
            stream.cancel()
        if waited >= allowed:
            raise broken or StreamEndedError
        on_break(sequence)
        length = min(max(waited, patience.shortest_pause), patience.longest_pause)
        pause(length)
        waited += length
