"""Channels and the release log, in Postgres. A decision is written whole, in the transaction that locked its ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain.errors import ChannelNotFound
from millwright_workflow.domain.releases import Channel, Decision, Ledger, Operation, Release, RunPolicy
from millwright_workflow.store import canaries, workflows


async def lock_row(connection: Connection, workflow: str) -> None:
    """Keep every other decision about the workflow's releases waiting until the transaction ends."""
    await connection.execute(_LOCK, workflow)


async def lock(connection: Connection, workflow: str, versions: Sequence[int] = ()) -> Ledger:
    """Lock the workflow's releases and give their state; that of a workflow that is not there is empty."""
    await lock_row(connection, workflow)
    return await read(connection, workflow, versions)


async def read(connection: Connection, workflow: str, versions: Sequence[int] = ()) -> Ledger:
    """Give the state of the workflow's releases; that of a workflow that is not there is empty.

    `versions` are the numbers that the decision names; those that channels point to or try are there too.
    """
    row = await workflows.find(connection, workflow)
    channels = {channel.channel: channel for channel in await list_channels(connection, workflow)}
    numbers = {*versions, *(channel.version for channel in channels.values())}
    numbers |= {channel.canary.version for channel in channels.values() if channel.canary}
    return Ledger(
        workflow=workflow,
        latest_version=row.latest_version if row else 0,
        latest_revision=row.latest_revision if row else 0,
        time=row.read_time if row else datetime.now(UTC),
        channels=channels,
        versions=await workflows.versions(connection, workflow, sorted(numbers)),
    )


async def visited(connection: Connection, workflow: str, channel: str) -> Sequence[int]:
    """Give the versions that a channel pointed to, each once, the one visited last first."""
    return [row["to_version"] for row in await connection.fetch(_VISITED, workflow, channel)]


async def write(connection: Connection, tenant: str, workflow: str, decision: Decision) -> None:
    """Write what was decided: the row of the log, the channel, its canary, the marks, the hold."""
    release = decision.release
    if release is None:
        return
    await connection.execute(
        _APPEND,
        tenant,
        workflow,
        release.revision,
        release.operation.value,
        release.channel,
        release.from_version,
        release.to_version,
        release.marked_bad,
        release.run_policy.value if release.run_policy else None,
        release.reason,
        release.actor,
        release.automatic,
        release.create_time,
        release.canary_version,
        release.canary_weight_bp,
        canaries.write_results(release.evidence),
        release.run_job,
    )
    if decision.channel:
        await _write_channel(connection, tenant, workflow, decision.channel)
    for number, bad_reason in sorted((decision.marks or {}).items()):  # locked in the order in which claims lock them
        await connection.execute(_MARK, workflow, number, bad_reason)
    if release.run_policy not in (None, RunPolicy.DRAIN):
        await connection.execute(_HOLD, tenant, workflow, release.revision)


async def _write_channel(connection: Connection, tenant: str, workflow: str, channel: Channel) -> None:
    canary = channel.canary
    await connection.execute(
        _POINT,
        tenant,
        workflow,
        channel.channel,
        channel.version,
        channel.revision,
        channel.freeze_time,
        channel.update_time,
        canary.version if canary else None,
        canary.revision if canary else None,
        canary.current.weight_bp if canary else 0,
    )
    await canaries.write(connection, tenant, workflow, channel.channel, canary)


async def get_channel(connection: Connection, workflow: str, channel: str) -> Channel:
    """Give a channel; raise ChannelNotFound."""
    row = await connection.fetchrow(f"{_SELECT_CHANNEL} AND channel = $2", workflow, channel)
    if row is None:
        raise ChannelNotFound(workflow=workflow, channel=channel)
    return _channel(row)


async def list_channels(connection: Connection, workflow: str) -> Sequence[Channel]:
    """Give a workflow's channels by id."""
    rows = await connection.fetch(f"{_SELECT_CHANNEL} ORDER BY channel", workflow)
    return [_channel(row) for row in rows]


async def page(
    connection: Connection, workflow: str, channel: str | None, before: int, limit: int
) -> Sequence[Release]:
    """Give at most `limit` rows of the log, newest first, below the revision `before`."""
    rows = await connection.fetch(_PAGE, workflow, channel, before, limit)
    return [_release(row) for row in rows]


async def after(connection: Connection, workflow: str, revision: int, limit: int) -> Sequence[Release]:
    """Give at most `limit` rows of the log in order, above `revision`."""
    return [_release(row) for row in await connection.fetch(_AFTER, workflow, revision, limit)]


def _channel(row: asyncpg.Record) -> Channel:
    return Channel(
        channel=row["channel"],
        version=row["version"],
        revision=row["revision"],
        freeze_time=row["freeze_time"],
        update_time=row["update_time"],
        canary=canaries.from_row(row) if row["canary_version"] else None,
    )


def _release(row: asyncpg.Record) -> Release:
    values = dict(row)
    values["operation"] = Operation(values["operation"])
    values["run_policy"] = RunPolicy(values["run_policy"]) if values["run_policy"] else None
    values["evidence"] = canaries.read_results(values["evidence"])
    return Release(**values)


# Instances that are started meanwhile refer to the row, and need not wait.
_LOCK = f"SELECT FROM workflow.workflow WHERE tenant = {TENANT} AND workflow = $1 FOR NO KEY UPDATE"
_VISITED = f"""
SELECT to_version, max(revision) AS last_visit FROM workflow.release
WHERE tenant = {TENANT} AND workflow = $1 AND channel = $2 GROUP BY to_version ORDER BY last_visit DESC
"""
# Add the row, and let the workflow count it.
_APPEND = """
WITH counted AS (
    UPDATE workflow.workflow
    SET latest_revision = $3, update_time = $13,
        latest_version = CASE WHEN $4 = 'PUBLISH' THEN $7 ELSE latest_version END
    WHERE tenant = $1 AND workflow = $2
)
INSERT INTO workflow.release
    (tenant, workflow, revision, operation, channel, from_version, to_version, marked_bad, run_policy, reason, actor,
     automatic, create_time, canary_version, canary_weight_bp, evidence, run_job)
VALUES ($1, $2, $3, $4::text, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
_POINT = """
INSERT INTO workflow.channel
    (tenant, workflow, channel, version, revision, freeze_time, update_time, canary_version, canary_revision,
     canary_weight_bp)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant, workflow, channel) DO UPDATE
SET version = excluded.version, revision = excluded.revision, freeze_time = excluded.freeze_time,
    update_time = excluded.update_time, canary_version = excluded.canary_version,
    canary_revision = excluded.canary_revision, canary_weight_bp = excluded.canary_weight_bp
"""
_MARK = f"UPDATE workflow.version SET bad_reason = $3 WHERE tenant = {TENANT} AND workflow = $1 AND number = $2"
# Tell the engine what is wanted of the instances on the version left.
_HOLD = """
INSERT INTO workflow.hold (tenant, workflow, channel, version, revision, run_policy, reason, create_time)
SELECT tenant, workflow, channel, from_version, revision, run_policy, reason, create_time
FROM workflow.release WHERE tenant = $1 AND workflow = $2 AND revision = $3
ON CONFLICT (tenant, workflow, channel, version) DO UPDATE
SET revision = excluded.revision, run_policy = excluded.run_policy, reason = excluded.reason,
    create_time = excluded.create_time
"""
_SELECT_CHANNEL = f"""
SELECT channel, version, channel.revision, freeze_time, update_time, {canaries.COLUMNS}
FROM workflow.channel LEFT JOIN workflow.canary USING (tenant, workflow, channel)
WHERE tenant = {TENANT} AND workflow = $1
"""
_SELECT_RELEASE = f"""
SELECT revision, operation, channel, from_version, to_version, marked_bad, run_policy, reason, actor, automatic,
       create_time, canary_version, canary_weight_bp, evidence, run_job
FROM workflow.release WHERE tenant = {TENANT} AND workflow = $1
"""
_PAGE = f"""
{_SELECT_RELEASE} AND ($2::text IS NULL OR channel = $2) AND revision < $3 ORDER BY revision DESC LIMIT $4
"""
_AFTER = f"{_SELECT_RELEASE} AND revision > $2 ORDER BY revision LIMIT $3"
