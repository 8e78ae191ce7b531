"""Blobs: what is whole. Their bytes are chunks, or lie elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from millwright_runtime.postgres.database import TENANT, Connection


async def insert(connection: Connection, tenant: str, digest: bytes, size_bytes: int) -> None:
    """Note that a blob is whole. One that is there becomes as young as a new one: tidying leaves it alone."""
    await connection.execute(_INSERT, tenant, digest, size_bytes)


async def known(connection: Connection, digests: Collection[bytes]) -> set[bytes]:
    """Give those of the digests that are blobs, and make them as young as new ones."""
    return {row["digest"] for row in await connection.fetch(_KNOWN, list(digests))}


async def touch(connection: Connection, digest: bytes) -> int | None:
    """Give the size of a blob, and make it as young as a new one; None if there is none."""
    size: int | None = await connection.fetchval(_TOUCH, digest)
    return size


async def remove_orphan(connection: Connection, grace: timedelta) -> tuple[str, bytes] | None:
    """Remove one blob of any tenant that nothing names and that is older than `grace`; give its tenant and digest."""
    row = await connection.fetchrow(_REMOVE_ORPHAN, grace)
    return (row["tenant"], row["digest"]) if row else None


_INSERT = """
INSERT INTO modules.blob (tenant, digest, bytes) VALUES ($1, $2, $3)
ON CONFLICT (tenant, digest) DO UPDATE SET create_time = clock_timestamp()
"""
_KNOWN = f"""
UPDATE modules.blob SET create_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = ANY ($1::bytea[]) RETURNING digest
"""
_TOUCH = f"""
UPDATE modules.blob SET create_time = clock_timestamp() WHERE tenant = {TENANT} AND digest = $1 RETURNING bytes
"""
_REMOVE_ORPHAN = """
DELETE FROM modules.blob WHERE (tenant, digest) IN (
    SELECT tenant, digest FROM modules.blob
    WHERE create_time < clock_timestamp() - $1::interval
      AND NOT EXISTS (SELECT FROM modules.asset WHERE (asset.tenant, asset.digest) = (blob.tenant, blob.digest))
      AND NOT EXISTS (SELECT FROM modules.upload WHERE (upload.tenant, upload.digest) = (blob.tenant, blob.digest))
      AND NOT EXISTS (
          SELECT FROM modules.version WHERE (version.tenant, version.package_digest) = (blob.tenant, blob.digest)
      )
    LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING tenant, digest
"""
