"""Work items, in Postgres: the one row of a task that works outside, and the queues that these rows make.

Who writes a row has locked it in the same transaction, or names the worker whose it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.json import from_text
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.work import HEARTBEAT_SLACK, Saved, State, TaskKey, Wish, Work
from millwright_workflow.store.instances import DAY, write_error


@dataclass(frozen=True, slots=True)
class Handed:
    """An item on its way to a worker, with what is large of it."""

    work: Work
    input: str
    """JSON text."""
    saved: Saved | None


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest sign of life of an item in a worker's hands."""

    tenant: str
    item: uuid.UUID
    worker: str
    saved: Saved | None
    percent: float | None


async def now(connection: Connection) -> datetime:
    """Give the time: the database's, so that no two replicas differ about it."""
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return time


async def insert(connection: Connection, work: Work, wish: Wish) -> bool:
    """Write an item that is not there yet; tell whether it was written.

    It is not where it is there already, and not where nobody can want it: its instance does not run any more, or its
    task has its result. The instance cannot end before the transaction does.
    """
    key = work.key
    written = await connection.fetchval(
        _INSERT,
        key.tenant,
        key.instance,
        key.reference,
        key.part,
        work.id,
        work.queue,
        wish.input,
        work.heartbeat,
        work.max_failures,
        work.state.value,
        work.due_time,
        work.create_time,
    )
    return bool(written)


async def get(connection: Connection, key: TaskKey, *, lock: bool = False) -> Work | None:
    """Give the item of a task, locked until the transaction ends if asked; None if there is none."""
    row = await connection.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, key.tenant, key.instance, key.reference)
    return _work(row) if row else None


async def lock(connection: Connection, tenants: Sequence[str], items: Sequence[uuid.UUID]) -> dict[uuid.UUID, Work]:
    """Lock those of the items that are there, in one order for everybody."""
    return {row["id"]: _work(row) for row in await connection.fetch(_LOCK, list(tenants), list(items))}


async def lock_due(connection: Connection, tenant: str, queues: Collection[str], limit: int) -> Sequence[Handed]:
    """Lock at most `limit` items of `queues` that may be taken, those due longest first; pass over locked ones."""
    rows = await connection.fetch(_LOCK_DUE, tenant, list(queues), limit)
    return [Handed(_work(row), row["input"], _saved(row)) for row in rows]


async def lock_lapsed(connection: Connection, limit: int) -> Sequence[Work]:
    """Lock at most `limit` items whose workers were silent for too long; pass over locked ones."""
    return [_work(row) for row in await connection.fetch(_LOCK_LAPSED, limit)]


async def save(connection: Connection, works: Sequence[Work]) -> None:
    """Write items that are locked here."""
    if not works:
        return
    await connection.execute(
        _SAVE,
        [work.key.tenant for work in works],
        [work.key.instance for work in works],
        [work.key.reference for work in works],
        [work.id for work in works],
        [work.state.value for work in works],
        [work.attempt for work in works],
        [work.failures for work in works],
        [work.worker for work in works],
        [work.due_time for work in works],
        [work.output for work in works],
        [write_error(work.error) for work in works],
        [work.is_news for work in works],
        [work.saved.state if work.saved else None for work in works],
        [work.saved.attempt if work.saved else None for work in works],
        [work.saved.stamp if work.saved else None for work in works],
    )


async def beat(connection: Connection, beats: Sequence[Beat]) -> set[uuid.UUID]:
    """Prolong items, keep what their workers saved if it is newer, and give those that are still these workers'."""
    rows = await connection.fetch(
        _BEAT,
        [beat.tenant for beat in beats],
        [beat.item for beat in beats],
        [beat.worker for beat in beats],
        [beat.saved.state if beat.saved else None for beat in beats],
        [beat.saved.attempt if beat.saved else None for beat in beats],
        [beat.saved.stamp if beat.saved else None for beat in beats],
        [beat.percent for beat in beats],
        HEARTBEAT_SLACK,
    )
    return {row["id"] for row in rows}


async def waiting(connection: Connection, tenants: Sequence[str], queues: Sequence[str]) -> set[tuple[str, str]]:
    """Give those of the queues, each of its tenant, that have something to take."""
    rows = await connection.fetch(_WAITING, list(tenants), list(queues))
    return {(row["tenant"], row["queue"]) for row in rows}


async def taken_by(connection: Connection, tenant: str, worker: str) -> Sequence[Work]:
    """Give what a worker has."""
    return [_work(row) for row in await connection.fetch(_TAKEN_BY, tenant, worker)]


async def standing(
    connection: Connection, keys: Sequence[TaskKey]
) -> dict[TaskKey, tuple[uuid.UUID, State, str | None]]:
    """Give where the work of tasks stands: the item of the current attempt, its state and its worker."""
    rows = await connection.fetch(_STANDING, *_columns(keys))
    return {_key(row): (row["id"], State(row["state"]), row["worker"]) for row in rows}


async def forget(connection: Connection) -> int:
    """Remove a batch of items that nobody will ask for again: their result is committed, or their instance ended.

    Passes over locked ones. Gives how many; 0 once none are left.
    """
    return len(await connection.fetch(_FORGET, _FORGET_BATCH))


async def forget_instances(connection: Connection, tenants: Sequence[str], instances: Sequence[uuid.UUID]) -> None:
    """Remove all items of instances that end here, so that one that is retried asks anew."""
    await connection.execute(_FORGET_INSTANCES, list(tenants), list(instances))


def _columns(keys: Sequence[TaskKey]) -> tuple[list[str], list[uuid.UUID], list[str]]:
    return [key.tenant for key in keys], [key.instance for key in keys], [key.reference for key in keys]


def _key(row: asyncpg.Record) -> TaskKey:
    return TaskKey(row["tenant"], row["instance"], row["reference"])


def _work(row: asyncpg.Record) -> Work:
    return Work(
        key=_key(row),
        queue=row["queue"],
        heartbeat=row["heartbeat"],
        max_failures=row["max_failures"],
        state=State(row["state"]),
        attempt=row["attempt"],
        failures=row["failures"],
        worker=row["worker"],
        due_time=row["due_time"],
        create_time=row["create_time"],
        percent=row["percent"],
        output=row["output"],
        error=WorkflowError(**from_text(row["error"])) if row["error"] else None,
        is_news=row["is_news"],
    )


def _saved(row: asyncpg.Record) -> Saved | None:
    return Saved(row["saved_attempt"], row["saved_stamp"], row["saved"]) if row["saved"] is not None else None


_FORGET_BATCH = 1000
_COLUMNS = """tenant, instance, reference, id, queue, heartbeat, max_failures, state, attempt, failures, worker,
    due_time, create_time, percent, output, error, is_news"""
_IS_KEY = "tenant = $1 AND instance = $2 AND reference = $3"
_IS_TAKEN = "state IN ('OFFERED', 'ACTIVE')"
_INSERT = f"""
WITH instance AS (
    SELECT FROM workflow.instance
    WHERE tenant = $1 AND instance = $2 AND state IN ('RUNNING', 'COMPENSATING') FOR SHARE
)
INSERT INTO workflow.work_item (tenant, instance, reference, part, id, queue, input, heartbeat, max_failures, state,
                                due_time, create_time)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM instance
WHERE NOT EXISTS (SELECT FROM workflow.task_result WHERE {_IS_KEY} AND day = {DAY})
ON CONFLICT (tenant, instance, reference) DO NOTHING RETURNING true
"""
_GET = f"SELECT {_COLUMNS} FROM workflow.work_item WHERE {_IS_KEY}"
_LOCK = f"""
SELECT {_COLUMNS} FROM workflow.work_item
WHERE (tenant, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) ORDER BY tenant, id FOR UPDATE
"""
_LOCK_DUE = f"""
SELECT {_COLUMNS}, input, saved, saved_attempt, saved_stamp FROM workflow.work_item
WHERE tenant = $1 AND queue = ANY ($2::text[]) AND state = 'QUEUED' AND due_time <= clock_timestamp()
ORDER BY due_time LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_LOCK_LAPSED = f"""
SELECT {_COLUMNS} FROM workflow.work_item
WHERE {_IS_TAKEN} AND due_time < clock_timestamp() ORDER BY due_time LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_SAVE = """
UPDATE workflow.work_item AS item
SET id = new.id, state = new.state, attempt = new.attempt, failures = new.failures, worker = new.worker,
    due_time = new.due_time, output = new.output, error = new.error, is_news = new.is_news, revision = revision + 1,
    saved = coalesce(new.saved, item.saved), saved_attempt = coalesce(new.saved_attempt, item.saved_attempt),
    saved_stamp = coalesce(new.saved_stamp, item.saved_stamp)
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::integer[], $7::integer[], $8::text[],
            $9::timestamptz[], $10::text[], $11::text[], $12::boolean[], $13::bytea[], $14::integer[], $15::bigint[])
    AS new (tenant, instance, reference, id, state, attempt, failures, worker, due_time, output, error, is_news, saved,
            saved_attempt, saved_stamp)
WHERE item.tenant = new.tenant AND item.instance = new.instance AND item.reference = new.reference
"""
# A heartbeat says that the worker has the item, so it acknowledges it, too.
_BEAT = f"""
UPDATE workflow.work_item AS item
SET state = 'ACTIVE', due_time = clock_timestamp() + heartbeat + $8::interval,
    percent = coalesce(beat.percent, item.percent),
    is_news = is_news OR beat.percent IS DISTINCT FROM item.percent AND beat.percent IS NOT NULL,
    revision = revision + 1,
    saved = CASE WHEN is_newer THEN beat.saved ELSE item.saved END,
    saved_attempt = CASE WHEN is_newer THEN beat.saved_attempt ELSE item.saved_attempt END,
    saved_stamp = CASE WHEN is_newer THEN beat.saved_stamp ELSE item.saved_stamp END
FROM (
    SELECT item.tenant, item.id, given.saved, given.saved_attempt, given.saved_stamp, given.percent,
           given.saved IS NOT NULL AND (item.saved IS NULL OR
               (given.saved_attempt, given.saved_stamp) > (item.saved_attempt, item.saved_stamp)) AS is_newer
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::integer[], $6::bigint[], $7::double precision[])
        AS given (tenant, id, worker, saved, saved_attempt, saved_stamp, percent)
    JOIN workflow.work_item AS item USING (tenant, id, worker)
    WHERE item.{_IS_TAKEN} ORDER BY tenant, id FOR UPDATE OF item
) AS beat
WHERE item.tenant = beat.tenant AND item.id = beat.id
RETURNING item.id
"""
_WAITING = """
SELECT tenant, queue FROM unnest($1::text[], $2::text[]) AS wanted (tenant, queue)
WHERE EXISTS (
    SELECT FROM workflow.work_item AS item
    WHERE item.tenant = wanted.tenant AND item.queue = wanted.queue AND state = 'QUEUED'
      AND due_time <= clock_timestamp()
)
"""
_TAKEN_BY = f"SELECT {_COLUMNS} FROM workflow.work_item WHERE tenant = $1 AND worker = $2 AND {_IS_TAKEN}"
_STANDING = """
SELECT tenant, instance, reference, id, state, worker FROM workflow.work_item
WHERE (tenant, instance, reference) IN (SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[]))
"""
_FORGET = """
WITH settled AS (
    SELECT item.tenant, item.instance, item.reference FROM workflow.work_item AS item
    JOIN workflow.instance USING (tenant, instance)
    WHERE item.state IN ('COMPLETED', 'FAILED', 'WITHDRAWN') AND EXISTS (
        SELECT FROM workflow.task_result AS result
        WHERE result.tenant = item.tenant AND result.instance = item.instance AND result.reference = item.reference
          AND result.day = instance.day
    )
    LIMIT $1 FOR UPDATE OF item SKIP LOCKED
), orphaned AS (
    SELECT item.tenant, item.instance, item.reference FROM workflow.work_item AS item
    JOIN workflow.instance USING (tenant, instance) WHERE instance.state IN ('COMPLETED', 'FAULTED', 'CANCELLED')
    LIMIT $1 FOR UPDATE OF item SKIP LOCKED
), gone AS (
    SELECT * FROM settled UNION SELECT * FROM orphaned
)
DELETE FROM workflow.work_item AS item USING gone
WHERE item.tenant = gone.tenant AND item.instance = gone.instance AND item.reference = gone.reference
RETURNING true
"""
_FORGET_INSTANCES = """
DELETE FROM workflow.work_item
WHERE (tenant, instance) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
"""
