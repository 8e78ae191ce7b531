"""What the engine writes while instances run: steps, many instances in one statement, and how they are read back.

Each step moves one instance on by one, and only under the epoch of its partition: a worker that was presumed dead
writes nothing.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import asyncpg
from millwright_runtime.json import from_text, to_text
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Checkpoint, Memory, Progress, Step, Tenure
from millwright_workflow.domain.instances import Key, State
from millwright_workflow.domain.interpreter.effects import Failure, TaskResult, WorkflowError
from millwright_workflow.store import approvals, attachments, work_items
from millwright_workflow.store.instances import write_error

_RETRIABLE = frozenset({State.FAULTED, State.CANCELLED})


async def write(connection: Connection, tenure: Tenure, steps: Sequence[Step]) -> dict[Key, bool]:
    """Write `steps`, in order; give the instances that they were written of, and whether each is held.

    Of the others nothing is written, not even in part: their partition is not the tenure's any more, or they do not
    stand at the step before.
    """
    groups: defaultdict[Key, list[Step]] = defaultdict(list)
    for step in steps:
        groups[step.key].append(step)
    written = await _advance(connection, tenure, list(groups.values()))
    accepted = [step for step in steps if step.key in written]
    await _write_results(connection, [step for step in accepted if step.result])
    await _write_progress(connection, [step for step in accepted if step.progress])
    await _end_outside(connection, [step for step in accepted if step.end and step.end.state in _RETRIABLE])
    await attachments.remove(connection, attachments.passed([s for s in accepted if written[s.key].has_attachments]))
    return {key: advanced.is_held for key, advanced in written.items()}


@dataclass(frozen=True, slots=True)
class _Advanced:
    """What is known of an instance whose steps were written."""

    is_held: bool
    has_attachments: bool


async def _end_outside(connection: Connection, ends: Sequence[Step]) -> None:
    """Let go of what the instances that end here asked others to do; one that is retried asks anew.

    Of a completed instance nothing is asked any more; what it may have left is removed in the background.
    """
    if ends:
        tenants, instances = [step.tenant for step in ends], [step.instance for step in ends]
        await work_items.forget_instances(connection, tenants, instances)
        await approvals.end_rounds(connection, tenants, instances)


async def _advance(connection: Connection, tenure: Tenure, groups: Sequence[list[Step]]) -> dict[Key, _Advanced]:
    ends = [group[-1].end for group in groups]
    parts = {partitions.of(group[0].instance) for group in groups}  # the others need no lock
    epochs = {part: epoch for part, epoch in tenure.epochs.items() if part in parts}
    rows = await connection.fetch(
        _ADVANCE,
        tenure.worker,
        list(epochs),
        list(epochs.values()),
        [group[0].tenant for group in groups],
        [group[0].instance for group in groups],
        [group[0].number for group in groups],
        [group[-1].number for group in groups],
        [group[-1].sequence for group in groups],
        [sum(1 for step in group if step.result and not step.result.is_skipped) for group in groups],
        [end.state.value if end else None for end in ends],
        [to_text(end.output) if end and end.state is State.COMPLETED else None for end in ends],
        [write_error(end.error) if end else None for end in ends],
        [group[-1].time if end and end.state.is_terminal else None for group, end in zip(groups, ends, strict=True)],
    )
    return {(row["tenant"], row["instance"]): _Advanced(row["is_held"], row["has_attachments"]) for row in rows}


async def _write_results(connection: Connection, steps: Sequence[Step]) -> None:
    results = [(step, step.result) for step in steps if step.result]
    if results:
        await connection.execute(
            _WRITE_RESULTS,
            [step.tenant for step, _ in results],
            [step.instance for step, _ in results],
            [result.reference for _, result in results],
            [result.task_hash for _, result in results],
            [step.output for step, _ in results],
            [step.context for step, _ in results],
            [result.next for _, result in results],
            [result.is_skipped for _, result in results],
            [step.number for step, _ in results],
            [step.time for step, _ in results],
        )


async def _write_progress(connection: Connection, steps: Sequence[Step]) -> None:
    kept = [(step, step.progress) for step in steps if step.progress]
    if kept:
        await connection.execute(
            _WRITE_PROGRESS,
            [step.tenant for step, _ in kept],
            [step.instance for step, _ in kept],
            [progress.key for _, progress in kept],
            [progress.begin_time for _, progress in kept],
            [progress.due_time for _, progress in kept],
            [to_text(_failure_values(p.failure)) if p.failure else None for _, p in kept],
        )


async def recall(connection: Connection, tenant: str, instance: uuid.UUID) -> Memory:
    """Give what earlier walks of an instance have committed."""
    return (await recall_all(connection, [(tenant, instance)]))[tenant, instance]


async def recall_all(connection: Connection, keys: Sequence[Key]) -> dict[Key, Memory]:
    """Give what earlier walks of instances have committed."""
    columns = [tenant for tenant, _ in keys], [instance for _, instance in keys]
    checkpoints: defaultdict[Key, list[Checkpoint]] = defaultdict(list)
    for row in await connection.fetch(_RECALL_RESULTS, *columns):
        checkpoints[row["tenant"], row["instance"]].append(_checkpoint(row))
    progress: defaultdict[Key, dict[str, Progress]] = defaultdict(dict)
    for row in await connection.fetch(_RECALL_PROGRESS, *columns):
        progress[row["tenant"], row["instance"]][row["key"]] = _progress(row)
    return {key: Memory(tuple(checkpoints[key]), progress[key]) for key in keys}


async def find(connection: Connection, tenant: str, instance: uuid.UUID, number: int | None) -> Checkpoint | None:
    """Give the checkpoint of a step, or the newest one."""
    row = await connection.fetchrow(_FIND, tenant, instance, number)
    return _checkpoint(row) if row else None


async def page(
    connection: Connection, tenant: str, instance: uuid.UUID, before: int, limit: int
) -> Sequence[tuple[Checkpoint, int]]:
    """Give at most `limit` checkpoints below the step `before`, newest first, each with its output's size alone."""
    rows = await connection.fetch(_PAGE, tenant, instance, before, limit)
    return [(_checkpoint(row), row["size"]) for row in rows]


async def adopt(connection: Connection, tenant: str, source: uuid.UUID, instance: uuid.UUID, last: int) -> None:
    """Give a new instance the results of another up to the step `last`."""
    await connection.execute(_ADOPT, tenant, source, instance, last)


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    result = TaskResult(
        reference=row["reference"],
        task_hash=row["task_hash"],
        output=from_text(row["output"]),
        context=from_text(row["context"]),
        next=row["next"],
        is_skipped=row["is_skipped"],
    )
    return Checkpoint(row["step"], result, row["output"], row["context"], row["finish_time"])


def _progress(row: asyncpg.Record) -> Progress:
    failure = _read_failure(from_text(row["failure"])) if row["failure"] else None
    return Progress(row["key"], row["begin_time"], row["due_time"], failure)


def write_checkpoint(kept: Checkpoint) -> str:
    """Give a checkpoint as one text."""
    result = kept.result
    head = [kept.number, kept.time, result.reference, result.task_hash.hex(), result.next, result.is_skipped]
    return f"[{to_text(head)},{kept.output},{kept.context}]"


def read_checkpoint(text: bytes) -> Checkpoint:
    """Give the checkpoint that `write_checkpoint` wrote."""
    (number, time, reference, task_hash, following, is_skipped), output, context = from_text(text)
    result = TaskResult(reference, bytes.fromhex(task_hash), output, context, following, is_skipped)
    return Checkpoint(number, result, to_text(output), to_text(context), datetime.fromisoformat(time))


def write_progress(progress: Progress) -> str:
    """Give what is kept of a task as one text."""
    due_time = progress.due_time.isoformat() if progress.due_time else None
    return to_text([progress.key, progress.begin_time.isoformat(), due_time, _failure_values(progress.failure)])


def read_progress(text: bytes) -> Progress:
    """Give what `write_progress` wrote."""
    key, begin_time, due_time, failure = from_text(text)
    return Progress(
        key,
        datetime.fromisoformat(begin_time),
        datetime.fromisoformat(due_time) if due_time else None,
        _read_failure(failure) if failure else None,
    )


def _failure_values(failure: Failure | None) -> dict[str, Any] | None:
    return {**asdict(failure), "task_hash": failure.task_hash.hex()} if failure else None


def _read_failure(values: dict[str, Any]) -> Failure:
    error = WorkflowError(**values["error"])
    return Failure(**{**values, "error": error, "task_hash": bytes.fromhex(values["task_hash"])})


# Move each instance on, if its partition is still ours and it stands where the first step begins.
_ADVANCE = """
WITH tenure AS (
    SELECT part FROM workflow.partition
    WHERE owner = $1 AND (part, epoch) IN (SELECT * FROM unnest($2::smallint[], $3::bigint[]))
    ORDER BY part FOR SHARE
)
UPDATE workflow.instance AS instance
SET step = step.last, sequence = step.sequence, finished_tasks = finished_tasks + step.finished,
    state = coalesce(step.state, instance.state), pause_reason = CASE WHEN step.state IS NULL THEN pause_reason END,
    output = step.output, error = step.error, end_time = step.end_time,
    settle_time = CASE WHEN canary_revision IS NOT NULL AND step.end_time IS NOT NULL THEN clock_timestamp() END,
    held_revision = CASE WHEN step.state = 'PAUSED' AND pause_reason IS NULL THEN (
        SELECT revision FROM workflow.hold
        WHERE hold.tenant = instance.tenant AND hold.workflow = instance.workflow AND hold.channel = instance.channel
          AND hold.version = instance.version AND hold.revision > bound_revision
          AND run_policy NOT IN ('PAUSE', 'CANCEL')
    ) END
FROM unnest($4::text[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::text[],
            $12::text[], $13::timestamptz[])
    AS step (tenant, instance, first, last, sequence, finished, state, output, error, end_time)
WHERE instance.tenant = step.tenant AND instance.instance = step.instance AND instance.state = 'RUNNING'
  AND instance.step = step.first - 1 AND instance.part IN (SELECT part FROM tenure)
RETURNING instance.tenant, instance.instance, instance.has_attachments, EXISTS (
    SELECT FROM workflow.hold
    WHERE hold.tenant = instance.tenant AND hold.workflow = instance.workflow AND hold.channel = instance.channel
      AND hold.version = instance.version AND hold.revision > bound_revision
      AND run_policy IN ('PAUSE', 'MIGRATE_COMPATIBLE', 'FORK_FROM_COMMON')
) OR pause_reason IS NOT NULL AS is_held
"""
_WRITE_RESULTS = """
INSERT INTO workflow.task_result
    (tenant, instance, reference, task_hash, output, context, next, is_skipped, step, finish_time)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
                     $8::boolean[], $9::bigint[], $10::timestamptz[])
"""
_WRITE_PROGRESS = """
INSERT INTO workflow.task_progress (tenant, instance, key, begin_time, due_time, failure)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
ON CONFLICT (tenant, instance, key) DO UPDATE SET due_time = excluded.due_time, failure = excluded.failure
"""
_RECALL_RESULTS = """
SELECT tenant, instance, step, reference, task_hash, output, context, next, is_skipped, finish_time
FROM workflow.task_result JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, instance) USING (tenant, instance)
ORDER BY step
"""
_RECALL_PROGRESS = """
SELECT tenant, instance, key, begin_time, due_time, failure
FROM workflow.task_progress JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, instance) USING (tenant, instance)
"""
_FIND = """
SELECT step, reference, task_hash, output, context, next, is_skipped, finish_time FROM workflow.task_result
WHERE tenant = $1 AND instance = $2 AND ($3::bigint IS NULL OR step = $3) ORDER BY step DESC LIMIT 1
"""
_PAGE = """
SELECT step, reference, task_hash, 'null' AS output, 'null' AS context, next, is_skipped, finish_time,
       octet_length(output) AS size
FROM workflow.task_result WHERE tenant = $1 AND instance = $2 AND step < $3 ORDER BY step DESC LIMIT $4
"""
# The results up to a step, as another instance's.
_ADOPT = """
WITH adopted AS (
    INSERT INTO workflow.task_result
        (tenant, instance, reference, task_hash, output, context, next, is_skipped, step, finish_time)
    SELECT tenant, $3, reference, task_hash, output, context, next, is_skipped, step, finish_time
    FROM workflow.task_result WHERE tenant = $1 AND instance = $2 AND step <= $4
    RETURNING is_skipped
)
UPDATE workflow.instance AS instance
SET step = $4, finished_tasks = (SELECT count(*) FROM adopted WHERE NOT is_skipped), seal_nonce = source.seal_nonce
FROM workflow.instance AS source
WHERE instance.tenant = $1 AND instance.instance = $3 AND source.tenant = $1 AND source.instance = $2
"""
