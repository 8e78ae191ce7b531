"""The inbox: a message that JetStream delivers twice has its effect once."""

from __future__ import annotations

from millwright_runtime.postgres.database import Connection


class Inbox:
    """The `inbox` table of `schema`, for one named consumer."""

    def __init__(self, schema: str, consumer: str) -> None:
        self._take = _TAKE.format(schema=schema)
        self._consumer = consumer

    async def take(self, connection: Connection, message_id: str) -> bool:
        """Note the message in the caller's transaction; False if it was noted before: then only acknowledge it."""
        return bool(await connection.fetchval(self._take, self._consumer, message_id))


_TAKE = """
INSERT INTO {schema}.inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
"""
