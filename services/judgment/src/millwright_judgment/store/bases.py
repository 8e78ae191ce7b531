"""What judgments rest on, in Postgres: where a channel points, what it tries, and whether a version may be judged with.

Rows belong to many tenants: each statement is given their names, in a transaction of all tenants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg
from millwright_runtime.postgres.database import Connection

from millwright_judgment.domain.experiments import Trial
from millwright_judgment.domain.releases import VersionState
from millwright_judgment.store import trials


class Target(NamedTuple):
    """What is judged by: a channel of a ruleset, or a version of it that was named."""

    tenant: str
    ruleset: str
    channel: str = ""
    """Empty if a version is named."""
    number: int = 0
    """0 if a channel is."""


class Stamp(NamedTuple):
    """What changes when something else is to be judged with."""

    revision: int
    """The channel's; 0 for a version that was named and may be judged with, -1 for what may not."""
    trial_revision: int = 0
    """The experiment's that runs on the channel; 0 without one."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """The experiment that runs on a channel."""

    trial: Trial
    enrolment_bp: int
    step: int


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a target."""

    has_ruleset: bool
    number: int | None
    """The version to judge with; None where there is no such channel or version."""
    state: VersionState
    state_reason: str
    stamp: Stamp
    running: RunningTrial | None
    """None, too, once a version that it tries is marked bad."""


async def read(connection: Connection, targets: Sequence[Target]) -> Mapping[Target, Found]:
    """Give what there is of each target now."""
    rows = await connection.fetch(_READ, *_columns(targets))
    return {target: _found(target, row) for target, row in zip(targets, rows, strict=True)}


async def hold(connection: Connection, targets: Sequence[Target]) -> Mapping[Target, Stamp]:
    """Keep the targets as they are until the transaction ends, and give their stamps.

    It waits for whoever is moving a channel of these rulesets; who wants to move one then waits for this transaction.
    """
    rows = await connection.fetch(_HOLD, *_columns(targets))
    return {target: _stamp(target, row) for target, row in zip(targets, rows, strict=True)}


def _columns(targets: Sequence[Target]) -> list[list[Any]]:
    return [list(column) for column in zip(*targets, strict=True)]


def _stamp(target: Target, row: asyncpg.Record) -> Stamp:
    if target.number:
        return Stamp(0 if row["state"] == VersionState.PUBLISHED.value else -1)
    return Stamp(-1 if row["revision"] is None else row["revision"], row["trial_revision"] or 0)


def _found(target: Target, row: asyncpg.Record) -> Found:
    running = None
    if row["experiment"] is not None and not target.number and row["is_trial_sound"]:
        trial = trials.from_text(row["experiment"], row["mode"], row["plan"])
        running = RunningTrial(trial, row["enrolment_bp"], row["step"])
    return Found(
        has_ruleset=row["has_ruleset"],
        number=row["number"],
        state=VersionState(row["state"] or VersionState.PUBLISHED.value),
        state_reason=row["state_reason"] or "",
        stamp=_stamp(target, row),
        running=running,
    )


_READ = """
SELECT ruleset.ruleset IS NOT NULL AS has_ruleset, version.number, version.state, version.state_reason,
       channel.revision, experiment.experiment, experiment.mode, experiment.plan, experiment.enrolment_bp,
       experiment.step, experiment.revision AS trial_revision,
       NOT EXISTS (
           SELECT FROM judgment.version AS tried
           WHERE (tried.tenant, tried.ruleset) = (channel.tenant, channel.ruleset)
             AND tried.number = ANY (channel.trial_versions) AND tried.state <> 'PUBLISHED'
       ) AS is_trial_sound
FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[])
    WITH ORDINALITY AS asked (tenant, ruleset, channel, number, place)
LEFT JOIN judgment.ruleset ON (ruleset.tenant, ruleset.ruleset) = (asked.tenant, asked.ruleset)
LEFT JOIN judgment.channel
    ON (channel.tenant, channel.ruleset, channel.channel) = (asked.tenant, asked.ruleset, asked.channel)
LEFT JOIN judgment.experiment ON (experiment.tenant, experiment.experiment) = (asked.tenant, channel.experiment)
LEFT JOIN judgment.version
    ON (version.tenant, version.ruleset, version.number)
        = (asked.tenant, asked.ruleset, coalesce(channel.version, asked.number))
ORDER BY asked.place
"""
_HOLD = "SELECT * FROM judgment.hold_judgments($1, $2, $3, $4)"
