"""Compensation in Postgres: what nobody runs is given to a worker to be undone, and what is undone is read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.instances import Instance
from millwright_workflow.domain.interpreter.undo import PLACE, undone_task
from millwright_workflow.store import approvals, attachments, instances, work_items


async def begin(connection: Connection, compensating: Instance) -> None:
    """Let an instance that nobody runs, locked here, be taken by a worker that undoes what it did.

    What it still asked of others is let go of.
    """
    tenant, instance = compensating.key
    compensation = compensating.compensation
    assert compensation is not None
    await connection.execute(
        _BEGIN,
        tenant,
        instance,
        compensating.sequence,
        compensating.cancel_reason,
        compensation.state.value,
        instances.write_error(compensation.cause),
    )
    await instances.forget_limits(connection, tenant, instance)
    await work_items.forget_instances(connection, [tenant], [instance])
    await approvals.end_rounds(connection, [tenant], [instance])
    await attachments.remove(connection, [attachments.Passed(tenant, instance)])


async def undone(connection: Connection, tenant: str, instance: uuid.UUID) -> Sequence[str]:
    """Give the references of the tasks of an instance that are undone, in the order in which they were."""
    rows = await connection.fetch(_UNDOS, tenant, instance, PLACE)
    return [task for row in rows if (task := undone_task(row["reference"])) is not None]


# The step grows, so that no checkpoint in Valkey is taken for what is there now.
_BEGIN = """
UPDATE workflow.instance
SET state = 'COMPENSATING', is_resumed = true, sequence = $3, step = step + 1, error = NULL, end_time = NULL,
    cancel_reason = $4, pause_reason = NULL, held_revision = NULL, compensation = $5, compensation_cause = $6
WHERE tenant = $1 AND instance = $2
"""
_UNDOS = f"""
SELECT reference FROM workflow.task_result
WHERE tenant = $1 AND instance = $2 AND day = {instances.DAY} AND strpos(reference, $3) > 0 ORDER BY step
"""
