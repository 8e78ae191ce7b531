"""The way to the service that replays, and what its resources are called."""

from typing import Annotated

import typer
from millwright.judgment.v1 import replay_service_pb2, replay_service_pb2_grpc

from millwright_cli.arguments import named
from millwright_cli.connection import Connection, Service
from millwright_cli.judgment.words import WORDS
from millwright_cli.session import Session

SERVICE = Service("judgment", replay_service_pb2.DESCRIPTOR, WORDS)

Stub = replay_service_pb2_grpc.ReplayServiceStub


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to it."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)


def replay_name(text: str) -> str:
    """Read a replay's id, with or without `replays/`, as a resource name."""
    return named("replays", text)


def dataset_name(text: str) -> str:
    """Read a data set's id, with or without `datasets/`, as a resource name."""
    return named("datasets", text)


DatasetName = Annotated[
    str, typer.Argument(parser=dataset_name, metavar="ID", help="What it is called.", show_default=False)
]
ReplayName = Annotated[
    str, typer.Argument(parser=replay_name, metavar="ID", help="The replay's id.", show_default=False)
]
