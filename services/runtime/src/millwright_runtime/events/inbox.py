"""The inbox: a message that JetStream delivers twice has its effect once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from millwright_runtime.postgres.database import Connection


class Inbox:
    """The `inbox` table of `schema`, for one named consumer."""

    def __init__(self, schema: str, consumer: str) -> None:
        self._take = _TAKE.format(schema=schema)
        self._take_all = _TAKE_ALL.format(schema=schema)
        self._forget = _FORGET.format(schema=schema)
        self._consumer = consumer

    async def take(self, connection: Connection, message_id: str) -> bool:
        """Note the message in the caller's transaction; False if it was noted before: then only acknowledge it."""
        return bool(await connection.fetchval(self._take, self._consumer, message_id))

    async def take_all(self, connection: Connection, message_ids: Collection[str]) -> set[str]:
        """Note messages in the caller's transaction; give those that were not noted before.

        They are noted in one order, whoever notes them, so that two who share some wait and never block one another.
        """
        rows = await connection.fetch(self._take_all, self._consumer, sorted(set(message_ids)))
        return {row["message_id"] for row in rows}

    async def forget(self, connection: Connection, age: timedelta, limit: int) -> int:
        """Remove at most `limit` notes older than `age`; give how many. A message that old has its effect again."""
        return int(await connection.fetchval(self._forget, self._consumer, age, limit))


_TAKE = """
INSERT INTO {schema}.inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
"""
_TAKE_ALL = """
INSERT INTO {schema}.inbox (consumer, message_id) SELECT $1, * FROM unnest($2::text[])
ON CONFLICT DO NOTHING RETURNING message_id
"""
_FORGET = """
WITH old AS (
    SELECT message_id FROM {schema}.inbox
    WHERE consumer = $1 AND receive_time < clock_timestamp() - $2::interval
    ORDER BY receive_time LIMIT $3 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM {schema}.inbox AS inbox USING old
    WHERE inbox.consumer = $1 AND inbox.message_id = old.message_id RETURNING 1
)
SELECT count(*) FROM gone
"""
