"""AuditService: the same in every service, for what was done in that service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from millwright.api.v1 import audit_service_pb2 as pb
from millwright.api.v1 import audit_service_pb2_grpc as pb_grpc

from millwright_runtime.api import fields, messages, pages
from millwright_runtime.audit.log import AuditLog, Entry, Filter, Place
from millwright_runtime.postgres.database import Connection

_TEXT_LIMIT = 300


class AuditServicer(pb_grpc.AuditServiceServicer):
    """Serves AuditService."""

    def __init__(self, reading: Callable[[], AbstractAsyncContextManager[Connection]], schema: str) -> None:
        """Read what is in the audit log of `schema`, of the caller's tenant."""
        self._reading = reading
        self._log = AuditLog(schema)

    async def ListAuditEntries(self, request: pb.ListAuditEntriesRequest, _context: Any) -> pb.ListAuditEntriesResponse:
        """List entries, newest first."""
        chosen = Filter(
            subject=fields.text(request.subject, "subject", _TEXT_LIMIT),
            resource=fields.text(request.resource, "resource", _TEXT_LIMIT),
            method=fields.text(request.method, "method", _TEXT_LIMIT),
            from_time=fields.time(request.from_time, "from_time") if request.HasField("from_time") else None,
            to_time=fields.time(request.to_time, "to_time") if request.HasField("to_time") else None,
            only_refused=request.only_refused,
        )
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.time_and_id, chosen)
        async with self._reading() as connection:
            found = await self._log.page(connection, chosen, Place(*before) if before else None, size + 1)
        entries, token = pages.cut(found, size, _entry, _position, chosen)
        return pb.ListAuditEntriesResponse(entries=entries, next_page_token=token)


def _position(found: tuple[Place, Entry]) -> list[str]:
    place, _ = found
    return pages.of_time_and_id(place.create_time, place.id)


def _entry(found: tuple[Place, Entry]) -> pb.AuditEntry:
    place, entry = found
    return pb.AuditEntry(
        create_time=messages.timestamp(place.create_time),
        subject=entry.subject,
        roles=entry.roles,
        method=entry.method,
        resources=entry.resources,
        request_id=str(entry.request_id) if entry.request_id else "",
        code=entry.code,
        reason=entry.reason,
        trace_id=entry.trace_id,
        peer=entry.peer,
    )
