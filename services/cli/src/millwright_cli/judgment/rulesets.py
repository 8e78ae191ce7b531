"""The way to the service that keeps rulesets and their drafts."""

from millwright.judgment.v1 import ruleset_service_pb2, ruleset_service_pb2_grpc

from millwright_cli.connection import Connection, Service
from millwright_cli.judgment.words import WORDS
from millwright_cli.session import Session

SERVICE = Service("judgment", ruleset_service_pb2.DESCRIPTOR, WORDS)

Stub = ruleset_service_pb2_grpc.RulesetServiceStub


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to it."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)
