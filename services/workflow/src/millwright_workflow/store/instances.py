"""Instances, in Postgres: what callers ask for and read. What the engine writes while they run is in `steps`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.json import from_text, to_text
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain import partitions
from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.errors import InstanceExists, InstanceNotFound
from millwright_workflow.domain.execution import Active
from millwright_workflow.domain.instances import Instance, State
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.store import attachments


@dataclass(frozen=True, slots=True)
class Filter:
    """Which instances to list."""

    workflow: str | None = None
    version: int | None = None
    states: tuple[State, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    parent: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """How many instances are bound to a version through a channel."""

    running: int
    paused: int


async def insert(connection: Connection, instance: Instance) -> None:
    """Write a new, pending instance; raise InstanceExists."""
    written = await connection.fetchval(
        _INSERT,
        instance.tenant,
        instance.instance,
        partitions.of(instance.instance),
        instance.workflow,
        instance.channel,
        instance.version,
        instance.state.value,
        to_text(instance.input),
        instance.sequence,
        instance.creator,
        instance.create_time,
        instance.parent,
        instance.parent_task,
        instance.depth,
        instance.routing_key,
        instance.traceparent,
    )
    if not written:
        raise InstanceExists(instance=instance.instance)


async def get(connection: Connection, instance: uuid.UUID, *, lock: bool = False) -> Instance:
    """Give an instance, locked until the transaction ends if asked; raise InstanceNotFound."""
    row = await connection.fetchrow(f"{_GET} FOR UPDATE" if lock else _GET, instance)
    if row is None:
        raise InstanceNotFound(instance=instance)
    return from_row(row)


async def get_active(connection: Connection, instance: uuid.UUID) -> Active:
    """Give an instance with the number of its last step; raise InstanceNotFound."""
    row = await connection.fetchrow(_GET, instance)
    if row is None:
        raise InstanceNotFound(instance=instance)
    return Active(from_row(row), row["step"])


async def page(
    connection: Connection, chosen: Filter, before: tuple[datetime, uuid.UUID] | None, limit: int
) -> Sequence[Instance]:
    """Give at most `limit` instances without input and output, newest first, older than the place `before`."""
    create_time, instance = before or (None, None)
    rows = await connection.fetch(
        _PAGE,
        chosen.workflow,
        chosen.version,
        [state.value for state in chosen.states],
        chosen.created_after,
        chosen.created_before,
        create_time,
        instance,
        limit,
        chosen.parent,
    )
    return [from_row(row) for row in rows]


async def count_bound(connection: Connection, workflow: str, channel: str, version: int) -> Bound:
    """Count the instances that a run policy for `version` concerns."""
    row = await connection.fetchrow(_COUNT_BOUND, workflow, channel, version)
    return Bound(row["running"], row["paused"])


async def request_cancel(
    connection: Connection, instance: uuid.UUID, reason: str, compensation: Compensation | None
) -> None:
    """Ask the owner of an instance to stop it, or to stop undoing it."""
    await connection.execute(_REQUEST_CANCEL, instance, reason, compensation.state.value if compensation else None)


async def request_pause(connection: Connection, instance: uuid.UUID, reason: str) -> None:
    """Ask the owner of a running instance to stop it before its next task."""
    await connection.execute(_REQUEST_PAUSE, instance, reason)


async def retry(connection: Connection, instance: uuid.UUID, sequence: int) -> None:
    """Let an ended instance, locked here, be taken by a worker again, with its time limits begun anew."""
    tenant = await connection.fetchval(_RETRY, instance, sequence)
    await forget_limits(connection, tenant, instance)


async def forget_limits(connection: Connection, tenant: str, instance: uuid.UUID) -> None:
    """Let the time limits of an instance's tasks begin anew."""
    await connection.execute(_FORGET_LIMITS, tenant, instance)


async def end(connection: Connection, ended: Instance) -> None:
    """Write the end of an instance that nobody runs and that is locked here."""
    await connection.execute(
        _END,
        ended.tenant,
        ended.instance,
        ended.state.value,
        ended.sequence,
        ended.end_time,
        write_error(ended.error),
        ended.cancel_reason,
        ended.compensation.state.value if ended.compensation else None,
    )
    await attachments.remove(connection, [attachments.Passed(ended.tenant, ended.instance)])


async def resume(connection: Connection, instance: uuid.UUID, sequence: int) -> None:
    """Let a paused instance, locked here, be taken by a worker; the holds that are there now concern it no more."""
    await connection.execute(_RESUME, instance, sequence)


def from_row(row: asyncpg.Record) -> Instance:
    """Give the instance in a row that has the columns of COLUMNS."""
    return Instance(
        tenant=row["tenant"],
        instance=row["instance"],
        workflow=row["workflow"],
        channel=row["channel"],
        version=row["version"],
        state=State(row["state"]),
        input=from_text(row["input"]),
        output=from_text(row["output"]) if row["output"] is not None else None,
        error=_read_error(row["error"]),
        cancel_reason=row["cancel_reason"],
        finished_tasks=row["finished_tasks"],
        sequence=row["sequence"],
        creator=row["creator"],
        create_time=row["create_time"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        parent=row["parent"],
        parent_task=row["parent_task"],
        depth=row["depth"],
        routing_key=row["routing_key"],
        compensation=_compensation(row),
        traceparent=row["traceparent"],
    )


def _compensation(row: asyncpg.Record) -> Compensation | None:
    if row["compensation"] is None:
        return None
    return Compensation(CompensationState(row["compensation"]), _read_error(row["compensation_cause"]))


def _read_error(text: str | None) -> WorkflowError | None:
    return WorkflowError(**from_text(text)) if text else None


def write_error(error: WorkflowError | None) -> str | None:
    """Give an error as it is stored."""
    return to_text(asdict(error)) if error else None


COLUMNS = """tenant, instance, workflow, channel, version, state, input, output, error, cancel_reason, finished_tasks,
    sequence, creator, create_time, start_time, end_time, parent, parent_task, depth, routing_key, compensation,
    compensation_cause, traceparent"""
DAY = "(SELECT day FROM workflow.instance WHERE tenant = $1 AND instance = $2)"
"""The day by which is kept what an instance leaves, in SQL whose first parameters name the instance: told, a statement
looks into one partition."""
_GET = f"SELECT {COLUMNS}, step FROM workflow.instance WHERE tenant = {TENANT} AND instance = $1"
_INSERT = """
INSERT INTO workflow.instance
    (tenant, instance, part, workflow, channel, version, state, input, sequence, creator, create_time, parent,
     parent_task, depth, routing_key, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT DO NOTHING RETURNING true
"""
_PAGE = f"""
SELECT tenant, instance, workflow, channel, version, state, 'null' AS input, NULL AS output, error, cancel_reason,
       finished_tasks, sequence, creator, create_time, start_time, end_time, parent, parent_task, depth,
       routing_key, compensation, compensation_cause, traceparent
FROM workflow.instance
WHERE tenant = {TENANT} AND ($1::text IS NULL OR workflow = $1) AND ($2::integer IS NULL OR version = $2)
  AND (cardinality($3::text[]) = 0 OR state = ANY ($3))
  AND ($4::timestamptz IS NULL OR create_time >= $4) AND ($5::timestamptz IS NULL OR create_time < $5)
  AND ($6::timestamptz IS NULL OR (create_time, instance) < ($6, $7::uuid))
  AND ($9::uuid IS NULL OR parent = $9)
ORDER BY create_time DESC, instance DESC LIMIT $8
"""
_COUNT_BOUND = f"""
SELECT count(*) FILTER (WHERE state = 'RUNNING') AS running, count(*) FILTER (WHERE state = 'PAUSED') AS paused
FROM workflow.instance
WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2 AND version = $3 AND state IN ('RUNNING', 'PAUSED')
"""
_REQUEST_CANCEL = f"""
UPDATE workflow.instance SET cancel_reason = $2, compensation = $3 WHERE tenant = {TENANT} AND instance = $1
"""
_END = """
UPDATE workflow.instance
SET state = $3, sequence = $4, end_time = $5, error = $6, cancel_reason = $7, compensation = $8
WHERE tenant = $1 AND instance = $2
"""
_RESUME = f"""
UPDATE workflow.instance AS instance
SET state = 'RUNNING', is_resumed = true, sequence = $2, bound_revision = (
    SELECT latest_revision FROM workflow.workflow AS workflow
    WHERE workflow.tenant = instance.tenant AND workflow.workflow = instance.workflow
)
WHERE tenant = {TENANT} AND instance = $1
"""
_REQUEST_PAUSE = f"""
UPDATE workflow.instance SET pause_reason = $2 WHERE tenant = {TENANT} AND instance = $1 AND state = 'RUNNING'
"""
# The step grows, so that no checkpoint in Valkey is taken for what is there now.
_RETRY = f"""
UPDATE workflow.instance AS instance
SET state = 'RUNNING', is_resumed = true, sequence = $2, step = step + 1, error = NULL, cancel_reason = NULL,
    compensation = NULL, end_time = NULL, bound_revision = (
        SELECT latest_revision FROM workflow.workflow AS workflow
        WHERE workflow.tenant = instance.tenant AND workflow.workflow = instance.workflow
    )
WHERE tenant = {TENANT} AND instance = $1 RETURNING tenant
"""
_FORGET_LIMITS = f"""
DELETE FROM workflow.task_progress WHERE tenant = $1 AND instance = $2 AND day = {DAY} AND key LIKE 'within %'
"""
