"""Claims: pending instances are bound to a version and begin; and what is to be run is found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.execution import Active, Tenure, Wish
from millwright_workflow.domain.instances import Instance, Key
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.store.instances import COLUMNS, from_row


async def lock_tenure(connection: Connection, tenure: Tenure) -> Sequence[int]:
    """Keep the tenure's partitions from changing hands until the transaction ends; give those that are still its."""
    rows = await connection.fetch(_LOCK_TENURE, tenure.worker, list(tenure.epochs), list(tenure.epochs.values()))
    return [row["part"] for row in rows]


async def lock_pending(connection: Connection, partitions: Collection[int], limit: int) -> Sequence[Active]:
    """Lock at most `limit` pending instances of `partitions`, oldest first."""
    return [
        Active(from_row(row), row["step"]) for row in await connection.fetch(_LOCK_PENDING, list(partitions), limit)
    ]


@dataclass(frozen=True, slots=True)
class Binding:
    """What an instance would begin on, locked against a rollback until the transaction ends."""

    version: int
    revision: int | None
    bad_reason: str | None


async def lock_bindings(connection: Connection, instances: Sequence[Instance]) -> dict[Key, Binding]:
    """Bind each instance to the version that its channel points to now, or to the one it was started on.

    Channels and versions are locked FOR SHARE: a rollback that has not committed is waited for, and one that comes
    later waits for us. So nothing begins on a version after the rollback that left it has answered.
    """
    channels = await connection.fetch(
        _LOCK_CHANNELS, *_columns((i.tenant, i.workflow, i.channel) for i in instances if i.version is None)
    )
    points = {(row["tenant"], row["workflow"], row["channel"]): row for row in channels}
    wanted: dict[Key, tuple[int, int | None]] = {}
    for instance in instances:
        if instance.version is not None:
            wanted[instance.key] = instance.version, None
        elif row := points.get((instance.tenant, instance.workflow, instance.channel)):
            wanted[instance.key] = row["version"], row["revision"]
    versions = await connection.fetch(
        _LOCK_VERSIONS,
        *_columns((i.tenant, i.workflow, wanted[i.key][0]) for i in instances if i.key in wanted),
    )
    bad = {(row["tenant"], row["workflow"], row["number"]): row["bad_reason"] for row in versions}
    return {
        i.key: Binding(*wanted[i.key], bad[i.tenant, i.workflow, wanted[i.key][0]])
        for i in instances
        if i.key in wanted
    }


async def begin(connection: Connection, bindings: Mapping[Key, Binding], now: datetime) -> None:
    """Let locked, pending instances run, bound as said; their sequence grows by one, for the start event."""
    await connection.execute(
        _BEGIN,
        [tenant for tenant, _ in bindings],
        [instance for _, instance in bindings],
        [binding.version for binding in bindings.values()],
        [binding.revision for binding in bindings.values()],
        now,
    )


async def take_resumed(connection: Connection, partitions: Collection[int]) -> Sequence[Active]:
    """Take the instances of `partitions` that were resumed."""
    return [Active(from_row(row), row["step"]) for row in await connection.fetch(_TAKE_RESUMED, list(partitions))]


async def running(connection: Connection, partitions: Collection[int]) -> Sequence[Active]:
    """Give the running instances of `partitions`."""
    return [Active(from_row(row), row["step"]) for row in await connection.fetch(_RUNNING, list(partitions))]


async def wishes(connection: Connection, partitions: Collection[int]) -> Sequence[Wish]:
    """Give what is wanted of the running instances of `partitions`: by a caller, or by a rollback's run policy."""
    rows = await connection.fetch(_WISHES, list(partitions))
    return [Wish((row["tenant"], row["instance"]), RunPolicy(row["run_policy"]), row["reason"] or "") for row in rows]


async def lock_paused_to_cancel(connection: Connection, limit: int) -> Sequence[tuple[Instance, str]]:
    """Lock at most `limit` paused instances that are to be cancelled, each with the reason.

    A rollback's run policy wants it, or a caller did while the instance was being paused.
    """
    return [(from_row(row), row["wanted_reason"]) for row in await connection.fetch(_PAUSED_TO_CANCEL, limit)]


async def definition(connection: Connection, tenant: str, workflow: str, version: int) -> str:
    """Give the canonical definition of a version."""
    text: str = await connection.fetchval(_DEFINITION, tenant, workflow, version)
    return text


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Turn rows of three, each once and in a fixed order so that no two of us lock crosswise, into columns."""
    distinct = sorted(set(rows))
    return [list(column) for column in zip(*distinct, strict=True)] or [[], [], []]


_LOCK_TENURE = """
SELECT part FROM workflow.partition
WHERE owner = $1 AND (part, epoch) IN (SELECT * FROM unnest($2::smallint[], $3::bigint[]))
ORDER BY part FOR SHARE
"""
_LOCK_PENDING = f"""
SELECT {COLUMNS}, step FROM workflow.instance WHERE state = 'PENDING' AND part = ANY ($1::smallint[])
ORDER BY create_time LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_LOCK_CHANNELS = """
SELECT tenant, workflow, channel, version, revision FROM workflow.channel
WHERE (tenant, workflow, channel) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
ORDER BY tenant, workflow, channel FOR SHARE
"""
_LOCK_VERSIONS = """
SELECT tenant, workflow, number, bad_reason FROM workflow.version
WHERE (tenant, workflow, number) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::integer[]))
ORDER BY tenant, workflow, number FOR SHARE
"""
_BEGIN = """
UPDATE workflow.instance AS instance
SET state = 'RUNNING', version = bound.version, bound_revision = bound.revision, start_time = $5,
    sequence = sequence + 1
FROM unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[]) AS bound (tenant, instance, version, revision)
WHERE instance.tenant = bound.tenant AND instance.instance = bound.instance AND state = 'PENDING'
"""
_TAKE_RESUMED = f"""
UPDATE workflow.instance SET is_resumed = false WHERE is_resumed AND part = ANY ($1::smallint[])
RETURNING {COLUMNS}, step
"""
_RUNNING = f"""
SELECT {COLUMNS}, step FROM workflow.instance WHERE state = 'RUNNING' AND part = ANY ($1::smallint[])
"""
_WISHES = """
SELECT tenant, instance, 'CANCEL' AS run_policy, cancel_reason AS reason FROM workflow.instance
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND cancel_reason IS NOT NULL
UNION ALL
SELECT tenant, instance, 'PAUSE', pause_reason FROM workflow.instance
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND pause_reason IS NOT NULL AND cancel_reason IS NULL
UNION ALL
SELECT tenant, instance, run_policy, reason FROM workflow.hold
JOIN workflow.instance USING (tenant, workflow, channel, version)
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND bound_revision < revision
"""
_PAUSED_TO_CANCEL = f"""
WITH wanted AS (
    SELECT tenant, instance, hold.reason AS wanted_reason FROM workflow.hold
    JOIN workflow.instance USING (tenant, workflow, channel, version)
    WHERE hold.run_policy = 'CANCEL' AND state = 'PAUSED' AND bound_revision < hold.revision AND cancel_reason IS NULL
    UNION ALL
    SELECT tenant, instance, cancel_reason FROM workflow.instance WHERE state = 'PAUSED' AND cancel_reason IS NOT NULL
    LIMIT $1
)
SELECT {COLUMNS}, wanted_reason FROM workflow.instance JOIN wanted USING (tenant, instance)
WHERE state = 'PAUSED' FOR UPDATE OF instance SKIP LOCKED
"""
_DEFINITION = "SELECT canonical FROM workflow.version WHERE tenant = $1 AND workflow = $2 AND number = $3"
