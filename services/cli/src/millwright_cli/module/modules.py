"""The way to the service that keeps modules."""

from millwright.modules.v1 import module_service_pb2, module_service_pb2_grpc

from millwright_cli.connection import Connection, Service
from millwright_cli.module.words import WORDS
from millwright_cli.session import Session

SERVICE = Service("modules", module_service_pb2.DESCRIPTOR, WORDS)

Stub = module_service_pb2_grpc.ModuleServiceStub


def connect(session: Session) -> tuple[Connection, Stub]:
    """Connect to it."""
    connection = session.connect(SERVICE)
    return connection, Stub(connection.channel)
