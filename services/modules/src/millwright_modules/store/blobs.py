"""Blobs: a row for each copy that comes, is whole, or goes. Its bytes are chunks, or lie elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_modules.store import chunks

POSTGRES = "postgres"
"""The place of copies whose bytes are chunks."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a blob in a place."""

    tenant: str
    digest: bytes
    place: str
    name: str


async def begin(connection: Connection, copy: Copy) -> bool:
    """Note that a copy will come, unless its place has a whole one, which becomes young; tell whether it has."""
    if await connection.fetchval(_TOUCH_IN_PLACE, copy.digest, copy.place):
        return True
    return bool(await connection.fetchval(_BEGIN, *_key(copy)))


async def finish(connection: Connection, copy: Copy, size_bytes: int) -> bool:
    """Note that a copy is whole; tell whether that was still awaited."""
    return bool(await connection.fetchval(_FINISH, *_key(copy), size_bytes))


async def leave(connection: Connection, copy: Copy) -> None:
    """Note that a copy goes, unless somebody else has made it whole."""
    await connection.execute(_LEAVE, *_key(copy))


async def remove(connection: Connection, copy: Copy) -> None:
    """Remove the row of a copy that has gone; one that comes again stays."""
    await connection.execute(_REMOVE, *_key(copy))


async def copies(connection: Connection, digest: bytes, first: str) -> Sequence[Copy]:
    """Give the whole copies of a blob, those in the place `first` before the others."""
    return [Copy(**dict(row)) for row in await connection.fetch(_COPIES, digest, first)]


async def known(connection: Connection, digests: Collection[bytes]) -> set[bytes]:
    """Give those of the digests that are blobs, and make them as young as new ones."""
    return {row["digest"] for row in await connection.fetch(_KNOWN, list(digests))}


async def touch(connection: Connection, digest: bytes) -> int | None:
    """Give the size of a blob, and make it as young as a new one; None if there is none."""
    size: int | None = await connection.fetchval(_TOUCH, digest)
    return size


async def condemn(connection: Connection, grace: timedelta, first: str, places: Collection[str]) -> Copy | None:
    """Choose one copy of any tenant, in one of the places, that may go, and note that it goes; None if there is none.

    That is one older than `grace` that nothing names, that never became whole, or beside which another one is as old:
    in the place `first`, or earlier in the same place. Others wait for the transaction to end.
    """
    row = await connection.fetchrow(_CHOOSE, grace, first, list(places))
    if row is None:
        return None
    chosen = Copy(**dict(row))
    await chunks.hold(connection, chosen.tenant, chosen.digest)
    is_left = await connection.fetchval(_CONDEMN, grace, first, *_key(chosen))
    return chosen if is_left else None


async def next_elsewhere(
    connection: Connection, first: str, places: Collection[str], after: tuple[str, bytes]
) -> Copy | None:
    """Give the first blob of any tenant past `after` that no copy is of, or is coming of, in the place `first`."""
    row = await connection.fetchrow(_NEXT_ELSEWHERE, first, list(places), *after)
    return Copy(**dict(row)) if row else None


def _key(copy: Copy) -> tuple[str, bytes, str, str]:
    return copy.tenant, copy.digest, copy.place, copy.name


_COLUMNS = "tenant, digest, place, name"
_TOUCH_IN_PLACE = f"""
UPDATE modules.blob SET create_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = $1 AND place = $2 AND state = 'WHOLE' RETURNING true
"""
_BEGIN = """
INSERT INTO modules.blob (tenant, digest, place, name) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant, digest, place, name) DO UPDATE SET
    state = CASE blob.state WHEN 'LEAVING' THEN 'ARRIVING' ELSE blob.state END, create_time = clock_timestamp()
RETURNING state = 'WHOLE'
"""
_OF_KEY = "(tenant, digest, place, name) = ($1, $2, $3, $4)"
_FINISH = f"""
UPDATE modules.blob SET state = 'WHOLE', bytes = $5, create_time = clock_timestamp()
WHERE {_OF_KEY} AND state <> 'LEAVING' RETURNING true
"""
_LEAVE = f"UPDATE modules.blob SET state = 'LEAVING' WHERE {_OF_KEY} AND state <> 'WHOLE'"
_REMOVE = f"DELETE FROM modules.blob WHERE {_OF_KEY} AND state = 'LEAVING'"
_COPIES = f"""
SELECT {_COLUMNS} FROM modules.blob WHERE tenant = {TENANT} AND digest = $1 AND state = 'WHOLE'
ORDER BY place <> $2, place, name
"""
_KNOWN = f"""
UPDATE modules.blob SET create_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = ANY ($1::bytea[]) AND state = 'WHOLE' RETURNING digest
"""
_TOUCH = f"""
UPDATE modules.blob SET create_time = clock_timestamp()
WHERE tenant = {TENANT} AND digest = $1 AND state = 'WHOLE' RETURNING bytes
"""
_MAY_GO = """
create_time < clock_timestamp() - $1::interval AND (
    state <> 'WHOLE'
    OR EXISTS (
        SELECT FROM modules.blob other
        WHERE (other.tenant, other.digest) = (blob.tenant, blob.digest) AND other.state = 'WHOLE'
          AND other.create_time < clock_timestamp() - $1::interval
          AND ((other.place = $2 AND blob.place <> $2) OR (other.place = blob.place AND other.name < blob.name))
    )
    OR NOT EXISTS (SELECT FROM modules.asset WHERE (asset.tenant, asset.digest) = (blob.tenant, blob.digest))
    AND NOT EXISTS (SELECT FROM modules.upload WHERE (upload.tenant, upload.digest) = (blob.tenant, blob.digest))
    AND NOT EXISTS (
        SELECT FROM modules.version WHERE (version.tenant, version.package_digest) = (blob.tenant, blob.digest)
    )
)
"""
_CHOOSE = f"SELECT {_COLUMNS} FROM modules.blob WHERE place = ANY ($3::text[]) AND {_MAY_GO} LIMIT 1"
_CONDEMN = f"""
UPDATE modules.blob SET state = 'LEAVING'
WHERE (tenant, digest, place, name) = ($3, $4, $5, $6) AND {_MAY_GO} RETURNING true
"""
_NEXT_ELSEWHERE = f"""
SELECT {_COLUMNS} FROM modules.blob
WHERE place <> $1 AND place = ANY ($2::text[]) AND state = 'WHOLE' AND (tenant, digest) > ($3, $4)
  AND NOT EXISTS (
      SELECT FROM modules.blob other
      WHERE (other.tenant, other.digest, other.place) = (blob.tenant, blob.digest, $1)
        AND (other.state = 'WHOLE' OR other.create_time > clock_timestamp() - interval '10 minutes')
  )
ORDER BY tenant, digest LIMIT 1
"""
