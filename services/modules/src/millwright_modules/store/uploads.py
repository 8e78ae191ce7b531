"""Uploads: packages on their way in, by digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.domain import names
from millwright_modules.domain.errors import UploadNotFound


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload's row."""

    digest: bytes
    total_bytes: int
    received_bytes: int
    file_name: str
    is_complete: bool
    update_time: datetime


async def hold_all(connection: Connection, tenant: str) -> None:
    """Keep others, until the transaction ends, from announcing packages of the tenant: they are counted together."""
    await connection.execute(_HOLD_ALL, tenant)


async def insert(connection: Connection, tenant: str, digest: bytes, total_bytes: int, file_name: str) -> Upload | None:
    """Announce a package; give nothing if it is announced already."""
    row = await connection.fetchrow(_INSERT, tenant, digest, total_bytes, file_name)
    return _upload(row) if row else None


async def restart(connection: Connection, digest: bytes, total_bytes: int) -> Upload:
    """Begin an upload anew with another size; its chunks are the caller's to remove."""
    return _upload(await connection.fetchrow(_RESTART, digest, total_bytes))


async def count_incomplete(connection: Connection) -> int:
    """Count the tenant's uploads that are not whole."""
    return int(await connection.fetchval(_COUNT_INCOMPLETE))


async def sum_not_installed(connection: Connection) -> int:
    """Sum up the bytes, as they were announced, of the tenant's uploads that no version is kept of."""
    return int(await connection.fetchval(_SUM_NOT_INSTALLED))


async def get(connection: Connection, digest: bytes) -> Upload:
    """Give an upload; raise UploadNotFound."""
    row = await connection.fetchrow(_SELECT, digest)
    if row is None:
        raise UploadNotFound(upload=names.upload(digest))
    return _upload(row)


async def lock(connection: Connection, digest: bytes) -> Upload:
    """Give an upload and keep it from others until the transaction ends; raise UploadNotFound."""
    row = await connection.fetchrow(f"{_SELECT} FOR UPDATE", digest)
    if row is None:
        raise UploadNotFound(upload=names.upload(digest))
    return _upload(row)


async def note_received(connection: Connection, digest: bytes, received_bytes: int) -> Upload:
    """Note how far an upload came; 0 where it begins anew."""
    return _upload(await connection.fetchrow(_NOTE_RECEIVED, digest, received_bytes))


async def complete(connection: Connection, digest: bytes, total_bytes: int) -> Upload:
    """Note that an upload is whole and was checked."""
    return _upload(await connection.fetchrow(_COMPLETE, digest, total_bytes))


async def touch(connection: Connection, digest: bytes) -> None:
    """Note that an upload is used: it is kept for another day."""
    await connection.execute(_TOUCH, digest)


async def remove_old(connection: Connection) -> tuple[str, bytes] | None:
    """Remove one upload of any tenant that was not touched for a day; give its tenant and its digest.

    The package of an open operation stays, and so does that of a version that is kept: it can be installed again.
    """
    row = await connection.fetchrow(_REMOVE_OLD)
    return (row["tenant"], row["digest"]) if row else None


def _upload(row: asyncpg.Record) -> Upload:
    return Upload(**dict(row))


_COLUMNS = "digest, total_bytes, received_bytes, file_name, is_complete, update_time"
_HOLD_ALL = "SELECT pg_advisory_xact_lock(hashtextextended('uploads:' || $1, 0))"
_INSERT = f"""
INSERT INTO modules.upload (tenant, digest, total_bytes, file_name) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}
"""
_RESTART = f"""
UPDATE modules.upload SET total_bytes = $2, received_bytes = 0, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = $1 RETURNING {_COLUMNS}
"""
_COUNT_INCOMPLETE = f"SELECT count(*) FROM modules.upload WHERE tenant = {TENANT} AND NOT is_complete"
_SUM_NOT_INSTALLED = f"""
SELECT coalesce(sum(total_bytes), 0) FROM modules.upload
WHERE tenant = {TENANT} AND NOT EXISTS (
    SELECT FROM modules.version WHERE (version.tenant, version.package_digest) = (upload.tenant, upload.digest)
)
"""
_SELECT = f"SELECT {_COLUMNS} FROM modules.upload WHERE tenant = {TENANT} AND digest = $1"
_NOTE_RECEIVED = f"""
UPDATE modules.upload SET received_bytes = $2, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = $1 RETURNING {_COLUMNS}
"""
_COMPLETE = f"""
UPDATE modules.upload SET is_complete = true, total_bytes = $2, received_bytes = $2, update_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = $1 RETURNING {_COLUMNS}
"""
_TOUCH = f"UPDATE modules.upload SET update_time = clock_timestamp() WHERE tenant = {TENANT} AND digest = $1"
_REMOVE_OLD = """
DELETE FROM modules.upload WHERE (tenant, digest) IN (
    SELECT tenant, digest FROM modules.upload
    WHERE update_time < clock_timestamp() - interval '1 day'
      AND NOT EXISTS (
          SELECT FROM modules.operation
          WHERE (operation.tenant, operation.package_digest) = (upload.tenant, upload.digest) AND end_time IS NULL
      )
      AND NOT EXISTS (
          SELECT FROM modules.version WHERE (version.tenant, version.package_digest) = (upload.tenant, upload.digest)
      )
    LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING tenant, digest
"""
