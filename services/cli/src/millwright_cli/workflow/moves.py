"""What the commands share that move a channel or mark a version: one request, done once, and shown with its time."""

from collections.abc import Callable, Iterable
from typing import Any

from millwright.workflow.v1 import release_service_pb2, release_service_pb2_grpc
from rich.console import RenderableType

from millwright_cli.connection import Connection, Service
from millwright_cli.session import Session, Write
from millwright_cli.words import Words
from millwright_cli.workflow.words import WORDS

SERVICE = Service("workflow", release_service_pb2.DESCRIPTOR, WORDS)

Stub = release_service_pb2_grpc.ReleaseServiceStub
Draw = Callable[[Any, str, Words], Iterable[RenderableType]]
"""Draws an answer, given how long it took."""


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to the service that keeps the release log."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)


def move(session: Session, method: Callable[[Stub], Any], request: Write, draw: Draw) -> Any:
    """Send a request under an id of its own, and show its answer and how long it took."""
    connection, stub = connect(session)
    return session.write(connection, method(stub), request, draw)
