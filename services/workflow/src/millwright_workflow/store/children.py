"""Which children instances await, in Postgres. The children themselves are instances like any other."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain.instances import Instance
from millwright_workflow.domain.interpreter.undo import PLACE
from millwright_workflow.store.instances import COLUMNS, from_row


@dataclass(frozen=True, slots=True)
class Awaited:
    """A child that is awaited no more."""

    tenant: str
    parent: uuid.UUID
    reference: str
    child: uuid.UUID
    compensates: bool
    """Whether what its parent did is undone: then what it did is, too, unless it is itself part of an undo."""


async def insert(
    connection: Connection, tenant: str, parent: uuid.UUID, reference: str, pointer: str, child: uuid.UUID
) -> None:
    """Note that a task awaits a child; noted before, nothing changes."""
    await connection.execute(_INSERT, tenant, parent, reference, pointer, child)


async def ended(
    connection: Connection, wanted: Collection[tuple[str, uuid.UUID]]
) -> Mapping[tuple[str, uuid.UUID], Instance]:
    """Give those of the `wanted` instances that have ended, by tenant and id."""
    rows = await connection.fetch(_ENDED, [tenant for tenant, _ in wanted], [child for _, child in wanted])
    return {(row["tenant"], row["instance"]): from_row(row) for row in rows}


async def lock_abandoned(connection: Connection, limit: int) -> Sequence[Awaited]:
    """Lock at most `limit` children that nobody awaits any more."""
    rows = await connection.fetch(_LOCK_ABANDONED, limit, PLACE)
    return [Awaited(row["tenant"], row["instance"], row["reference"], row["child"], row["compensates"]) for row in rows]


async def remove(connection: Connection, awaited: Awaited) -> None:
    """Forget that a child was awaited."""
    await connection.execute(_REMOVE, awaited.tenant, awaited.parent, awaited.reference)


_INSERT = """
INSERT INTO workflow.child (tenant, instance, reference, pointer, child) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_ENDED = f"""
SELECT {COLUMNS} FROM workflow.instance
WHERE (tenant, instance) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
  AND state IN ('COMPLETED', 'FAULTED', 'CANCELLED')
"""
_LOCK_ABANDONED = """
SELECT tenant, instance, reference, child,
       parent.compensation IS NOT NULL AND strpos(reference, $2) = 0 AS compensates
FROM workflow.child AS awaited LEFT JOIN workflow.instance AS parent USING (tenant, instance)
WHERE is_abandoned
ORDER BY tenant, instance, reference LIMIT $1 FOR UPDATE OF awaited SKIP LOCKED
"""
_REMOVE = "DELETE FROM workflow.child WHERE tenant = $1 AND instance = $2 AND reference = $3"
