"""Executions and the keys they were asked for under, in Postgres.

Rows are written for many tenants at once, in a transaction of all tenants. Postgres takes no COPY into a table that
row-level security guards, so that rows go in as arrays, a column each.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import ExecutionNotFound
from millwright_judgment.domain.executions import Execution, Filter, time_of
from millwright_judgment.store.looks import LOOKED_AT, ORDER, Look

KEY_KEPT = timedelta(hours=25)
"""How long a key is known: a little over what is promised, so that the promise holds at its edge."""
_FORGET_BATCH = 10_000


class Key(NamedTuple):
    """An idempotency key of a tenant."""

    tenant: str
    key: str


class Claim(NamedTuple):
    """Which execution a key gave, and for what."""

    digest: bytes
    execution: uuid.UUID


async def insert(connection: Connection, rows: Sequence[Execution]) -> int:
    """Write rows; give how many were not there yet."""
    tag = await connection.execute(_INSERT, *zip(*rows, strict=True))
    return int(tag.rpartition(" ")[2])


async def existing(connection: Connection, rows: Sequence[Execution]) -> set[uuid.UUID]:
    """Give those of the rows that are there, by their ids."""
    found = await get_many(connection, [(row.tenant, row.execution) for row in rows])
    return set(found)


async def claim(connection: Connection, wanted: Mapping[Key, Claim]) -> Mapping[Key, Claim]:
    """Take keys; give the claims of those that were taken before.

    Whoever takes one of them at the same moment is waited for. All take them in one order, and so never in a ring.
    """
    ordered = sorted(wanted.items())
    taken = await connection.fetch(
        _CLAIM,
        [key.tenant for key, _ in ordered],
        [key.key for key, _ in ordered],
        [claim.digest for _, claim in ordered],
        [claim.execution for _, claim in ordered],
    )
    ours = {Key(row["tenant"], row["idempotency_key"]) for row in taken}
    return await claims(connection, [key for key in wanted if key not in ours])


async def claims(connection: Connection, keys: Sequence[Key]) -> Mapping[Key, Claim]:
    """Give what the keys gave, those that are known."""
    if not keys:
        return {}
    rows = await connection.fetch(_CLAIMS, [key.tenant for key in keys], [key.key for key in keys])
    return {Key(row["tenant"], row["idempotency_key"]): Claim(row["digest"], row["execution"]) for row in rows}


async def forget_keys(connection: Connection) -> int:
    """Remove keys that are older than what is promised, a batch at a time; give how many."""
    return len(await connection.fetch(_FORGET, KEY_KEPT, _FORGET_BATCH))


async def get(connection: Connection, execution: uuid.UUID) -> Execution:
    """Give an execution; raise ExecutionNotFound."""
    row = await connection.fetchrow(_GET, execution, time_of(execution))
    if row is None:
        raise ExecutionNotFound(execution=execution)
    return Execution(*row)


async def get_many(connection: Connection, wanted: Sequence[tuple[str, uuid.UUID]]) -> Mapping[uuid.UUID, Execution]:
    """Give those of the executions, each with its tenant, that are there."""
    tenants, executions = [tenant for tenant, _ in wanted], [execution for _, execution in wanted]
    rows = await connection.fetch(_GET_MANY, tenants, executions, [time_of(execution) for execution in executions])
    return {row["execution"]: Execution(*row) for row in rows}


async def page(
    connection: Connection, wanted: Filter, after: uuid.UUID | None, limit: int
) -> tuple[Sequence[Execution], uuid.UUID | None]:
    """Give at most `limit` executions, newest first, after one.

    Where the look ended before it had found as many, the last that was looked at comes with them: go on after that one.
    """
    look = Look(wanted, after)
    looked = f"SELECT {_COLUMNS} {look.looked} {ORDER} LIMIT {LOOKED_AT}"
    where = f"WHERE {look.narrow}" if look.narrow else ""
    statement = f"SELECT * FROM ({looked}) AS looked {where} {ORDER} LIMIT ${len(look.values) + 1}"
    found = [Execution(*row) for row in await connection.fetch(statement, *look.values, limit)]
    return found, None if len(found) == limit else await look.end(connection, LOOKED_AT)


_COLUMNS = ", ".join(Execution._fields)
_TYPES = {
    "execution": "uuid",
    "judge_time": "timestamptz",
    "version": "integer",
    "input_hash": "bytea",
    "status": "smallint",
    "confidence": "float8",
    "matched": "bytea",
    "event_time": "timestamptz",
}
_ARRAYS = ", ".join(f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(Execution._fields, 1))
_INSERT = f"INSERT INTO judgment.execution ({_COLUMNS}) SELECT * FROM unnest({_ARRAYS}) ON CONFLICT DO NOTHING"
_SELECT = f"SELECT {_COLUMNS} FROM judgment.execution"
_GET = f"{_SELECT} WHERE tenant = {TENANT} AND judge_time = $2 AND execution = $1"
_GET_MANY = f"""
SELECT {", ".join(f"execution.{name}" for name in Execution._fields)} FROM judgment.execution
JOIN unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS asked (tenant, execution, judge_time)
    USING (tenant, execution, judge_time)
"""
_CLAIM = """
INSERT INTO judgment.execution_key (tenant, idempotency_key, digest, execution)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[])
ON CONFLICT DO NOTHING RETURNING tenant, idempotency_key
"""
_CLAIMS = """
SELECT tenant, idempotency_key, digest, execution FROM judgment.execution_key
JOIN unnest($1::text[], $2::text[]) AS asked (tenant, idempotency_key) USING (tenant, idempotency_key)
"""
_FORGET = """
DELETE FROM judgment.execution_key WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM judgment.execution_key WHERE create_time < clock_timestamp() - $1::interval LIMIT $2
)) RETURNING 1
"""
