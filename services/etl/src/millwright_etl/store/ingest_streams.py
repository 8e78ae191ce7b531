"""Streams of rows that are under way: how far each came, and which connection it belongs to."""

from __future__ import annotations

import uuid
from datetime import timedelta

from millwright_runtime.postgres.database import Connection

KEPT = timedelta(days=7)
_FORGET_BATCH = 1000


async def take(connection: Connection, tenant: str, stream: str, owner: uuid.UUID) -> int:
    """Let a connection go on with a stream, and give where; whoever had it can acknowledge nothing any more."""
    offset: int = await connection.fetchval(_TAKE, tenant, stream, owner)
    return offset


async def acknowledge(connection: Connection, tenant: str, stream: str, owner: uuid.UUID, offset: int) -> bool:
    """Note how far a stream came, in the transaction of its rows; give whether it is still the owner's."""
    return bool(await connection.fetchval(_ACKNOWLEDGE, tenant, stream, owner, offset))


async def find(connection: Connection, tenant: str, stream: str) -> int | None:
    """Give how far a stream came; None if nothing is known of it."""
    offset: int | None = await connection.fetchval(_FIND, tenant, stream, KEPT)
    return offset


async def forget(connection: Connection) -> int:
    """Remove streams of every tenant that nobody has gone on with for long, a batch at a time; give how many."""
    return len(await connection.fetch(_FORGET, KEPT, _FORGET_BATCH))


_TAKE = """
INSERT INTO core.ingest_stream AS stream (tenant, stream_id, acknowledged_offset, owner) VALUES ($1, $2, 0, $3)
ON CONFLICT (tenant, stream_id) DO UPDATE SET owner = excluded.owner RETURNING acknowledged_offset
"""
_ACKNOWLEDGE = """
UPDATE core.ingest_stream SET acknowledged_offset = $4, update_time = clock_timestamp()
WHERE tenant = $1 AND stream_id = $2 AND owner = $3 RETURNING true
"""
_FIND = """
SELECT acknowledged_offset FROM core.ingest_stream
WHERE tenant = $1 AND stream_id = $2 AND acknowledged_offset > 0 AND update_time > clock_timestamp() - $3::interval
"""
# By the key, which is the same wherever a row is kept; looked at again, because a stream may go on meanwhile.
_FORGET = """
DELETE FROM core.ingest_stream AS stream USING (
    SELECT tenant, stream_id FROM core.ingest_stream WHERE update_time < clock_timestamp() - $1::interval LIMIT $2
) AS old
WHERE (stream.tenant, stream.stream_id) = (old.tenant, old.stream_id)
  AND stream.update_time < clock_timestamp() - $1::interval
RETURNING 1
"""
