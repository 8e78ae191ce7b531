"""Writes that may be sent twice: within 24 hours the same `request_id` gives the first answer again (AIP-155)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message

from millwright_runtime.api import calls
from millwright_runtime.audit import recording
from millwright_runtime.errors import InvalidArgument, InvalidFields, Violation
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database

KEPT = timedelta(hours=25)
"""A little over what is promised, so that the promise holds at its edge."""

ResponseT = TypeVar("ResponseT", bound=Message)


class RequestIdReused(InvalidArgument):
    """The request_id {request_id} was used with another body. Use a new one for another request."""


class Requests:
    """The answers given under request ids, in the `request` table of `schema`."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._claim = _CLAIM.format(schema=schema)
        self._recall = _RECALL.format(schema=schema)
        self._keep = _KEEP.format(schema=schema)
        self._forget = _FORGET.format(schema=schema)

    async def once(
        self, request: Message, response_type: type[ResponseT], work: Callable[[Connection], Awaitable[ResponseT]]
    ) -> ResponseT:
        """Do `work` in one transaction of the caller's tenant, or give the answer it gave before.

        `request` has `request_id`; empty means that the caller does not ask for this. The answer is stored in the
        transaction of the work: either both are there or none is, and a second caller of the same id waits for the
        first. A refusal is not stored. `replayed` is set on an answer given again. Raises RequestIdReused.
        """
        call = calls.current()
        request_id = _parse(request.request_id)  # type: ignore[attr-defined]
        async with self._database.transaction(call.principal.tenant) as connection:
            audited = recording.current()
            if request_id is None:
                response = await work(connection)
                if audited:
                    audited.answered(response)
                return response
            key = (call.principal.tenant, call.method, request_id)
            digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
            if not await connection.fetchval(self._claim, *key, digest):
                first = await connection.fetchrow(self._recall, *key)
                if first["digest"] != digest:
                    raise RequestIdReused(request_id=request_id)
                response = response_type.FromString(first["response"])
                response.replayed = True  # type: ignore[attr-defined]
                if audited:
                    audited.leave_out()
                return response
            response = await work(connection)
            if audited:
                audited.answered(response)
            await connection.execute(self._keep, *key, response.SerializeToString())
            return response

    async def forget(self) -> int:
        """Remove answers that are older than what is promised, a batch at a time; give how many."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            return len(await connection.fetch(self._forget, KEPT))


def _parse(request_id: str) -> uuid.UUID | None:
    if not request_id:
        return None
    try:
        return uuid.UUID(request_id)
    except ValueError:
        raise InvalidFields([Violation("request_id", "NOT_A_UUID", "must be a UUID, or empty")]) from None


# Take the id; nothing comes back if it is taken, after waiting for a transaction that is just taking it.
_CLAIM = """
INSERT INTO {schema}.request (tenant, method, request_id, digest) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
_RECALL = "SELECT digest, response FROM {schema}.request WHERE tenant = $1 AND method = $2 AND request_id = $3"
_KEEP = "UPDATE {schema}.request SET response = $4 WHERE tenant = $1 AND method = $2 AND request_id = $3"
_FORGET = """
DELETE FROM {schema}.request WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM {schema}.request WHERE create_time < clock_timestamp() - $1::interval LIMIT 10000
)) RETURNING 1
"""
