"""Experimenting: versions are tried on a channel beside the one in use."""

from __future__ import annotations

from dataclasses import dataclass

from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection

from millwright_judgment.commands import releasing
from millwright_judgment.domain import experiment_decisions as decisions
from millwright_judgment.domain.experiment_decisions import Move, Start
from millwright_judgment.domain.experiments import Experiment
from millwright_judgment.domain.releases import Actor, Decision, Ledger
from millwright_judgment.store import experiments
from millwright_judgment.store import releases as release_store


@dataclass(frozen=True, slots=True)
class Experimented:
    """An experiment as it is now, and what was decided of its channel."""

    experiment: Experiment
    decision: Decision


async def start(
    connection: Connection, log: EventLog, tenant: str, ruleset: str, wish: Start, actor: Actor
) -> Experimented:
    """Begin an experiment. From the commit on, its channel's judgments take part."""
    ledger = await release_store.lock(connection, ruleset, _versions(wish))
    await experiments.check_absent(connection, wish.trial.experiment)
    decision, experiment = decisions.start(ledger, wish, actor)
    await experiments.insert(connection, tenant, experiment)
    await releasing.carry_out(connection, log, tenant, ruleset, decision)
    return Experimented(experiment, decision)


async def preview_start(connection: Connection, ruleset: str, wish: Start, actor: Actor) -> Experimented:
    """Give what `start` would give, and raise what it would raise; write and lock nothing."""
    ledger = await release_store.read(connection, ruleset, _versions(wish))
    await experiments.check_absent(connection, wish.trial.experiment)
    decision, experiment = decisions.start(ledger, wish, actor)
    return Experimented(experiment, decision)


async def step(
    connection: Connection, log: EventLog, tenant: str, move: Move, enrolment_bp: int, actor: Actor
) -> Experimented:
    """Move a canary to its next step, or widen another experiment's enrolment to `enrolment_bp`."""
    ledger, experiment = await _lock(connection, move.experiment)
    decision, moved = decisions.step(ledger, experiment, move, enrolment_bp, actor)
    await releasing.carry_out(connection, log, tenant, experiment.ruleset, decision)
    await experiments.move(connection, moved)
    return Experimented(moved, decision)


async def stop(connection: Connection, log: EventLog, tenant: str, name: str, actor: Actor) -> Experimented:
    """End an experiment: all is judged by the channel's version again. One that has ended is left as it is."""
    ledger, experiment = await _lock(connection, name)
    return await _end(connection, log, tenant, experiment, decisions.stop(ledger, experiment, actor))


async def promote_arm(
    connection: Connection, log: EventLog, tenant: str, move: Move, arm: str, actor: Actor
) -> Experimented:
    """Point the channel to the version of an arm, and end the experiment with it."""
    ledger, experiment = await _lock(connection, move.experiment)
    decision = decisions.promote_arm(ledger, experiment, move, arm, actor)
    return await _end(connection, log, tenant, experiment, decision)


async def _end(
    connection: Connection, log: EventLog, tenant: str, experiment: Experiment, decision: Decision
) -> Experimented:
    await releasing.carry_out(connection, log, tenant, experiment.ruleset, decision)
    return Experimented(await experiments.get(connection, experiment.name), decision)


async def _lock(connection: Connection, name: str) -> tuple[Ledger, Experiment]:
    """Keep other decisions about the experiment's ruleset waiting; give their state, and the experiment as it is."""
    ruleset = (await experiments.get(connection, name)).ruleset
    ledger = await release_store.lock(connection, ruleset)
    return ledger, await experiments.get(connection, name)


def _versions(wish: Start) -> list[int]:
    return [arm.version for arm in wish.trial.arms]
