"""Run jobs and what became of each instance, in Postgres."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain.errors import RunJobNotFound
from millwright_workflow.domain.execution import Active
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.domain.run_jobs import JobState, Outcome, OutcomeKind, RunJob
from millwright_workflow.store.instances import COLUMNS as INSTANCE_COLUMNS
from millwright_workflow.store.instances import DAY
from millwright_workflow.store.instances import from_row as instance_from_row


@dataclass(frozen=True, slots=True)
class Stopped:
    """An instance that a job's hold has stopped, and its job."""

    tenant: str
    instance: uuid.UUID
    run_job: uuid.UUID


async def insert(connection: Connection, tenant: str, job: RunJob) -> None:
    """Order a job, in the transaction of its rollback."""
    await connection.execute(
        _INSERT,
        tenant,
        job.run_job,
        job.workflow,
        job.channel,
        job.version,
        job.target_version,
        job.revision,
        job.run_policy.value,
        job.state.value,
        job.total,
        job.create_time,
    )


async def get(connection: Connection, run_job: uuid.UUID, *, lock: bool = False) -> RunJob:
    """Give a job with its counts, locked if asked; raise RunJobNotFound."""
    if lock:
        await connection.execute(_LOCK, run_job)
    row = await connection.fetchrow(_GET, run_job)
    if row is None:
        raise RunJobNotFound(run_job=run_job)
    counts = await connection.fetch(_COUNT, run_job)
    return _job(row, {OutcomeKind(each["kind"]): each["count"] for each in counts})


async def outcomes(
    connection: Connection,
    run_job: uuid.UUID,
    kind: OutcomeKind | None,
    after: tuple[datetime, uuid.UUID] | None,
    limit: int,
) -> Sequence[Outcome]:
    """Give at most `limit` outcomes in the order in which they came, after a place."""
    outcome_time, instance = after or (None, None)
    rows = await connection.fetch(_OUTCOMES, run_job, kind.value if kind else None, outcome_time, instance, limit)
    return [
        Outcome(row["instance"], OutcomeKind(row["kind"]), row["reason"], row["successor"], row["outcome_time"])
        for row in rows
    ]


async def stopped(connection: Connection, limit: int) -> Sequence[Stopped]:
    """Give at most `limit` instances of every tenant that jobs have stopped and not dealt with."""
    return [Stopped(**row) for row in await connection.fetch(_STOPPED, limit)]


async def lock_stopped(connection: Connection, job: RunJob, instance: uuid.UUID) -> Active | None:
    """Lock an instance that a job has stopped; None if it is dealt with, or somebody is dealing with it."""
    row = await connection.fetchrow(_LOCK_STOPPED, instance, job.revision)
    return Active(instance_from_row(row), row["step"]) if row else None


async def lock_state(connection: Connection, job: RunJob) -> JobState:
    """Keep a job from being cancelled until the transaction ends; give where it stands."""
    return JobState(await connection.fetchval(_LOCK_STATE, job.run_job))


async def begun(connection: Connection, tenant: str, instance: uuid.UUID) -> Sequence[str]:
    """Give the references of the tasks that wait for something that is kept: a timer, a person, a worker, an event."""
    return [row["reference"] for row in await connection.fetch(_BEGUN, tenant, instance)]


async def lock_target(connection: Connection, job: RunJob) -> str | None:
    """Keep the mark of the target version as it is until the transaction ends; give its bad reason, if it has one."""
    reason: str | None = await connection.fetchval(_LOCK_TARGET, job.workflow, job.target_version)
    return reason


async def write_outcome(connection: Connection, tenant: str, job: RunJob, outcome: Outcome) -> None:
    """Note what became of an instance; it is the job's no more."""
    await connection.execute(
        _WRITE_OUTCOME,
        tenant,
        job.run_job,
        outcome.instance,
        outcome.kind.value,
        outcome.reason,
        outcome.successor,
        outcome.outcome_time,
    )
    await connection.execute(_LET_GO, tenant, outcome.instance)


async def migrate(connection: Connection, tenant: str, job: RunJob, instance: uuid.UUID, sequence: int) -> None:
    """Let a stopped instance go on, on the target version."""
    await connection.execute(_MIGRATE, tenant, instance, job.target_version, sequence)


async def put_in_place(
    connection: Connection,
    tenant: str,
    job: RunJob,
    source: uuid.UUID,
    successor: tuple[uuid.UUID, int],
    now: datetime,
) -> None:
    """Write the successor of an instance in its partition, running on the target version, without results yet.

    It is not held by the rollback, and is taken by a worker as one that was resumed is.
    """
    instance, part = successor
    await connection.execute(_PUT_IN_PLACE, tenant, source, instance, part, job.target_version, now)


async def complete(connection: Connection) -> Sequence[tuple[str, uuid.UUID]]:
    """Complete the jobs of every tenant that have nobody left to deal with; give them."""
    return [(row["tenant"], row["run_job"]) for row in await connection.fetch(_COMPLETE)]


async def cancel(connection: Connection, job: RunJob) -> None:
    """Stop a locked, running job; nobody is held for it any more."""
    await connection.execute(_CANCEL, job.run_job)
    await connection.execute(_UNHOLD, job.workflow, job.channel, job.version, job.revision)


def _job(row: asyncpg.Record, counts: dict[OutcomeKind, int]) -> RunJob:
    values = dict(row)
    values["run_policy"] = RunPolicy(values["run_policy"])
    values["state"] = JobState(values["state"])
    return RunJob(**values, counts=counts)


_INSERT = """
INSERT INTO workflow.run_job
    (tenant, run_job, workflow, channel, version, target_version, revision, run_policy, state, total, create_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_LOCK = f"SELECT FROM workflow.run_job WHERE tenant = {TENANT} AND run_job = $1 FOR UPDATE"
_LOCK_STATE = f"SELECT state FROM workflow.run_job WHERE tenant = {TENANT} AND run_job = $1 FOR SHARE"
_GET = f"""
SELECT run_job, workflow, channel, version, target_version, revision, run_policy, state, total, create_time, end_time
FROM workflow.run_job WHERE tenant = {TENANT} AND run_job = $1
"""
_COUNT = f"""
SELECT kind, count(*) AS count FROM workflow.run_job_outcome
WHERE tenant = {TENANT} AND run_job = $1 GROUP BY kind
"""
_OUTCOMES = f"""
SELECT instance, kind, reason, successor, outcome_time FROM workflow.run_job_outcome
WHERE tenant = {TENANT} AND run_job = $1 AND ($2::text IS NULL OR kind = $2)
  AND ($3::timestamptz IS NULL OR (outcome_time, instance) > ($3, $4::uuid))
ORDER BY outcome_time, instance LIMIT $5
"""
_STOPPED = """
SELECT instance.tenant, instance.instance, run_job.run_job FROM workflow.instance
JOIN workflow.run_job ON run_job.tenant = instance.tenant AND run_job.workflow = instance.workflow
    AND run_job.revision = instance.held_revision
WHERE instance.held_revision IS NOT NULL AND instance.state = 'PAUSED'
LIMIT $1
"""
_LOCK_STOPPED = f"""
SELECT {INSTANCE_COLUMNS}, step FROM workflow.instance
WHERE tenant = {TENANT} AND instance = $1 AND state = 'PAUSED' AND held_revision = $2 AND cancel_reason IS NULL
FOR UPDATE SKIP LOCKED
"""
_BEGUN = f"""
SELECT substr(key, strpos(key, ' ') + 1) AS reference FROM workflow.task_progress
WHERE tenant = $1 AND instance = $2 AND day = {DAY} AND (key LIKE 'wait %' OR key LIKE 'within %')
UNION SELECT reference FROM workflow.work_item WHERE tenant = $1 AND instance = $2
UNION SELECT reference FROM workflow.approval WHERE tenant = $1 AND instance = $2
UNION SELECT reference FROM workflow.subscription WHERE tenant = $1 AND instance = $2
UNION SELECT reference FROM workflow.emission WHERE tenant = $1 AND instance = $2
UNION SELECT reference FROM workflow.child WHERE tenant = $1 AND instance = $2
"""
_LOCK_TARGET = f"""
SELECT bad_reason FROM workflow.version WHERE tenant = {TENANT} AND workflow = $1 AND number = $2 FOR SHARE
"""
_WRITE_OUTCOME = """
INSERT INTO workflow.run_job_outcome (tenant, run_job, instance, kind, reason, successor, outcome_time)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_LET_GO = "UPDATE workflow.instance SET held_revision = NULL WHERE tenant = $1 AND instance = $2"
_LATEST = """
(SELECT latest_revision FROM workflow.workflow AS workflow
 WHERE workflow.tenant = instance.tenant AND workflow.workflow = instance.workflow)
"""
# The step grows, so that no checkpoint in Valkey is taken for what is there now.
_MIGRATE = f"""
UPDATE workflow.instance AS instance
SET state = 'RUNNING', is_resumed = true, version = $3, sequence = $4, step = step + 1, bound_revision = {_LATEST},
    canary_revision = NULL, held_revision = NULL
WHERE tenant = $1 AND instance = $2
"""
_PUT_IN_PLACE = f"""
INSERT INTO workflow.instance
    (tenant, instance, part, workflow, channel, version, bound_revision, state, is_resumed, input, sequence, creator,
     create_time, start_time, routing_key, traceparent)
SELECT tenant, $3, $4, workflow, channel, $5, {_LATEST}, 'RUNNING', true, input, 2, creator, $6, $6, routing_key,
       traceparent
FROM workflow.instance AS instance WHERE tenant = $1 AND instance = $2
"""
_COMPLETE = """
UPDATE workflow.run_job AS job SET state = 'COMPLETED', end_time = clock_timestamp()
WHERE state = 'RUNNING' AND NOT EXISTS (
    SELECT FROM workflow.instance
    WHERE instance.tenant = job.tenant AND instance.workflow = job.workflow AND instance.channel = job.channel
      AND instance.version = job.version AND bound_revision < job.revision
      AND (instance.state = 'RUNNING' OR (instance.state = 'PAUSED' AND held_revision = job.revision))
)
RETURNING tenant, run_job
"""
_CANCEL = f"""
UPDATE workflow.run_job SET state = 'CANCELLED', end_time = clock_timestamp()
WHERE tenant = {TENANT} AND run_job = $1
"""
_UNHOLD = f"""
UPDATE workflow.hold SET run_policy = 'DRAIN'
WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2 AND version = $3 AND revision = $4
"""
