"""Which worker runs which instances: leases, claims, and what is wanted of those that run."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.instances import Instance
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.store.instances import COLUMNS, from_row
from millwright_workflow.store.steps import Key


async def renew_lease(connection: Connection, worker: uuid.UUID, lease: timedelta) -> None:
    """Say that `worker` lives, for `lease` from now on the database's clock."""
    await connection.execute(_RENEW_LEASE, worker, lease)


async def end_lease(connection: Connection, worker: uuid.UUID) -> None:
    """Say that `worker` is gone: whatever it owns may be taken over at once."""
    await connection.execute("DELETE FROM workflow.worker WHERE worker = $1", worker)


async def lock_pending(connection: Connection, limit: int) -> Sequence[Instance]:
    """Lock at most `limit` pending instances, oldest first, that nobody else is claiming."""
    return [from_row(row) for row in await connection.fetch(_LOCK_PENDING, limit)]


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
        _LOCK_VERSIONS, *_columns((i.tenant, i.workflow, wanted[i.key][0]) for i in instances if i.key in wanted)
    )
    bad = {(row["tenant"], row["workflow"], row["number"]): row["bad_reason"] for row in versions}
    return {
        i.key: Binding(*wanted[i.key], bad[i.tenant, i.workflow, wanted[i.key][0]])
        for i in instances
        if i.key in wanted
    }


async def begin(connection: Connection, worker: uuid.UUID, bindings: dict[Key, Binding], now: datetime) -> None:
    """Give locked, pending instances to `worker`, bound as said; their sequence grows by one, for the start event."""
    await connection.execute(
        _BEGIN,
        worker,
        [tenant for tenant, _ in bindings],
        [instance for _, instance in bindings],
        [binding.version for binding in bindings.values()],
        [binding.revision for binding in bindings.values()],
        now,
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """An instance that goes on at another worker."""

    instance: Instance
    step: int
    """The last one that was written."""


async def take_over(connection: Connection, worker: uuid.UUID, limit: int) -> Sequence[Taken]:
    """Give `worker` at most `limit` running instances whose owner is another and dead, or that have none."""
    return [Taken(from_row(row), row["step"]) for row in await connection.fetch(_TAKE_OVER, worker, limit)]


async def own(connection: Connection, worker: uuid.UUID) -> Sequence[Taken]:
    """Give every running instance that is `worker`'s."""
    return [Taken(from_row(row), row["step"]) for row in await connection.fetch(_OWN, worker)]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a running instance."""

    key: Key
    run_policy: RunPolicy
    """PAUSE or CANCEL."""
    reason: str


async def wishes(connection: Connection, worker: uuid.UUID) -> Sequence[Wish]:
    """Give what is wanted of the instances that `worker` runs: by a caller, or by a rollback's run policy."""
    rows = await connection.fetch(_WISHES, worker)
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


def _columns(rows: object) -> list[list[object]]:
    """Turn distinct rows of three, in a fixed order so that no two of us lock crosswise, into three columns."""
    distinct = sorted(set(rows))  # type: ignore[call-overload]
    return [list(column) for column in zip(*distinct, strict=True)] or [[], [], []]


_RENEW_LEASE = """
INSERT INTO workflow.worker (worker, lease_time) VALUES ($1, clock_timestamp() + $2::interval)
ON CONFLICT (worker) DO UPDATE SET lease_time = excluded.lease_time
"""
_LOCK_PENDING = f"""
SELECT {COLUMNS} FROM workflow.instance WHERE state = 'PENDING'
ORDER BY create_time LIMIT $1 FOR UPDATE SKIP LOCKED
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
SET state = 'RUNNING', owner = $1, version = bound.version, bound_revision = bound.revision, start_time = $6,
    sequence = sequence + 1
FROM unnest($2::text[], $3::uuid[], $4::integer[], $5::bigint[]) AS bound (tenant, instance, version, revision)
WHERE instance.tenant = bound.tenant AND instance.instance = bound.instance AND state = 'PENDING'
"""
_TAKE_OVER = f"""
UPDATE workflow.instance SET owner = $1
WHERE (tenant, instance) IN (
    SELECT tenant, instance FROM workflow.instance
    WHERE state = 'RUNNING' AND owner IS DISTINCT FROM $1 AND NOT EXISTS (
        SELECT FROM workflow.worker WHERE worker = owner AND lease_time > clock_timestamp()
    )
    LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING {COLUMNS}, step
"""
_OWN = f"SELECT {COLUMNS}, step FROM workflow.instance WHERE state = 'RUNNING' AND owner = $1"
_WISHES = """
SELECT tenant, instance, 'CANCEL' AS run_policy, cancel_reason AS reason FROM workflow.instance
WHERE owner = $1 AND state = 'RUNNING' AND cancel_reason IS NOT NULL
UNION ALL
SELECT tenant, instance, run_policy, reason FROM workflow.instance
JOIN workflow.hold USING (tenant, workflow, channel, version)
WHERE owner = $1 AND state = 'RUNNING' AND bound_revision < revision
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
