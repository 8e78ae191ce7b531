"""Approvals, in Postgres. Who writes one has locked it in the same transaction; it is there as long as its instance."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain.approvals import Approval, State
from millwright_workflow.domain.errors import ApprovalNotFound
from millwright_workflow.domain.work import TaskKey


@dataclass(frozen=True, slots=True)
class Filter:
    """Which approvals to list."""

    states: tuple[State, ...]
    instance: uuid.UUID | None = None


async def now(connection: Connection) -> datetime:
    """Give the time: the database's, so that no two replicas differ about it."""
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return time


async def next_round(connection: Connection, key: TaskKey) -> int | None:
    """Give which round of the task asks now, None if its instance does not run; it cannot end before we commit."""
    round_: int | None = await connection.fetchval(_NEXT_ROUND, key.tenant, key.instance, key.reference)
    return round_


async def current(connection: Connection, key: TaskKey, *, lock: bool = False) -> Approval | None:
    """Give the approval of a task in the round that runs, locked if asked; None if it has not asked."""
    row = await connection.fetchrow(
        f"{_CURRENT} FOR UPDATE" if lock else _CURRENT, key.tenant, key.instance, key.reference
    )
    return _approval(row) if row else None


async def get(connection: Connection, approval: uuid.UUID, *, lock: bool = False) -> Approval:
    """Give an approval of the tenant, locked until the transaction ends if asked; raise ApprovalNotFound."""
    row = await connection.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, approval)
    if row is None:
        raise ApprovalNotFound(approval=approval)
    return _approval(row)


async def page(
    connection: Connection, chosen: Filter, after: tuple[datetime, uuid.UUID] | None, limit: int
) -> Sequence[Approval]:
    """Give at most `limit` approvals, oldest first, after the place `after`."""
    create_time, approval = after or (None, None)
    states = [state.value for state in chosen.states]
    rows = await connection.fetch(_PAGE, states, chosen.instance, create_time, approval, limit)
    return [_approval(row) for row in rows]


async def insert(connection: Connection, approval: Approval) -> bool:
    """Write an approval that is not there yet; tell whether it was written."""
    return bool(await connection.fetchval(_INSERT, *_values(approval)))


async def save(connection: Connection, approval: Approval) -> None:
    """Write what has changed of an approval that is locked here."""
    await connection.execute(
        _SAVE,
        approval.key.tenant,
        approval.id,
        approval.role,
        approval.state.value,
        approval.decider,
        approval.comment,
        approval.sequence,
        approval.escalate_time,
        approval.escalate_role,
        approval.decide_time,
        approval.is_news,
    )


async def lock_due(connection: Connection, limit: int) -> Sequence[Approval]:
    """Lock at most `limit` waiting approvals that are to expire or to escalate; pass over locked ones."""
    return [_approval(row) for row in await connection.fetch(_LOCK_DUE, limit)]


async def lock_orphaned(connection: Connection, limit: int) -> Sequence[Approval]:
    """Lock at most `limit` waiting approvals whose instances have ended; pass over locked ones."""
    return [_approval(row) for row in await connection.fetch(_LOCK_ORPHANED, limit)]


async def end_rounds(connection: Connection, tenants: Sequence[str], instances: Sequence[uuid.UUID]) -> None:
    """Let what instances that end here have asked be over: one that is retried asks anew."""
    await connection.execute(_END_ROUNDS, list(tenants), list(instances))


def _approval(row: asyncpg.Record) -> Approval:
    return Approval(
        key=TaskKey(row["tenant"], row["instance"], row["reference"]),
        round=row["round"],
        title=row["title"],
        details=row["details"],
        role=row["role"],
        state=State(row["state"]),
        decider=row["decider"],
        comment=row["comment"],
        sequence=row["sequence"],
        create_time=row["create_time"],
        escalate_time=row["escalate_time"],
        escalate_role=row["escalate_role"],
        expire_time=row["expire_time"],
        decide_time=row["decide_time"],
        is_news=row["is_news"],
    )


def _values(approval: Approval) -> tuple[object, ...]:
    key = approval.key
    return (
        key.tenant,
        approval.id,
        key.instance,
        key.reference,
        approval.round,
        approval.part,
        approval.title,
        approval.details,
        approval.role,
        approval.state.value,
        approval.sequence,
        approval.create_time,
        approval.escalate_time,
        approval.escalate_role,
        approval.expire_time,
    )


_COLUMNS = """tenant, instance, reference, round, title, details, role, state, decider, comment, sequence, create_time,
    escalate_time, escalate_role, expire_time, decide_time, is_news"""
_IS_TASK = "tenant = $1 AND instance = $2 AND reference = $3"
_NEXT_ROUND = f"""
SELECT (SELECT count(*) FROM workflow.approval WHERE {_IS_TASK} AND is_over)::integer
FROM workflow.instance WHERE tenant = $1 AND instance = $2 AND state IN ('RUNNING', 'COMPENSATING') FOR SHARE
"""
_CURRENT = f"SELECT {_COLUMNS} FROM workflow.approval WHERE {_IS_TASK} AND NOT is_over"
_GET = f"SELECT {_COLUMNS} FROM workflow.approval WHERE tenant = {TENANT} AND id = $1"
_PAGE = f"""
SELECT {_COLUMNS} FROM workflow.approval
WHERE tenant = {TENANT} AND state = ANY ($1::text[]) AND ($2::uuid IS NULL OR instance = $2)
  AND ($3::timestamptz IS NULL OR (create_time, id) > ($3, $4::uuid))
ORDER BY create_time, id LIMIT $5
"""
_INSERT = """
INSERT INTO workflow.approval (tenant, id, instance, reference, round, part, title, details, role, state, sequence,
                               create_time, escalate_time, escalate_role, expire_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING RETURNING true
"""
_SAVE = """
UPDATE workflow.approval
SET role = $3, state = $4, decider = $5, comment = $6, sequence = $7, escalate_time = $8, escalate_role = $9,
    decide_time = $10, is_news = $11, revision = revision + 1
WHERE tenant = $1 AND id = $2
"""
_LOCK_DUE = f"""
SELECT {_COLUMNS} FROM workflow.approval
WHERE state = 'WAITING' AND least(escalate_time, expire_time) <= clock_timestamp()
ORDER BY least(escalate_time, expire_time) LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_LOCK_ORPHANED = f"""
SELECT {_COLUMNS} FROM workflow.approval
WHERE state = 'WAITING' AND (is_over OR EXISTS (
    SELECT FROM workflow.instance
    WHERE instance.tenant = approval.tenant AND instance.instance = approval.instance
      AND instance.state IN ('COMPLETED', 'FAULTED', 'CANCELLED')
))
ORDER BY create_time LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_END_ROUNDS = """
UPDATE workflow.approval SET is_over = true
WHERE (tenant, instance) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) AND NOT is_over
"""
