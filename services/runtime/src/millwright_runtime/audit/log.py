"""The audit log of one schema: entries are added and read. The service's role can do nothing else to them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.postgres.database import TENANT, Connection

DONE = "OK"
"""The code of what was done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call: who made it, what it was about, and how it ended. It never holds what else was sent."""

    tenant: str
    subject: str
    roles: tuple[str, ...]
    method: str
    """`package.Service.Method`."""
    resources: tuple[str, ...]
    request_id: uuid.UUID | None
    code: str
    """`OK`, or the gRPC code of the refusal."""
    reason: str
    trace_id: str
    peer: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the log an entry is: the log is read from the newest on."""

    create_time: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are asked for; what is empty does not filter."""

    subject: str = ""
    resource: str = ""
    """Also what is below it."""
    method: str = ""
    """Its full name, or its own alone."""
    from_time: datetime | None = None
    to_time: datetime | None = None
    only_refused: bool = False


class AuditLog:
    """The table `audit_entry` of one schema."""

    def __init__(self, schema: str) -> None:
        self._append = _APPEND.format(schema=schema)
        self._page = _PAGE.format(schema=schema)

    async def append(self, connection: Connection, entries: Sequence[Entry]) -> None:
        """Add entries in the caller's transaction."""
        for entry in entries:
            await connection.execute(
                self._append,
                entry.tenant,
                entry.subject,
                entry.roles,
                entry.method,
                entry.resources,
                entry.request_id,
                entry.code,
                entry.reason,
                entry.trace_id,
                entry.peer,
            )

    async def page(
        self, connection: Connection, chosen: Filter, before: Place | None, limit: int
    ) -> list[tuple[Place, Entry]]:
        """Give at most `limit` entries of the transaction's tenant, newest first, each with its place."""
        rows = await connection.fetch(
            self._page,
            before.create_time if before else None,
            before.id if before else None,
            chosen.subject,
            chosen.resource,
            chosen.method,
            chosen.from_time,
            chosen.to_time,
            chosen.only_refused,
            limit,
        )
        return [
            (
                Place(row["create_time"], row["id"]),
                Entry(
                    tenant=row["tenant"],
                    subject=row["subject"],
                    roles=tuple(row["roles"]),
                    method=row["method"],
                    resources=tuple(row["resources"]),
                    request_id=row["request_id"],
                    code=row["code"],
                    reason=row["reason"],
                    trace_id=row["trace_id"],
                    peer=row["peer"],
                ),
            )
            for row in rows
        ]


_APPEND = """
INSERT INTO {schema}.audit_entry
    (tenant, subject, roles, method, resources, request_id, code, reason, trace_id, peer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
# The bounds of time come first: they tell Postgres which months it need not look into.
_PAGE = f"""
SELECT * FROM {{schema}}.audit_entry
WHERE tenant = {TENANT}
  AND create_time <= coalesce($1::timestamptz, 'infinity') AND create_time >= coalesce($6::timestamptz, '-infinity')
  AND create_time < coalesce($7::timestamptz, 'infinity')
  AND ($1 IS NULL OR (create_time, id) < ($1, $2::uuid))
  AND ($3::text = '' OR subject = $3)
  AND ($4::text = '' OR EXISTS (SELECT FROM unnest(resources) AS name WHERE name = $4 OR starts_with(name, $4 || '/')))
  AND ($5::text = '' OR method = $5 OR right(method, length($5) + 1) = '.' || $5)
  AND (NOT $8::boolean OR code <> '{DONE}')
ORDER BY create_time DESC, id DESC LIMIT $9
"""
