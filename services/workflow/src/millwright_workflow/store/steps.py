"""What the engine writes while instances run: steps, many instances in one statement, and how they are read back.

Each step moves one instance on by one, and only under the epoch of its partition: a worker that was presumed dead
writes nothing.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg
from millwright_runtime.events.log import Event
from millwright_runtime.json import from_text, to_text
from millwright_runtime.postgres.database import ALL_TENANTS, Connection, Database

from millwright_workflow.domain import partitions
from millwright_workflow.domain.errors import InstanceNotFound
from millwright_workflow.domain.execution import Checkpoint, End, Memory, Progress, Step, Tenure
from millwright_workflow.domain.instances import Key, State
from millwright_workflow.domain.interpreter.effects import Failure, TaskResult, WorkflowError
from millwright_workflow.store import approvals, attachments, events, payloads, work_items
from millwright_workflow.store.instances import DAY, write_error

_LEFT_OPEN = frozenset({State.FAULTED, State.CANCELLED, State.COMPENSATING})
"""Where tasks may have been left that ask others for something."""
_NO_RESULT = (None,) * 6
_NO_PROGRESS = (None,) * 4
_NO_END = (None,) * 5
_NO_EVENT = (None,) * 4


async def write(database: Database, tenure: Tenure, steps: Sequence[Step]) -> dict[Key, bool]:
    """Write `steps`, in order; give the instances that they were written of, and whether each is held.

    Of the others nothing is written, not even in part: their partition is not the tenure's any more, or they do not
    stand at the step before. All that is written is one transaction: one statement, unless more goes with it.
    """
    parts = {partitions.of(step.instance) for step in steps}  # the others need no lock
    epochs = {part: epoch for part, epoch in tenure.epochs.items() if part in parts}
    values = tenure.worker, list(epochs), list(epochs.values()), [_values(step) for step in steps]
    ends = [step for step in steps if step.end and step.end.state in _LEFT_OPEN]
    if not ends and (rows := await database.call(_WRITE_ALONE, *values)):
        return {(row["tenant"], row["instance"]): row["is_held"] for row in rows}
    async with database.transaction(ALL_TENANTS) as connection:
        written = {(row["tenant"], row["instance"]): row for row in await connection.fetch(_WRITE, *values)}
        await _end_outside(connection, [step for step in ends if step.key in written])
        attached = [step for step in steps if step.key in written and written[step.key]["has_attachments"]]
        await attachments.remove(connection, attachments.passed(attached))
    return {key: row["is_held"] for key, row in written.items()}


async def _end_outside(connection: Connection, ends: Sequence[Step]) -> None:
    """Let go of what the instances that end here asked others to do; one that is retried asks anew.

    Of a completed instance nothing is asked any more; what it may have left is removed in the background.
    """
    if ends:
        tenants, instances = [step.tenant for step in ends], [step.instance for step in ends]
        await work_items.forget_instances(connection, tenants, instances)
        await approvals.end_rounds(connection, tenants, instances)


def _values(step: Step) -> tuple[Any, ...]:
    """Give a step as the type `workflow.step` has it."""
    return (
        *(step.tenant, step.instance, step.number, step.sequence, step.time),
        *(_result_values(step, step.result) if step.result else _NO_RESULT),
        *(_progress_values(step.progress) if step.progress else _NO_PROGRESS),
        *(_end_values(step, step.end) if step.end else _NO_END),
        *(_event_values(events.of_instance(step.event)) if step.event else _NO_EVENT),
    )


def _result_values(step: Step, result: TaskResult) -> tuple[Any, ...]:
    output, context = payloads.pack(step.output), payloads.pack(step.context)
    return result.reference, result.task_hash, output, context, result.next, result.is_skipped


def _progress_values(progress: Progress) -> tuple[Any, ...]:
    failure = to_text(_failure_values(progress.failure)) if progress.failure else None
    return progress.key, progress.begin_time, progress.due_time, failure


def _end_values(step: Step, end: End) -> tuple[Any, ...]:
    output = to_text(end.output) if end.state is State.COMPLETED else None
    end_time = step.time if end.state.is_terminal else None
    compensation = end.compensation.value if end.compensation else None
    return end.state.value, output, write_error(end.error), end_time, compensation


def _event_values(event: Event) -> tuple[Any, ...]:
    return event.kind, event.type, to_text(event.data), event.traceparent


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
    return [(_checkpoint(row), payloads.size(row["head"], row["stored_bytes"])) for row in rows]


async def adopt(
    connection: Connection, tenant: str, source: uuid.UUID, instance: uuid.UUID, references: Sequence[str]
) -> None:
    """Give a new instance the results that another has under `references`, with the numbers of their steps.

    Raises InstanceNotFound if the other has been removed meanwhile.
    """
    if not await connection.fetchval(_ADOPT, tenant, source, instance, list(references)):
        raise InstanceNotFound(instance=source)


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    output, context = payloads.unpack(row["output"]), payloads.unpack(row["context"])
    result = TaskResult(
        reference=row["reference"],
        task_hash=row["task_hash"],
        output=from_text(output),
        context=from_text(context),
        next=row["next"],
        is_skipped=row["is_skipped"],
    )
    return Checkpoint(row["step"], result, output, context, row["finish_time"])


def _progress(row: asyncpg.Record) -> Progress:
    failure = _read_failure(from_text(row["failure"])) if row["failure"] else None
    return Progress(row["key"], row["begin_time"], row["due_time"], failure)


def write_checkpoint(kept: Checkpoint) -> bytes:
    """Give a checkpoint as one payload."""
    result = kept.result
    head = [kept.number, kept.time, result.reference, result.task_hash.hex(), result.next, result.is_skipped]
    return payloads.pack(f"[{to_text(head)},{kept.output},{kept.context}]")


def read_checkpoint(stored: bytes) -> Checkpoint:
    """Give the checkpoint that `write_checkpoint` wrote."""
    head, output, context = from_text(payloads.unpack(stored))
    number, time, reference, task_hash, following, is_skipped = head
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


# A function, so that the tenant is set and all is written in one round trip. Alone, it writes nothing where an instance
# has attachments.
_WRITE_ALONE = "SELECT * FROM workflow.write_steps($1, $2, $3, $4, is_alone => true)"
_WRITE = "SELECT * FROM workflow.write_steps($1, $2, $3, $4, is_alone => false)"
_WANTED = """
(SELECT tenant, instance, day FROM workflow.instance
 JOIN unnest($1::text[], $2::uuid[]) AS given (tenant, instance) USING (tenant, instance)) AS wanted
"""
_RECALL_RESULTS = f"""
SELECT tenant, instance, step, reference, task_hash, output, context, next, is_skipped, finish_time
FROM {_WANTED} JOIN workflow.task_result USING (tenant, instance, day) ORDER BY step
"""
_RECALL_PROGRESS = f"""
SELECT tenant, instance, key, begin_time, due_time, failure
FROM {_WANTED} JOIN workflow.task_progress USING (tenant, instance, day)
"""
_FIND = f"""
SELECT step, reference, task_hash, output, context, next, is_skipped, finish_time FROM workflow.task_result
WHERE tenant = $1 AND instance = $2 AND day = {DAY} AND ($3::bigint IS NULL OR step = $3)
ORDER BY step DESC LIMIT 1
"""
_PAGE = f"""
SELECT step, reference, task_hash, 'null'::bytea AS output, 'null'::bytea AS context, next, is_skipped, finish_time,
       substring(output FOR {payloads.HEAD_BYTES}) AS head, octet_length(output) AS stored_bytes
FROM workflow.task_result WHERE tenant = $1 AND instance = $2 AND day = {DAY} AND step < $3 ORDER BY step DESC LIMIT $4
"""
# Some results as another instance's, under its own day.
_ADOPT = """
WITH source AS (
    SELECT tenant, instance, day, seal_nonce FROM workflow.instance WHERE tenant = $1 AND instance = $2 FOR SHARE
), adopted AS (
    INSERT INTO workflow.task_result
        (tenant, instance, reference, task_hash, output, context, next, is_skipped, step, finish_time, day)
    SELECT tenant, $3, reference, task_hash, output, context, next, is_skipped, step, finish_time,
           (SELECT day FROM workflow.instance WHERE tenant = $1 AND instance = $3)
    FROM workflow.task_result JOIN source USING (tenant, instance, day) WHERE reference = ANY ($4::text[])
    RETURNING step, is_skipped
)
UPDATE workflow.instance AS instance
SET step = coalesce((SELECT max(step) FROM adopted), 0), seal_nonce = source.seal_nonce,
    finished_tasks = (SELECT count(*) FROM adopted WHERE NOT is_skipped)
FROM source
WHERE instance.tenant = $1 AND instance.instance = $3
RETURNING true
"""
