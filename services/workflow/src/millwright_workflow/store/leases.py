"""Who is alive, and who owns which partition: the tables `worker` and `partition`."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.partitions import View


async def renew(connection: Connection, worker: uuid.UUID, lease: timedelta) -> View:
    """Say that `worker` lives for `lease` from now on; give who lives and who owns what."""
    await connection.execute(_RENEW, worker, lease)
    living = await connection.fetch(_ALIVE)
    leases = {row["worker"]: row["rest"] for row in living if row["worker"]}
    alive = frozenset(leases)
    rows = await connection.fetch("SELECT part, owner, epoch FROM workflow.partition")
    owners = {row["part"]: row["owner"] if row["owner"] in alive else None for row in rows}
    next_lapse = min((rest for other, rest in leases.items() if other != worker), default=None)
    return View(living[0]["time"], alive, owners, {row["part"]: row["epoch"] for row in rows}, next_lapse)


async def acquire(connection: Connection, worker: uuid.UUID, partitions: Collection[int]) -> dict[int, int]:
    """Take those of `partitions` that nobody alive owns or `worker` does, under new epochs; give the epochs.

    Dead owners are locked until we have committed: none of them comes back to life and still finds itself the owner.
    """
    dead = [row["worker"] for row in await connection.fetch(_LOCK_DEAD, worker, list(partitions))]
    free = [row["part"] for row in await connection.fetch(_LOCK_FREE, worker, list(partitions), dead)]
    rows = await connection.fetch(_ACQUIRE, worker, free)
    return {row["part"]: row["epoch"] for row in rows}


async def release(connection: Connection, worker: uuid.UUID, partitions: Collection[int]) -> None:
    """Give up partitions."""
    await connection.execute(_RELEASE, worker, list(partitions))


async def leave(connection: Connection, worker: uuid.UUID) -> None:
    """Give up everything."""
    await connection.execute("DELETE FROM workflow.worker WHERE worker = $1", worker)
    await connection.execute("UPDATE workflow.partition SET owner = NULL WHERE owner = $1", worker)


# The lease, and away with workers that have been dead for long and own nothing any more.
_RENEW = """
WITH forgotten AS (
    DELETE FROM workflow.worker WHERE lease_time < clock_timestamp() - interval '1 hour' AND worker <> $1
      AND NOT EXISTS (SELECT FROM workflow.partition WHERE owner = worker)
)
INSERT INTO workflow.worker (worker, lease_time) VALUES ($1, clock_timestamp() + $2::interval)
ON CONFLICT (worker) DO UPDATE SET lease_time = excluded.lease_time
"""
_ALIVE = """
SELECT worker, lease_time - now.time AS rest, now.time
FROM (SELECT clock_timestamp() AS time) AS now LEFT JOIN workflow.worker ON lease_time > now.time
"""
_LOCK_DEAD = """
SELECT worker FROM workflow.worker
WHERE worker IN (SELECT owner FROM workflow.partition WHERE part = ANY ($2::smallint[])) AND worker <> $1
  AND lease_time <= clock_timestamp()
ORDER BY worker FOR UPDATE
"""
# Waits for a writer that holds a row FOR SHARE; every later one finds the new epoch.
_LOCK_FREE = """
SELECT part FROM workflow.partition
WHERE part = ANY ($2::smallint[]) AND (
    owner IS NULL OR owner = $1 OR owner = ANY ($3::uuid[])
    OR NOT EXISTS (SELECT FROM workflow.worker WHERE worker = owner)
)
ORDER BY part FOR UPDATE
"""
_ACQUIRE = """
UPDATE workflow.partition SET owner = $1, epoch = epoch + 1 WHERE part = ANY ($2::smallint[]) RETURNING part, epoch
"""
_RELEASE = "UPDATE workflow.partition SET owner = NULL WHERE owner = $1 AND part = ANY ($2::smallint[])"
