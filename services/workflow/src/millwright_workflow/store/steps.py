"""What the engine writes while instances run: steps, many instances in one statement.

Each step moves one instance from one sequence to the next, and only while its worker still owns it: a worker that
was presumed dead writes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import asyncpg
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.instances import InstanceEvent, State
from millwright_workflow.domain.interpreter.effects import Failure, History, TaskResult, WorkflowError
from millwright_workflow.domain.json import Json, from_text, to_text
from millwright_workflow.store import events
from millwright_workflow.store.instances import write_error


@dataclass(frozen=True, slots=True)
class Progress:
    """What is kept of a task that has not finished."""

    key: str
    """What is kept, and of which task: such as `wait /do/0/pause`."""
    begin_time: datetime
    due_time: datetime | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How an instance leaves its worker."""

    state: State
    output: Json = None
    error: WorkflowError | None = None


Key = tuple[str, uuid.UUID]
"""What tells one instance from every other: its tenant and its id, which callers may choose."""


@dataclass(frozen=True, slots=True)
class Step:
    """One advance of one instance: all of it is written, or nothing."""

    event: InstanceEvent | None
    """None for progress, which is nobody's business but the engine's, and takes no sequence."""
    tenant: str
    instance: uuid.UUID
    number: int
    """Its place among the instance's steps, from 1."""
    sequence: int
    """The sequence of the instance's newest event afterwards."""
    time: datetime
    result: TaskResult | None = None
    output: str = "null"
    """The result's output, as JSON text."""
    context: str = "null"
    """The result's context, as JSON text."""
    progress: Progress | None = None
    end: End | None = None

    @property
    def key(self) -> Key:
        """Give what tells its instance from every other."""
        return self.tenant, self.instance


async def write(connection: Connection, log: EventLog, worker: uuid.UUID, steps: Sequence[Step]) -> dict[Key, bool]:
    """Write `steps`, at most one an instance; give the instances that `worker` still owned, and whether each is held.

    One that is held is to pause: a rollback that has committed wants it. The steps of instances that `worker` did not
    own are not written, not even in part.
    """
    owned = await _advance(connection, worker, steps)
    accepted = [step for step in steps if step.key in owned]
    await _write_results(connection, [step for step in accepted if step.result])
    await _write_progress(connection, [step for step in accepted if step.progress])
    await log.append(connection, [events.of_instance(step.event) for step in accepted if step.event])
    return owned


async def _advance(connection: Connection, worker: uuid.UUID, steps: Sequence[Step]) -> dict[Key, bool]:
    ends = [step.end for step in steps]
    rows = await connection.fetch(
        _ADVANCE,
        worker,
        [step.tenant for step in steps],
        [step.instance for step in steps],
        [step.number for step in steps],
        [step.sequence for step in steps],
        [1 if step.result and not step.result.is_skipped else 0 for step in steps],
        [end.state.value if end else None for end in ends],
        [to_text(end.output) if end and end.state is State.COMPLETED else None for end in ends],
        [write_error(end.error) if end else None for end in ends],
        [step.time if step.end and step.end.state.is_terminal else None for step in steps],
    )
    return {(row["tenant"], row["instance"]): row["is_held"] for row in rows}


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


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is kept of an instance's tasks."""

    history: History
    progress: dict[str, Progress]


async def recall(connection: Connection, tenant: str, instance: uuid.UUID) -> Memory:
    """Give what earlier walks of an instance have committed."""
    results = await connection.fetch(_RECALL_RESULTS, tenant, instance)
    rows = await connection.fetch(_RECALL_PROGRESS, tenant, instance)
    progress = {row["key"]: _progress(row) for row in rows}
    failures = {entry.failure.reference: entry.failure for entry in progress.values() if entry.failure}
    return Memory(History({row["reference"]: _result(row) for row in results}, failures), progress)


def _result(row: asyncpg.Record) -> TaskResult:
    return TaskResult(
        reference=row["reference"],
        task_hash=row["task_hash"],
        output=from_text(row["output"]),
        context=from_text(row["context"]),
        next=row["next"],
        is_skipped=row["is_skipped"],
    )


def _progress(row: asyncpg.Record) -> Progress:
    failure = _read_failure(from_text(row["failure"])) if row["failure"] else None
    return Progress(row["key"], row["begin_time"], row["due_time"], failure)


def write_result(step: Step) -> str:
    """Give a step's result as one text."""
    result = step.result
    assert result is not None
    head = [result.reference, result.task_hash.hex(), result.next, result.is_skipped]
    return f"[{to_text(head)},{step.output},{step.context}]"


def read_result(text: bytes) -> TaskResult:
    """Give the result that `write_result` wrote."""
    (reference, task_hash, following, is_skipped), output, context = from_text(text)
    return TaskResult(reference, bytes.fromhex(task_hash), output, context, following, is_skipped)


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


# Move each instance on, if this worker owns it and it stands where the step begins.
_ADVANCE = """
UPDATE workflow.instance AS instance
SET step = step.number, sequence = step.sequence, finished_tasks = finished_tasks + step.finished,
    state = coalesce(step.state, instance.state), output = step.output, error = step.error, end_time = step.end_time,
    owner = CASE WHEN step.state IS NULL THEN owner END
FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[],
            $10::timestamptz[])
    AS step (tenant, instance, number, sequence, finished, state, output, error, end_time)
WHERE instance.tenant = step.tenant AND instance.instance = step.instance AND instance.owner = $1
  AND instance.state = 'RUNNING' AND instance.step = step.number - 1
RETURNING instance.tenant, instance.instance, EXISTS (
    SELECT FROM workflow.hold
    WHERE hold.tenant = instance.tenant AND hold.workflow = instance.workflow AND hold.channel = instance.channel
      AND hold.version = instance.version AND hold.revision > bound_revision AND run_policy = 'PAUSE'
) AS is_held
"""
_WRITE_RESULTS = """
INSERT INTO workflow.task_result
    (tenant, instance, reference, task_hash, output, context, next, is_skipped, finish_time)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
                     $8::boolean[], $9::timestamptz[])
"""
_WRITE_PROGRESS = """
INSERT INTO workflow.task_progress (tenant, instance, key, begin_time, due_time, failure)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[])
ON CONFLICT (tenant, instance, key) DO UPDATE SET due_time = excluded.due_time, failure = excluded.failure
"""
_RECALL_RESULTS = """
SELECT reference, task_hash, output, context, next, is_skipped FROM workflow.task_result
WHERE tenant = $1 AND instance = $2
"""
_RECALL_PROGRESS = """
SELECT key, begin_time, due_time, failure FROM workflow.task_progress WHERE tenant = $1 AND instance = $2
"""
