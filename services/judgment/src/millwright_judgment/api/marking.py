"""Marking a version bad, good or retired: one write, whichever service offers it."""

from __future__ import annotations

from typing import Any, TypeVar

from millwright.judgment.v1 import release_service_pb2, ruleset_service_pb2
from millwright_runtime.api import calls
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_judgment.api import requests, responses
from millwright_judgment.commands import releasing
from millwright_judgment.domain import names
from millwright_judgment.domain.names import VersionName

MarkedT = TypeVar(
    "MarkedT",
    release_service_pb2.MarkVersionBadResponse,
    release_service_pb2.MarkVersionGoodResponse,
    ruleset_service_pb2.RetireVersionResponse,
)


async def mark(
    platform: Platform,
    log: EventLog,
    request: Any,
    name: VersionName,
    response_type: type[MarkedT],
    decide: releasing.Decide,
) -> MarkedT:
    """Mark the version `name` as `decide` says; a reason is required. `request` has `reason` and `request_id`."""
    actor = requests.actor(request.reason, required=True)
    tenant = calls.current().principal.tenant

    async def work(connection: Connection) -> MarkedT:
        marked = await releasing.mark(connection, log, tenant, *name, actor, decide)
        version = responses.version(name.ruleset, marked.version)
        return response_type(version=version, changed=marked.decision.changed)

    return await platform.once(request, response_type, work, names.ruleset(name.ruleset))
