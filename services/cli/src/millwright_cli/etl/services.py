"""The ways to the etl service: to what lands rows, makes facts, reads them, and keeps what was set aside."""

from millwright.etl.v1 import (
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    pipeline_service_pb2,
    pipeline_service_pb2_grpc,
    production_service_pb2,
    production_service_pb2_grpc,
    quarantine_service_pb2,
    quarantine_service_pb2_grpc,
)

from millwright_cli.connection import Connection, Service
from millwright_cli.etl.run_words import WORDS as RUN_WORDS
from millwright_cli.etl.words import WORDS
from millwright_cli.session import Session

IngestStub = ingest_service_pb2_grpc.IngestServiceStub
PipelineStub = pipeline_service_pb2_grpc.PipelineServiceStub
ProductionStub = production_service_pb2_grpc.ProductionServiceStub
QuarantineStub = quarantine_service_pb2_grpc.QuarantineServiceStub

_INGEST = Service("etl", ingest_service_pb2.DESCRIPTOR, WORDS)
_PIPELINE = Service("etl", pipeline_service_pb2.DESCRIPTOR, RUN_WORDS)
_PRODUCTION = Service("etl", production_service_pb2.DESCRIPTOR, WORDS)
_QUARANTINE = Service("etl", quarantine_service_pb2.DESCRIPTOR, WORDS)


def ingest(session: Session) -> tuple[Connection, IngestStub]:
    """Connect to what lands rows."""
    connection = session.connect(_INGEST)
    return connection, IngestStub(connection.channel)


def pipeline(session: Session) -> tuple[Connection, PipelineStub]:
    """Connect to what makes facts of rows."""
    connection = session.connect(_PIPELINE)
    return connection, PipelineStub(connection.channel)


def production(session: Session) -> tuple[Connection, ProductionStub]:
    """Connect to what reads facts."""
    connection = session.connect(_PRODUCTION)
    return connection, ProductionStub(connection.channel)


def quarantine(session: Session) -> tuple[Connection, QuarantineStub]:
    """Connect to what keeps the rows that were set aside."""
    connection = session.connect(_QUARANTINE)
    return connection, QuarantineStub(connection.channel)
