"""Channels and the release log, in Postgres. A decision is written whole, in the transaction that locked its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_judgment.domain.errors import ChannelNotFound
from millwright_judgment.domain.experiments import END_STATES
from millwright_judgment.domain.releases import Channel, Decision, Ledger, Operation, Plan, Release, Trial
from millwright_judgment.store import experiments, rulesets


async def lock(connection: Connection, ruleset: str, versions: Sequence[int] = ()) -> Ledger:
    """Keep every other decision about the ruleset's releases waiting, and give their state.

    That of a ruleset that is not there is empty.
    """
    await connection.execute(_LOCK, ruleset)
    return await read(connection, ruleset, versions)


async def read(connection: Connection, ruleset: str, versions: Sequence[int] = ()) -> Ledger:
    """Give the state of the ruleset's releases; that of a ruleset that is not there is empty.

    `versions` are the numbers that the decision names; those that channels point to, plan or try are there too.
    """
    row = await rulesets.find(connection, ruleset)
    channels = {channel.channel: channel for channel in await list_channels(connection, ruleset)}
    numbers = {*versions}
    for channel in channels.values():
        numbers |= {channel.version, *(channel.trial.versions if channel.trial else ())}
        numbers |= {channel.plan.version} if channel.plan else set()
    return Ledger(
        ruleset=ruleset,
        latest_version=row.latest_version if row else 0,
        latest_revision=row.latest_revision if row else 0,
        time=row.read_time if row else datetime.now(UTC),
        channels=channels,
        versions=await rulesets.versions(connection, ruleset, sorted(numbers)),
    )


async def visited(connection: Connection, ruleset: str, channel: str) -> Sequence[int]:
    """Give the versions that a channel pointed to, each once, the one visited last first."""
    return [row["to_version"] for row in await connection.fetch(_VISITED, ruleset, channel)]


async def write(connection: Connection, tenant: str, ruleset: str, decision: Decision) -> None:
    """Write what was decided: the row of the log, the channel, the marks, the end of an experiment."""
    release = decision.release
    if release is None:
        return
    if decision.channel or decision.marks:
        # What is stored afterwards, on whichever replica, was judged by what is decided here.
        await connection.execute(_HOLD, tenant, ruleset)
    await connection.execute(
        _APPEND,
        tenant,
        ruleset,
        release.revision,
        release.operation.value,
        release.channel,
        release.from_version,
        release.to_version,
        release.marked_bad,
        release.reason,
        release.actor,
        release.automatic,
        release.create_time,
        release.experiment,
        release.evidence,
        release.planned_time,
    )
    if decision.channel:
        await _write_channel(connection, tenant, ruleset, decision.channel)
    for number, mark in sorted((decision.marks or {}).items()):
        await connection.execute(_MARK, ruleset, number, mark.state.value, mark.reason)
    if decision.marks:
        await experiments.unsettle(connection, ruleset, list(decision.marks))
    if decision.ended_experiment:
        state = END_STATES[release.operation]
        await experiments.end(connection, decision.ended_experiment, state, release.reason, release.create_time)


async def _write_channel(connection: Connection, tenant: str, ruleset: str, channel: Channel) -> None:
    plan, trial = channel.plan, channel.trial
    await connection.execute(
        _POINT,
        tenant,
        ruleset,
        channel.channel,
        channel.version,
        channel.revision,
        channel.freeze_time,
        channel.update_time,
        trial.experiment if trial else None,
        list(trial.versions) if trial else None,
        plan.version if plan else None,
        plan.time if plan else None,
        plan.reason if plan else None,
        plan.actor if plan else None,
    )


async def get_channel(connection: Connection, ruleset: str, channel: str) -> Channel:
    """Give a channel; raise ChannelNotFound."""
    row = await connection.fetchrow(f"{_SELECT_CHANNEL} AND channel = $2", ruleset, channel)
    if row is None:
        raise ChannelNotFound(ruleset=ruleset, channel=channel)
    return _channel(row)


async def list_channels(connection: Connection, ruleset: str) -> Sequence[Channel]:
    """Give a ruleset's channels by id."""
    return [_channel(row) for row in await connection.fetch(f"{_SELECT_CHANNEL} ORDER BY channel", ruleset)]


async def due_plans(connection: Connection, limit: int) -> Sequence[tuple[str, str, str]]:
    """Give at most `limit` channels, as tenant, ruleset and channel, whose plan's time has come."""
    rows = await connection.fetch(_DUE, limit)
    return [(row["tenant"], row["ruleset"], row["channel"]) for row in rows]


async def page(connection: Connection, ruleset: str, channel: str | None, before: int, limit: int) -> Sequence[Release]:
    """Give at most `limit` rows of the log, newest first, below the revision `before`."""
    return [_release(row) for row in await connection.fetch(_PAGE, ruleset, channel, before, limit)]


async def after(connection: Connection, ruleset: str, revision: int, limit: int) -> Sequence[Release]:
    """Give at most `limit` rows of the log in order, above `revision`."""
    return [_release(row) for row in await connection.fetch(_AFTER, ruleset, revision, limit)]


def _channel(row: asyncpg.Record) -> Channel:
    planned = row["planned_version"]
    return Channel(
        channel=row["channel"],
        version=row["version"],
        revision=row["revision"],
        freeze_time=row["freeze_time"],
        update_time=row["update_time"],
        trial=Trial(row["experiment"], tuple(row["trial_versions"])) if row["experiment"] else None,
        plan=Plan(planned, row["planned_time"], row["planned_reason"], row["planned_actor"]) if planned else None,
    )


def _release(row: asyncpg.Record) -> Release:
    return Release(**{**dict(row), "operation": Operation(row["operation"])})


_LOCK = f"SELECT FROM judgment.ruleset WHERE tenant = {TENANT} AND ruleset = $1 FOR NO KEY UPDATE"
_HOLD = "SELECT judgment.hold_releases($1, $2)"
_VISITED = f"""
SELECT to_version, max(revision) AS last_visit FROM judgment.release
WHERE tenant = {TENANT} AND ruleset = $1 AND channel = $2 AND operation IN ('PROMOTE', 'ROLLBACK')
GROUP BY to_version ORDER BY last_visit DESC
"""
# Add the row, and let the ruleset count it.
_APPEND = """
WITH counted AS (
    UPDATE judgment.ruleset
    SET latest_revision = $3, update_time = $12,
        latest_version = CASE WHEN $4 = 'PUBLISH' THEN $7 ELSE latest_version END
    WHERE tenant = $1 AND ruleset = $2
)
INSERT INTO judgment.release
    (tenant, ruleset, revision, operation, channel, from_version, to_version, marked_bad, reason, actor, automatic,
     create_time, experiment, evidence, planned_time)
VALUES ($1, $2, $3, $4::text, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_POINT = """
INSERT INTO judgment.channel
    (tenant, ruleset, channel, version, revision, freeze_time, update_time, experiment, trial_versions,
     planned_version, planned_time, planned_reason, planned_actor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (tenant, ruleset, channel) DO UPDATE
SET version = excluded.version, revision = excluded.revision, freeze_time = excluded.freeze_time,
    update_time = excluded.update_time, experiment = excluded.experiment, trial_versions = excluded.trial_versions,
    planned_version = excluded.planned_version, planned_time = excluded.planned_time,
    planned_reason = excluded.planned_reason, planned_actor = excluded.planned_actor
"""
_MARK = f"""
UPDATE judgment.version SET state = $3, state_reason = $4 WHERE tenant = {TENANT} AND ruleset = $1 AND number = $2
"""
_DUE = """
SELECT tenant, ruleset, channel FROM judgment.channel WHERE planned_time <= clock_timestamp()
ORDER BY planned_time LIMIT $1
"""
_SELECT_CHANNEL = f"""
SELECT channel, version, revision, freeze_time, update_time, experiment, trial_versions, planned_version, planned_time,
       planned_reason, planned_actor
FROM judgment.channel WHERE tenant = {TENANT} AND ruleset = $1
"""
_SELECT_RELEASE = f"""
SELECT revision, operation, channel, from_version, to_version, marked_bad, reason, actor, automatic, create_time,
       experiment, evidence, planned_time
FROM judgment.release WHERE tenant = {TENANT} AND ruleset = $1
"""
_PAGE = f"""
{_SELECT_RELEASE} AND ($2::text IS NULL OR channel = $2) AND revision < $3 ORDER BY revision DESC LIMIT $4
"""
_AFTER = f"{_SELECT_RELEASE} AND revision > $2 ORDER BY revision LIMIT $3"
