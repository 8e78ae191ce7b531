"""What the commands share that move a channel or mark a version: one request, done once, and shown with its time."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

from millwright.workflow.v1 import release_service_pb2, release_service_pb2_grpc
from rich.console import RenderableType

from millwright_cli.connection import Connection, Service, new_request_id
from millwright_cli.session import Session
from millwright_cli.times import span
from millwright_cli.words import Words

SERVICE = Service("workflow", release_service_pb2.DESCRIPTOR)

Stub = release_service_pb2_grpc.ReleaseServiceStub
Draw = Callable[[Any, str, Words], Iterable[RenderableType]]
"""Draws an answer, given how long it took."""


class Move(Protocol):
    """A request that is carried out once, however often it is sent."""

    request_id: str


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to the service that keeps the release log."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)


def move(session: Session, method: Callable[[Stub], Any], request: Move, draw: Draw) -> Any:
    """Send a request under an id of its own, and show its answer and how long it took."""
    request.request_id = new_request_id()
    connection, stub = connect(session)
    began = perf_counter()
    answer = connection.call(method(stub), request)
    took = span(perf_counter() - began, session.say)
    session.screen.answer(answer, *draw(answer, took, session.say))
    return answer
