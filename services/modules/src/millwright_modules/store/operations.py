"""Operations, in Postgres. Whoever works on one holds its lease; a write of anyone who held it before has no effect."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.domain import names
from millwright_modules.domain.errors import OperationNotFound
from millwright_modules.domain.operation import Activity, Done, Operation, Options, Progress, Stage
from millwright_modules.store.problems import problems_from_text, problems_to_text


class LeaseLost(Exception):
    """The operation is somebody else's now, or has ended: nothing that is done for it here counts any more."""


async def insert(
    connection: Connection,
    tenant: str,
    code: str,
    version: str,
    digest: bytes,
    options: Options,
    base_generation: int,
    requester: str,
    traceparent: str,
) -> Operation:
    """Write a new operation."""
    row = await connection.fetchrow(
        _INSERT,
        tenant,
        uuid.uuid4(),
        code,
        version,
        digest,
        _options_to_text(options),
        base_generation,
        requester,
        _progress_to_text(Progress()),
        traceparent,
    )
    return _operation(row)


async def find_open(connection: Connection, digest: bytes) -> Operation | None:
    """Give the operation that is under way for a package."""
    row = await connection.fetchrow(_FIND_OPEN, digest)
    return _operation(row) if row else None


async def find_completed(connection: Connection, digest: bytes) -> Operation | None:
    """Give the newest operation that has completed for a package."""
    row = await connection.fetchrow(_FIND_COMPLETED, digest)
    return _operation(row) if row else None


async def get(connection: Connection, operation: uuid.UUID) -> Operation:
    """Give an operation; raise OperationNotFound."""
    row = await connection.fetchrow(_GET, operation)
    if row is None:
        raise OperationNotFound(operation=names.operation(operation))
    return _operation(row)


async def lock(connection: Connection, operation: uuid.UUID) -> Operation:
    """Give an operation and keep it from others until the transaction ends; raise OperationNotFound."""
    row = await connection.fetchrow(f"{_GET} FOR UPDATE", operation)
    if row is None:
        raise OperationNotFound(operation=names.operation(operation))
    return _operation(row)


async def hold(connection: Connection, operation: Operation) -> Operation:
    """Give an operation as it is, and keep it from others until the transaction ends.

    Raises LeaseLost if it is somebody else's by now.

    Whoever changes an operation and its module locks them in this order.
    """
    row = await connection.fetchrow(_HOLD, operation.id, operation.epoch)
    if row is None:
        raise LeaseLost
    return _operation(row)


async def page(
    connection: Connection,
    code: str,
    only_open: bool,  # noqa: FBT001
    before: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> Sequence[Operation]:
    """Give at most `limit` operations, newest first, from before the place `before`."""
    rows = await connection.fetch(_PAGE, code, only_open, *(before or (None, None)), limit)
    return [_operation(row) for row in rows]


async def claim(connection: Connection, owner: uuid.UUID, lease: timedelta, limit: int) -> Sequence[Operation]:
    """Take at most `limit` operations, of any tenant, that nobody works on; the oldest first."""
    rows = await connection.fetch(_CLAIM, owner, lease, limit)
    return sorted((_operation(row) for row in rows), key=lambda operation: operation.create_time)


async def waiting(connection: Connection, limit: int) -> Sequence[Operation]:
    """Give the first `limit` operations, of any tenant, that nobody works on, in the order in which they are taken."""
    return [_operation(row) for row in await connection.fetch(_WAITING, limit)]


async def renew(
    connection: Connection, owner: uuid.UUID, lease: timedelta, held: Collection[uuid.UUID]
) -> set[uuid.UUID]:
    """Keep those of the operations that are `owner`'s for longer; give which they are."""
    return {row["operation"] for row in await connection.fetch(_RENEW, owner, lease, list(held))}


async def release(connection: Connection, owner: uuid.UUID) -> None:
    """Give back whatever is `owner`'s, for others to take at once; that was no attempt."""
    await connection.execute(_RELEASE, owner)


async def write(connection: Connection, operation: Operation, *, held: bool = True) -> Operation:
    """Write where an operation stands, as the next in its sequence; raise LeaseLost.

    With `held` it must still be the epoch's, otherwise it is taken from whoever has it.
    """
    row = await connection.fetchrow(
        _WRITE,
        operation.id,
        operation.epoch,
        operation.sequence,
        operation.code,
        operation.version,
        operation.live_generation,
        operation.stage.value,
        _progress_to_text(operation.progress),
        problems_to_text(operation.problems),
        operation.stage.is_terminal,
        0 if held else 1,
    )
    if row is None:
        raise LeaseLost
    return _operation(row)


async def forget(connection: Connection, age: timedelta, limit: int) -> int:
    """Remove at most `limit` operations of any tenant that ended longer ago than `age`; give how many."""
    return len(await connection.fetch(_FORGET, age, limit))


def _operation(row: asyncpg.Record) -> Operation:
    fields: dict[str, Any] = dict(row)
    return Operation(
        **{
            **{name: value for name, value in fields.items() if name != "operation"},
            "id": fields["operation"],
            "stage": Stage(fields["stage"]),
            "options": _options(fields["options"]),
            "progress": _progress(fields["progress"]),
            "problems": problems_from_text(fields["problems"]),
        }
    )


def _options_to_text(options: Options) -> str:
    return orjson.dumps({**asdict(options), "health_time": options.health_time.total_seconds()}).decode()


def _options(text: str) -> Options:
    fields = orjson.loads(text)
    return Options(**{**fields, "health_time": timedelta(seconds=fields["health_time"])})


def _progress_to_text(progress: Progress) -> str:
    return orjson.dumps(asdict(progress)).decode()


def _progress(text: str) -> Progress:
    fields = orjson.loads(text)
    return Progress(**{**fields, "done": Done(**fields["done"]), "activity": Activity(fields["activity"])})


_COLUMNS = """tenant, operation, code, version, package_digest, options, base_generation, live_generation, stage,
    progress, problems, requester, traceparent, sequence, epoch, attempts, create_time, update_time, end_time"""
_SELECT = f"SELECT {_COLUMNS} FROM modules.operation WHERE tenant = {TENANT}"
_INSERT = f"""
INSERT INTO modules.operation
    (tenant, operation, code, version, package_digest, options, base_generation, requester, progress, traceparent,
     stage)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'UPLOADED') RETURNING {_COLUMNS}
"""
_FIND_OPEN = f"{_SELECT} AND package_digest = $1 AND end_time IS NULL"
_FIND_COMPLETED = f"""
{_SELECT} AND package_digest = $1 AND stage = 'COMPLETED' ORDER BY create_time DESC LIMIT 1
"""
_GET = f"{_SELECT} AND operation = $1"
_HOLD = f"{_GET} AND epoch = $2 AND end_time IS NULL FOR UPDATE"
_PAGE = f"""
{_SELECT} AND ($1 = '' OR code = $1) AND (NOT $2 OR end_time IS NULL)
    AND ($3::timestamptz IS NULL OR (create_time, operation) < ($3, $4::uuid))
ORDER BY create_time DESC, operation DESC LIMIT $5
"""
_IS_FREE = "end_time IS NULL AND (lease_time IS NULL OR lease_time < clock_timestamp())"
_WAITING = f"SELECT {_COLUMNS} FROM modules.operation WHERE {_IS_FREE} ORDER BY create_time LIMIT $1"
_CLAIM = f"""
UPDATE modules.operation
SET owner = $1, epoch = epoch + 1, attempts = attempts + 1, lease_time = clock_timestamp() + $2::interval
WHERE (tenant, operation) IN (
    SELECT tenant, operation FROM modules.operation
    WHERE {_IS_FREE}
    ORDER BY create_time LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING {_COLUMNS}
"""
_RENEW = """
UPDATE modules.operation SET lease_time = clock_timestamp() + $2::interval
WHERE operation = ANY($3::uuid[]) AND owner = $1 AND end_time IS NULL RETURNING operation
"""
_RELEASE = """
UPDATE modules.operation SET owner = NULL, lease_time = NULL, attempts = attempts - 1
WHERE owner = $1 AND end_time IS NULL
"""
_WRITE = f"""
UPDATE modules.operation
SET sequence = sequence + 1, code = $4, version = $5, live_generation = $6, stage = $7, progress = $8, problems = $9,
    update_time = clock_timestamp(), end_time = CASE WHEN $10 THEN clock_timestamp() END, epoch = epoch + $11
WHERE tenant = {TENANT} AND operation = $1 AND epoch = $2 AND sequence = $3 AND end_time IS NULL RETURNING {_COLUMNS}
"""
_FORGET = """
DELETE FROM modules.operation WHERE (tenant, operation) IN (
    SELECT tenant, operation FROM modules.operation WHERE end_time < clock_timestamp() - $1::interval LIMIT $2
) RETURNING 1
"""
