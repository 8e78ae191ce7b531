"""What a ruleset's input holds, read from the version that will judge."""

import json
from collections.abc import Mapping

from millwright.judgment.v1 import release_service_pb2, release_service_pb2_grpc, ruleset_service_pb2

from millwright_cli.connection import Service
from millwright_cli.judgment import rulesets
from millwright_cli.judgment.words import WORDS
from millwright_cli.session import Session


def field_types(session: Session, judged_by: str) -> Mapping[str, str]:
    """Give the type of each field of what `judged_by` judges with: a ruleset's `prod`, a channel or a version."""
    connection, stub = rulesets.connect(session)
    version = judged_by if "/versions/" in judged_by else _version_of(session, judged_by)
    document = connection.call(stub.GetVersion, ruleset_service_pb2.GetVersionRequest(name=version)).version.document
    return {field["field"]: field["type"] for field in json.loads(document)["inputs"]}


def _version_of(session: Session, judged_by: str) -> str:
    """Give the version that a channel points to; of a ruleset, its channel `prod`."""
    connection = session.connect(Service("judgment", release_service_pb2.DESCRIPTOR, WORDS))
    stub = release_service_pb2_grpc.ReleaseServiceStub(connection.channel)
    name = judged_by if "/channels/" in judged_by else f"{judged_by}/channels/prod"
    channel = connection.call(stub.GetChannel, release_service_pb2.GetChannelRequest(name=name)).channel
    return f"{name.partition('/channels/')[0]}/versions/{channel.version}"
