"""Releasing: channels move between versions, and versions are marked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain import releases
from millwright_judgment.domain.releases import Actor, Decision, Ledger, Promotion, Rollback, Version
from millwright_judgment.store import events, rulesets
from millwright_judgment.store import releases as store

Decide = Callable[[Ledger, int, Actor], Decision]
"""Decides about one version: to mark it, to retire it."""


async def promote(
    connection: Connection, log: EventLog, tenant: str, ruleset: str, wish: Promotion, actor: Actor
) -> Decision:
    """Point a channel to a version, or plan that."""
    ledger = await store.lock(connection, ruleset, [wish.version])
    decision = releases.promote(ledger, wish, actor)
    await carry_out(connection, log, tenant, ruleset, decision)
    return decision


async def preview_promotion(connection: Connection, ruleset: str, wish: Promotion, actor: Actor) -> Decision:
    """Give what `promote` would decide now; write and lock nothing."""
    return releases.promote(await store.read(connection, ruleset, [wish.version]), wish, actor)


async def carry_out_plan(connection: Connection, log: EventLog, tenant: str, ruleset: str, channel: str) -> Decision:
    """Do what a channel's plan says, if its time has come; nothing if somebody else has."""
    decision = releases.carry_out_plan(await store.lock(connection, ruleset), channel)
    await carry_out(connection, log, tenant, ruleset, decision)
    return decision


async def rollback(
    connection: Connection, log: EventLog, tenant: str, ruleset: str, wish: Rollback, actor: Actor
) -> Decision:
    """Point a channel back. From the commit on, nothing is judged with the version left through the channel."""
    ledger = await store.lock(connection, ruleset)
    decision = await _decide_rollback(connection, ledger, wish, actor)
    await carry_out(connection, log, tenant, ruleset, decision)
    return decision


async def preview_rollback(connection: Connection, ruleset: str, wish: Rollback, actor: Actor) -> Decision:
    """Give what `rollback` would decide now; write and lock nothing."""
    return await _decide_rollback(connection, await store.read(connection, ruleset), wish, actor)


async def _decide_rollback(connection: Connection, ledger: Ledger, wish: Rollback, actor: Actor) -> Decision:
    visited = await store.visited(connection, ledger.ruleset, wish.channel)
    named = [wish.target_version] if wish.target_version is not None else []
    ledger = await store.read(connection, ledger.ruleset, [*visited, *named])
    return releases.rollback(ledger, wish, actor, visited)


@dataclass(frozen=True, slots=True)
class Marked:
    """A version after marking."""

    version: Version
    decision: Decision


async def mark(
    connection: Connection, log: EventLog, tenant: str, ruleset: str, number: int, actor: Actor, decide: Decide
) -> Marked:
    """Mark a version as `decide` says: `releases.mark_bad`, `mark_good` or `retire`."""
    decision = decide(await store.lock(connection, ruleset, [number]), number, actor)
    await carry_out(connection, log, tenant, ruleset, decision)
    return Marked((await rulesets.versions(connection, ruleset, [number]))[number], decision)


async def carry_out(connection: Connection, log: EventLog, tenant: str, ruleset: str, decision: Decision) -> None:
    """Write a decision and its event."""
    if decision.release is not None:
        await store.write(connection, tenant, ruleset, decision)
        await log.append(connection, [events.of_release(tenant, ruleset, decision.release)])
