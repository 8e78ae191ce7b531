"""Where blobs lie: the interface, and Postgres behind it. A blob is named by its SHA-256 and never changes.

Writing one that is there, and removing one that is not, change nothing: whoever was killed in the middle does it again.
Nobody trusts what is read: `files` checks the digest of every blob that it takes in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from millwright_runtime.errors import Unavailable
from millwright_runtime.postgres.database import Database

from millwright_modules.store import blobs, chunks

_READ_AT_ONCE = 8
_WRITTEN_AT_ONCE = 4 << 20


class BlobIncomplete(Unavailable):
    """A part of what was stored is gone: it was old, and was removed just then. Try again."""


class BlobStore(Protocol):
    """Keeps blobs for all replicas."""

    async def adopt(self, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Make a blob of an upload that is whole and was checked, whose bytes are chunks."""
        ...

    async def write(self, tenant: str, digest: bytes, pieces: AsyncIterator[bytes]) -> None:
        """Keep a blob. It is there once this has returned."""
        ...

    def read(self, tenant: str, digest: bytes) -> AsyncIterator[bytes]:
        """Give the bytes of a blob, in order; none if it is not there."""
        ...

    async def remove(self, tenant: str, digest: bytes) -> None:
        """Remove a blob of which nothing is noted any more."""
        ...


class PostgresBlobs:
    """Blobs in Postgres: in the same backup as what names them, and with no further server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def adopt(self, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Note that the chunks are a blob: they stay where they are."""
        await self._note(tenant, digest, size_bytes)

    async def write(self, tenant: str, digest: bytes, pieces: AsyncIterator[bytes]) -> None:
        """Write chunks, some MiB a transaction, and then the note that they are a blob."""
        position = 0
        pending = bytearray()
        async for piece in pieces:
            pending += piece
            while len(pending) >= _WRITTEN_AT_ONCE:
                position += await self._append(tenant, digest, position, bytes(pending[:_WRITTEN_AT_ONCE]))
                del pending[:_WRITTEN_AT_ONCE]
        position += await self._append(tenant, digest, position, bytes(pending))
        await self._note(tenant, digest, position)

    async def read(self, tenant: str, digest: bytes) -> AsyncIterator[bytes]:
        """Read some chunks a transaction."""
        position = 0
        while True:
            async with self._database.snapshot(tenant) as connection:
                found = await chunks.read(connection, digest, position, _READ_AT_ONCE)
            for data in found:
                position += len(data)
                yield data
            if len(found) < _READ_AT_ONCE:
                return

    async def remove(self, tenant: str, digest: bytes) -> None:
        """Remove the chunks, if they are not a blob again."""
        async with self._database.transaction(tenant) as connection:
            await chunks.hold(connection, tenant, digest)
            await chunks.remove_left(connection, digest)

    async def _note(self, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Note a blob; raise BlobIncomplete if chunks were removed while others were written."""
        async with self._database.transaction(tenant) as connection:
            await chunks.hold(connection, tenant, digest)
            if await chunks.count_bytes(connection, digest) != size_bytes:
                raise BlobIncomplete
            await blobs.insert(connection, tenant, digest, size_bytes)

    async def _append(self, tenant: str, digest: bytes, position: int, data: bytes) -> int:
        async with self._database.transaction(tenant) as connection:
            await chunks.append(connection, tenant, digest, position, data)
        return len(data)
