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
    alive = frozenset(row["worker"] for row in await connection.fetch(_ALIVE))
    rows = await connection.fetch("SELECT part, owner FROM workflow.partition")
    return View(alive, {row["part"]: row["owner"] if row["owner"] in alive else None for row in rows})


async def acquire(connection: Connection, worker: uuid.UUID, partitions: Collection[int]) -> dict[int, int]:
    """Take those of `partitions` that nobody alive owns, under new epochs; give the epochs."""
    rows = await connection.fetch(_ACQUIRE, worker, list(partitions))
    return {row["part"]: row["epoch"] for row in rows}


async def release(connection: Connection, worker: uuid.UUID, partitions: Collection[int]) -> None:
    """Give up partitions."""
    await connection.execute(_RELEASE, worker, list(partitions))


async def leave(connection: Connection, worker: uuid.UUID) -> None:
    """Give up everything."""
    await connection.execute("UPDATE workflow.partition SET owner = NULL WHERE owner = $1", worker)
    await connection.execute("DELETE FROM workflow.worker WHERE worker = $1", worker)


# The lease, and away with workers that have been dead for long.
_RENEW = """
WITH forgotten AS (DELETE FROM workflow.worker WHERE lease_time < clock_timestamp() - interval '1 hour')
INSERT INTO workflow.worker (worker, lease_time) VALUES ($1, clock_timestamp() + $2::interval)
ON CONFLICT (worker) DO UPDATE SET lease_time = excluded.lease_time
"""
_ALIVE = "SELECT worker FROM workflow.worker WHERE lease_time > clock_timestamp()"
# The update waits for a writer that holds the row FOR SHARE, and every later one finds the new epoch.
_ACQUIRE = """
UPDATE workflow.partition SET owner = $1, epoch = epoch + 1
WHERE part = ANY ($2::smallint[]) AND NOT EXISTS (
    SELECT FROM workflow.worker WHERE worker = owner AND lease_time > clock_timestamp()
)
RETURNING part, epoch
"""
_RELEASE = "UPDATE workflow.partition SET owner = NULL WHERE owner = $1 AND part = ANY ($2::smallint[])"
