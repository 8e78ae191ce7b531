"""News: rows outside the engine's steps whose change an instance waits for and has not noticed yet."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from millwright_runtime.postgres.database import Connection


@dataclass(frozen=True, slots=True)
class News:
    """That something has changed for a task, and in which change of its row."""

    tenant: str
    instance: uuid.UUID
    reference: str
    revision: int


TABLES = ("work_item", "approval")


async def unnoticed(connection: Connection, table: str, partitions: Collection[int], limit: int) -> Sequence[News]:
    """Give at most `limit` changes in a table that instances of `partitions` have not noticed yet."""
    rows = await connection.fetch(_UNNOTICED.format(table=table), list(partitions), limit)
    return [News(row["tenant"], row["instance"], row["reference"], row["revision"]) for row in rows]


async def noticed(connection: Connection, table: str, news: Sequence[News]) -> None:
    """Note that their instances know of these changes; one that came since is news still."""
    await connection.execute(
        _NOTICED.format(table=table),
        [each.tenant for each in news],
        [each.instance for each in news],
        [each.reference for each in news],
        [each.revision for each in news],
    )


_UNNOTICED = """
SELECT tenant, instance, reference, revision FROM workflow.{table}
WHERE is_news AND part = ANY ($1::smallint[]) LIMIT $2
"""
_NOTICED = """
UPDATE workflow.{table} AS item SET is_news = false
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) AS noticed (tenant, instance, reference, revision)
WHERE item.tenant = noticed.tenant AND item.instance = noticed.instance AND item.reference = noticed.reference
  AND item.revision = noticed.revision
"""
