"""Releasing: channels move between versions, and versions are marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_workflow.commands import scheduling
from millwright_workflow.commands.running import new_id
from millwright_workflow.domain import canary_decisions, releases
from millwright_workflow.domain.canary_decisions import CanaryMove, CanaryStart
from millwright_workflow.domain.releases import Actor, Decision, Promotion, Release, Rollback, Version
from millwright_workflow.domain.run_jobs import JOB_POLICIES, JobState, RunJob
from millwright_workflow.store import events, instances, run_jobs, workflows
from millwright_workflow.store import releases as release_store
from millwright_workflow.store.instances import Bound


async def promote(
    connection: Connection, log: EventLog, tenant: str, workflow: str, wish: Promotion, actor: Actor
) -> Decision:
    """Point a channel to a version."""
    ledger = await release_store.lock(connection, workflow, [wish.version])
    decision = releases.promote(ledger, wish, actor)
    await carry_out(connection, log, tenant, workflow, decision)
    return decision


async def preview_promotion(connection: Connection, workflow: str, wish: Promotion, actor: Actor) -> Decision:
    """Give what `promote` would decide now; write and lock nothing."""
    ledger = await release_store.read(connection, workflow, [wish.version])
    return releases.promote(ledger, wish, actor)


async def start_canary(
    connection: Connection, log: EventLog, tenant: str, workflow: str, wish: CanaryStart, actor: Actor
) -> Decision:
    """Let a share of a channel's instances begin on another version."""
    ledger = await release_store.lock(connection, workflow, [wish.version])
    decision = canary_decisions.start(ledger, wish, actor)
    await carry_out(connection, log, tenant, workflow, decision)
    return decision


async def preview_canary(connection: Connection, workflow: str, wish: CanaryStart, actor: Actor) -> Decision:
    """Give what `start_canary` would decide now; write and lock nothing."""
    ledger = await release_store.read(connection, workflow, [wish.version])
    return canary_decisions.start(ledger, wish, actor)


async def step_canary(
    connection: Connection, log: EventLog, tenant: str, workflow: str, wish: CanaryMove, actor: Actor
) -> Decision:
    """Let the share of a canary grow; past the last step, promote its version."""
    decision = canary_decisions.step(await release_store.lock(connection, workflow), wish, actor)
    await carry_out(connection, log, tenant, workflow, decision)
    return decision


async def abort_canary(
    connection: Connection, log: EventLog, tenant: str, workflow: str, wish: CanaryMove, actor: Actor
) -> Decision:
    """Take a canary back. From the commit on, no instance begins on its version through the channel."""
    decision = canary_decisions.abort(await release_store.lock(connection, workflow), wish, actor)
    await carry_out(connection, log, tenant, workflow, decision)
    return decision


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback decided, and whom its run policy concerns."""

    decision: Decision
    bound: Bound


async def rollback(
    connection: Connection, log: EventLog, tenant: str, workflow: str, wish: Rollback, actor: Actor
) -> RolledBack:
    """Point a channel back. From the commit on, no instance begins on the version left."""
    await release_store.lock_row(connection, workflow)
    decision = await _decide_rollback(connection, workflow, wish, actor)
    if decision.release and wish.run_policy in JOB_POLICIES:
        decision = replace(decision, release=replace(decision.release, run_job=new_id()))
    await carry_out(connection, log, tenant, workflow, decision)
    rolled_back = await _with_bound(connection, workflow, decision)  # counted once no claim is under way any more
    if decision.release and decision.release.run_job:
        await run_jobs.insert(connection, tenant, _order(workflow, decision.release, rolled_back.bound))
    return rolled_back


def _order(workflow: str, release: Release, bound: Bound) -> RunJob:
    assert release.run_job is not None
    assert release.channel is not None
    assert release.from_version is not None
    assert release.run_policy is not None
    return RunJob(
        run_job=release.run_job,
        workflow=workflow,
        channel=release.channel,
        version=release.from_version,
        target_version=release.to_version,
        revision=release.revision,
        run_policy=release.run_policy,
        state=JobState.RUNNING,
        total=bound.running,
        create_time=release.create_time,
    )


async def preview_rollback(connection: Connection, workflow: str, wish: Rollback, actor: Actor) -> RolledBack:
    """Give what `rollback` would decide now; write and lock nothing."""
    return await _with_bound(connection, workflow, await _decide_rollback(connection, workflow, wish, actor))


async def _decide_rollback(connection: Connection, workflow: str, wish: Rollback, actor: Actor) -> Decision:
    visited = await release_store.visited(connection, workflow, wish.channel)
    named = [wish.target_version] if wish.target_version is not None else []
    ledger = await release_store.read(connection, workflow, [*visited, *named])
    return releases.rollback(ledger, wish, actor, visited)


async def _with_bound(connection: Connection, workflow: str, decision: Decision) -> RolledBack:
    release = decision.release
    if release is None or release.channel is None or release.from_version is None:
        return RolledBack(decision, Bound(0, 0))
    bound = await instances.count_bound(connection, workflow, release.channel, release.from_version)
    return RolledBack(decision, bound)


@dataclass(frozen=True, slots=True)
class Marked:
    """A version after marking."""

    version: Version
    decision: Decision


class Mark(Protocol):
    """A command that marks a version."""

    async def __call__(
        self, connection: Connection, log: EventLog, tenant: str, workflow: str, number: int, actor: Actor
    ) -> Marked:
        """Mark it, in the transaction given."""
        ...


async def mark_bad(
    connection: Connection, log: EventLog, tenant: str, workflow: str, number: int, actor: Actor
) -> Marked:
    """Mark a version bad."""
    ledger = await release_store.lock(connection, workflow, [number])
    return await _mark(connection, log, tenant, workflow, number, releases.mark_bad(ledger, number, actor))


async def mark_good(
    connection: Connection, log: EventLog, tenant: str, workflow: str, number: int, actor: Actor
) -> Marked:
    """Take a bad mark back."""
    ledger = await release_store.lock(connection, workflow, [number])
    return await _mark(connection, log, tenant, workflow, number, releases.mark_good(ledger, number, actor))


async def _mark(
    connection: Connection, log: EventLog, tenant: str, workflow: str, number: int, decision: Decision
) -> Marked:
    await carry_out(connection, log, tenant, workflow, decision)
    return Marked((await workflows.versions(connection, workflow, [number]))[number], decision)


async def carry_out(connection: Connection, log: EventLog, tenant: str, workflow: str, decision: Decision) -> None:
    """Write a decision and its event, and let the schedule follow the channel that instances start through."""
    if decision.release is not None:
        await release_store.write(connection, tenant, workflow, decision)
        await log.append(connection, [events.of_release(tenant, workflow, decision.release)])
    if decision.release is not None and decision.channel is not None:
        await scheduling.follow(connection, tenant, workflow, decision.channel)
