"""The end of instances that ended long ago, in Postgres. What they have left goes with the partition of their day."""

from __future__ import annotations

from datetime import timedelta

from millwright_runtime.postgres.database import Connection


async def take_turn(connection: Connection) -> bool:
    """Be the one who removes until the transaction ends; False if another replica is."""
    return bool(await connection.fetchval(_TAKE_TURN))


async def remove(connection: Connection, age: timedelta, limit: int) -> int:
    """Remove at most `limit` instances of every tenant that ended longer than `age` ago; give how many.

    Those stay that another one may still look at: as the child that it awaits, or as the last one of a schedule.
    """
    return int(await connection.fetchval(_REMOVE, age, limit))


_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('retention:workflow', 0))"
_REMOVE = """
WITH gone AS (
    SELECT tenant, instance FROM workflow.instance AS ended
    WHERE end_time < clock_timestamp() - $1::interval AND state IN ('COMPLETED', 'FAULTED', 'CANCELLED')
      AND NOT EXISTS (SELECT FROM workflow.child WHERE child.tenant = ended.tenant AND child.child = ended.instance)
      AND NOT EXISTS (
          SELECT FROM workflow.schedule WHERE schedule.tenant = ended.tenant AND last_instance = ended.instance
      )
    ORDER BY end_time LIMIT $2 FOR UPDATE SKIP LOCKED
), approvals AS (
    DELETE FROM workflow.approval USING gone
    WHERE approval.tenant = gone.tenant AND approval.instance = gone.instance
), instances AS (
    DELETE FROM workflow.instance USING gone
    WHERE instance.tenant = gone.tenant AND instance.instance = gone.instance RETURNING true
)
SELECT count(*) FROM instances
"""
