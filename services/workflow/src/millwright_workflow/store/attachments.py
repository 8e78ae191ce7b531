"""What hangs on tasks that have not finished: subscriptions with their inboxes, events emitted, children awaited.

It goes in the transaction that takes the instance past the task: the commit of its result, of a result of a task around
it, of a failure of a `try` around it, or the instance's end. Only instances that ever had some are looked at.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import partitions
from millwright_workflow.domain.execution import Step, Tenure
from millwright_workflow.domain.subscribing import pointer_of


@dataclass(frozen=True, slots=True)
class Passed:
    """A task that an instance has passed, with all that is inside it; without a reference, the whole instance."""

    tenant: str
    instance: uuid.UUID
    reference: str | None = None


async def attach(connection: Connection, tenure: Tenure, tenant: str, instance: uuid.UUID) -> bool:
    """Hold a running instance for the transaction, to attach something to it; False if it is not the tenure's.

    Its partition cannot change hands and it cannot end until the transaction does, so that nothing is attached by
    one who was taken for dead, nor to what has ended.
    """
    part = partitions.of(instance)
    epoch = tenure.epochs.get(part, -1)
    if not await connection.fetchval(_HOLD, part, tenure.worker, epoch):
        return False
    return bool(await connection.fetchval(_ATTACH, tenant, instance))


def passed(steps: Sequence[Step]) -> list[Passed]:
    """Give what steps take their instances past."""
    found = []
    for step in steps:
        if step.end is not None and step.end.state.gives_up:
            found.append(Passed(step.tenant, step.instance))
        elif step.result is not None:
            found.append(Passed(step.tenant, step.instance, step.result.reference))
        elif step.progress is not None and step.progress.failure is not None:
            found.append(Passed(step.tenant, step.instance, step.progress.failure.reference))
    return found


async def remove(connection: Connection, gone: Sequence[Passed]) -> None:
    """Remove what hung on tasks that were passed; children that were still awaited there are left to be cancelled."""
    if not gone:
        return
    rows = [(p.tenant, p.instance, p.reference, pointer) for p in gone for pointer in _pointers(p.reference)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    for statement in (_REMOVE_SUBSCRIPTIONS, _REMOVE_EMISSIONS, _ABANDON_CHILDREN):
        await connection.execute(statement, *columns)


def _pointers(reference: str | None) -> tuple[str | None, ...]:
    return (None,) if reference is None else pointer_of(reference)


_HOLD = "SELECT true FROM workflow.partition WHERE part = $1 AND owner = $2 AND epoch = $3 FOR SHARE"
_ATTACH = """
UPDATE workflow.instance SET has_attachments = true
WHERE tenant = $1 AND instance = $2 AND state IN ('RUNNING', 'COMPENSATING') RETURNING true
"""
_GONE = """
unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS gone (tenant, instance, reference, pointer)
"""
_INSIDE = "(gone.pointer IS NULL OR held.reference = gone.reference OR starts_with(held.pointer, gone.pointer || '/'))"
_REMOVE_SUBSCRIPTIONS = f"""
WITH locked AS MATERIALIZED (
    SELECT held.tenant, held.instance, held.reference FROM workflow.subscription AS held
    JOIN {_GONE} ON held.tenant = gone.tenant AND held.instance = gone.instance AND {_INSIDE}
    ORDER BY held.tenant, held.instance, held.reference FOR UPDATE OF held
)
DELETE FROM workflow.subscription AS held USING locked
WHERE held.tenant = locked.tenant AND held.instance = locked.instance AND held.reference = locked.reference
"""
_REMOVE_EMISSIONS = f"""
DELETE FROM workflow.emission AS held USING {_GONE}
WHERE held.tenant = gone.tenant AND held.instance = gone.instance AND {_INSIDE}
"""
_ABANDON_CHILDREN = f"""
UPDATE workflow.child AS held SET is_abandoned = true FROM {_GONE}
WHERE held.tenant = gone.tenant AND held.instance = gone.instance AND NOT is_abandoned AND {_INSIDE}
"""
