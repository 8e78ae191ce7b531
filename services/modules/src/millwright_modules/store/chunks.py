"""Chunks: the bytes of uploads and of blobs, 256 KiB a row, so that each is read and written in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.postgres.database import TENANT, Connection

CHUNK_BYTES = 256 << 10


async def append(connection: Connection, tenant: str, digest: bytes, position: int, data: bytes) -> None:
    """Write bytes of a blob or an upload, from `position` on. What is there already stays as it is."""
    offsets = range(0, len(data), CHUNK_BYTES)
    pieces = [data[offset : offset + CHUNK_BYTES] for offset in offsets]
    await connection.execute(_APPEND, tenant, digest, [position + offset for offset in offsets], pieces)


async def read(connection: Connection, digest: bytes, position: int, limit: int) -> Sequence[bytes]:
    """Give at most `limit` chunks from `position` on, at which one begins; none at the end."""
    return [row["data"] for row in await connection.fetch(_READ, digest, position, limit)]


async def remove(connection: Connection, digest: bytes) -> None:
    """Remove all chunks of a blob or an upload."""
    await connection.execute(_REMOVE, digest)


async def hold(connection: Connection, tenant: str, digest: bytes) -> None:
    """Keep others, until the transaction ends, from deciding whether the chunks are a blob or go."""
    await connection.execute(_HOLD, f"{tenant}/{digest.hex()}")


async def count_bytes(connection: Connection, digest: bytes) -> int:
    """Count the bytes that are there of a blob or an upload."""
    return int(await connection.fetchval(_COUNT_BYTES, digest))


async def remove_left(connection: Connection, tenant: str, digest: bytes) -> None:
    """Hold chunks, and remove them unless they are a blob, or will be, or an upload on its way."""
    await hold(connection, tenant, digest)
    await connection.execute(_REMOVE_LEFT, tenant, digest)


_APPEND = """
INSERT INTO modules.chunk (tenant, digest, position, data)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::bytea[]) ON CONFLICT DO NOTHING
"""
_READ = f"""
SELECT data FROM modules.chunk WHERE tenant = {TENANT} AND digest = $1 AND position >= $2 ORDER BY position LIMIT $3
"""
_REMOVE = f"DELETE FROM modules.chunk WHERE tenant = {TENANT} AND digest = $1"
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('chunks:' || $1, 0))"
_COUNT_BYTES = f"""
SELECT coalesce(sum(octet_length(data)), 0) FROM modules.chunk WHERE tenant = {TENANT} AND digest = $1
"""
_REMOVE_LEFT = """
DELETE FROM modules.chunk WHERE tenant = $1 AND digest = $2
    AND NOT EXISTS (
        SELECT FROM modules.blob WHERE (tenant, digest, place) = ($1, $2, 'postgres') AND state <> 'LEAVING'
    )
    AND NOT EXISTS (SELECT FROM modules.upload WHERE (tenant, digest) = ($1, $2) AND NOT is_complete)
"""
