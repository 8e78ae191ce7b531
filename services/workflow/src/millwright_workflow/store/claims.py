"""Claims: pending instances are bound to a version and begin; and what is to be run is found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import canaries
from millwright_workflow.domain.execution import Active, Tenure, Wish
from millwright_workflow.domain.instances import Instance, Key, State
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
    canary_revision: int | None = None
    """The canary that is under way in its channel, whichever version it got."""


async def lock_bindings(connection: Connection, instances: Sequence[Instance]) -> dict[Key, Binding]:
    """Bind each instance to the version that its channel gives it now, or to the one it was started on.

    A channel gives the version that it points to, or its canary's to those whose routing key draws it, unless that is
    marked bad. Channels and versions are locked FOR SHARE: a rollback that has not committed is waited for, and one
    that comes later waits for us. So nothing begins on a version after the rollback that left it has answered.
    """
    channels = await connection.fetch(
        _LOCK_CHANNELS, *_columns((i.tenant, i.workflow, i.channel) for i in instances if i.version is None)
    )
    points = {(row["tenant"], row["workflow"], row["channel"]): row for row in channels}
    wanted: dict[Key, Sequence[Binding]] = {}
    for instance in instances:
        if instance.version is not None:
            wanted[instance.key] = [Binding(instance.version, None, None)]
        elif row := points.get((instance.tenant, instance.workflow, instance.channel)):
            wanted[instance.key] = _offers(instance, row)
    numbers = ((i.tenant, i.workflow, offer.version) for i in instances for offer in wanted.get(i.key, ()))
    versions = await connection.fetch(_LOCK_VERSIONS, *_columns(numbers))
    bad = {(row["tenant"], row["workflow"], row["number"]): row["bad_reason"] for row in versions}
    bindings = {}
    for i in (each for each in instances if each.key in wanted):
        offers = [replace(offer, bad_reason=bad[i.tenant, i.workflow, offer.version]) for offer in wanted[i.key]]
        bindings[i.key] = next((offer for offer in offers if offer.bad_reason is None), offers[-1])
    return bindings


def _offers(instance: Instance, channel: asyncpg.Record) -> Sequence[Binding]:
    """Give what a channel offers an instance, what it is to get first."""
    revision, canary = channel["revision"], channel["canary_revision"]
    stable = Binding(channel["version"], revision, None, canary)
    if canary is None:
        return [stable]
    place = canaries.bucket(instance.workflow, channel["channel"], canary, instance.route)
    is_drawn = place < channel["canary_weight_bp"]
    return [Binding(channel["canary_version"], revision, None, canary), stable] if is_drawn else [stable]


async def begin(connection: Connection, bindings: Mapping[Key, Binding], now: datetime) -> None:
    """Let locked, pending instances run, bound as said; their sequence grows by one, for the start event."""
    await connection.execute(
        _BEGIN,
        [tenant for tenant, _ in bindings],
        [instance for _, instance in bindings],
        [binding.version for binding in bindings.values()],
        [binding.revision for binding in bindings.values()],
        now,
        [binding.canary_revision for binding in bindings.values()],
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
    return [
        Wish((row["tenant"], row["instance"]), RunPolicy(row["run_policy"]), row["reason"] or "", State(row["state"]))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class PausedToCancel:
    """A paused instance that is to be cancelled: a rollback wants it, or a caller did while it was being paused."""

    instance: Instance
    reason: str
    compensates: bool


async def lock_paused_to_cancel(connection: Connection, limit: int) -> Sequence[PausedToCancel]:
    """Lock at most `limit` paused instances that are to be cancelled."""
    rows = await connection.fetch(_PAUSED_TO_CANCEL, limit)
    return [PausedToCancel(from_row(row), row["wanted_reason"], row["wants_compensation"]) for row in rows]


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
SELECT tenant, workflow, channel, version, revision, canary_version, canary_revision, canary_weight_bp
FROM workflow.channel
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
    sequence = sequence + 1, canary_revision = bound.canary_revision,
    bind_time = CASE WHEN bound.canary_revision IS NOT NULL THEN clock_timestamp() END
FROM unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[], $6::bigint[])
    AS bound (tenant, instance, version, revision, canary_revision)
WHERE instance.tenant = bound.tenant AND instance.instance = bound.instance AND state = 'PENDING'
"""
_TAKE_RESUMED = f"""
UPDATE workflow.instance SET is_resumed = false WHERE is_resumed AND part = ANY ($1::smallint[])
RETURNING {COLUMNS}, step
"""
_RUNNING = f"""
SELECT {COLUMNS}, step FROM workflow.instance
WHERE state IN ('RUNNING', 'COMPENSATING') AND part = ANY ($1::smallint[])
"""
_WISHES = """
SELECT tenant, instance, CASE compensation WHEN 'REQUESTED' THEN 'CANCEL_COMPENSATE' ELSE 'CANCEL' END AS run_policy,
       cancel_reason AS reason, state
FROM workflow.instance
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND cancel_reason IS NOT NULL
UNION ALL
SELECT tenant, instance, 'CANCEL', cancel_reason, state FROM workflow.instance
WHERE part = ANY ($1::smallint[]) AND state = 'COMPENSATING' AND compensation = 'STOPPING'
UNION ALL
SELECT tenant, instance, 'PAUSE', pause_reason, state FROM workflow.instance
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND pause_reason IS NOT NULL AND cancel_reason IS NULL
UNION ALL
SELECT tenant, instance, run_policy, reason, state FROM workflow.hold
JOIN workflow.instance USING (tenant, workflow, channel, version)
WHERE part = ANY ($1::smallint[]) AND state = 'RUNNING' AND bound_revision < revision AND run_policy <> 'DRAIN'
"""
_PAUSED_TO_CANCEL = f"""
WITH wanted AS (
    SELECT tenant, instance, hold.reason AS wanted_reason, hold.run_policy <> 'CANCEL' AS wants_compensation
    FROM workflow.hold JOIN workflow.instance USING (tenant, workflow, channel, version)
    WHERE hold.run_policy IN ('CANCEL', 'CANCEL_COMPENSATE')
      AND state = 'PAUSED' AND bound_revision < hold.revision AND cancel_reason IS NULL
    UNION ALL
    SELECT tenant, instance, cancel_reason, compensation IS NOT NULL
    FROM workflow.instance WHERE state = 'PAUSED' AND cancel_reason IS NOT NULL
    LIMIT $1
)
SELECT {COLUMNS}, wanted_reason, wants_compensation FROM workflow.instance JOIN wanted USING (tenant, instance)
WHERE state = 'PAUSED' FOR UPDATE OF instance SKIP LOCKED
"""
_DEFINITION = "SELECT canonical FROM workflow.version WHERE tenant = $1 AND workflow = $2 AND number = $3"
