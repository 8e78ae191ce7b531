"""Migrating: what a rollback's run policy orders, and what is done with each instance that it has stopped."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.commands import running
from millwright_workflow.domain import instances as domain
from millwright_workflow.domain import names, partitions
from millwright_workflow.domain.execution import Active, Memory
from millwright_workflow.domain.instances import Happening, Instance, State
from millwright_workflow.domain.interpreter import WorkflowPlan
from millwright_workflow.domain.interpreter.compatibility import Compatibility, compare
from millwright_workflow.domain.run_jobs import JobState, Outcome, OutcomeKind, Resolution, RunJob, resolve
from millwright_workflow.store import events, instances, run_jobs, steps


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of the version that was left and of the target."""

    source: WorkflowPlan
    target: WorkflowPlan


async def attend(
    connection: Connection, log: EventLog, tenant: str, job: RunJob, instance: uuid.UUID, plans: Plans, now: datetime
) -> Outcome | None:
    """Deal with an instance that a running job has stopped; None if that has been done, or is being done."""
    if await run_jobs.lock_state(connection, job) is not JobState.RUNNING:
        return None
    active = await run_jobs.lock_stopped(connection, job, instance)
    if active is None:
        return None
    bad_reason = await run_jobs.lock_target(connection, job)
    memory = await steps.recall(connection, tenant, instance)
    compatibility = await _compare(connection, active, memory, plans)
    has_parent = active.instance.parent is not None
    resolution = resolve(job.run_policy, compatibility, bad_reason=bad_reason, has_parent=has_parent)
    successor = await _carry_out(connection, log, job, active.instance, resolution, compatibility, now)
    outcome = Outcome(instance, resolution.kind, resolution.reason, successor, now)
    await run_jobs.write_outcome(connection, tenant, job, outcome)
    return outcome


async def _compare(connection: Connection, active: Active, memory: Memory, plans: Plans) -> Compatibility:
    begun = await run_jobs.begun(connection, active.instance.tenant, active.instance.instance)
    unfinished = [reference for reference in begun if reference not in memory.history.results]
    return compare(plans.source, plans.target, memory.history, unfinished)


async def _carry_out(
    connection: Connection,
    log: EventLog,
    job: RunJob,
    instance: Instance,
    resolution: Resolution,
    compatibility: Compatibility,
    now: datetime,
) -> uuid.UUID | None:
    match resolution.kind:
        case OutcomeKind.MIGRATED:
            moved = domain.move(instance, State.RUNNING, version=job.target_version)
            await run_jobs.migrate(connection, instance.tenant, job, instance.instance, moved.sequence)
            await log.append(connection, [events.of_instance(domain.event(moved, Happening.RESUMED, now))])
        case OutcomeKind.FORKED:
            return await _fork(connection, log, job, instance, list(compatibility.common.results), now)
        case _:
            pass
    return None


async def _fork(
    connection: Connection, log: EventLog, job: RunJob, instance: Instance, references: Sequence[str], now: datetime
) -> uuid.UUID:
    """Put a new instance in the place of one, with its results up to the last common point."""
    successor = running.new_id()
    place = successor, partitions.of(successor)
    await run_jobs.put_in_place(connection, instance.tenant, job, instance.instance, place, now)
    await steps.adopt(connection, instance.tenant, instance.instance, successor, references)
    begun = await instances.get(connection, successor)
    created = replace(begun, version=None, sequence=1)
    happened = [
        domain.event(created, Happening.CREATED, now),
        domain.event(begun, Happening.STARTED, now),
    ]
    await log.append(connection, [events.of_instance(event) for event in happened])
    await running.cancel(
        connection,
        log,
        instance.instance,
        f"superseded by {names.instance(successor)} on version {job.target_version}",
        now,
    )
    return successor


async def let_go(
    connection: Connection, log: EventLog, job: RunJob, instance: uuid.UUID, now: datetime
) -> Instance | None:
    """Let an instance go on that a job had stopped before it was cancelled."""
    if await run_jobs.lock_stopped(connection, job, instance) is None:
        return None
    return await running.resume(connection, log, instance, now)


async def cancel(connection: Connection, run_job: uuid.UUID) -> RunJob:
    """Stop a job; one that has ended stays as it is. Raises RunJobNotFound."""
    job = await run_jobs.get(connection, run_job, lock=True)
    if job.state is JobState.RUNNING:
        await run_jobs.cancel(connection, job)
    return await run_jobs.get(connection, run_job)
