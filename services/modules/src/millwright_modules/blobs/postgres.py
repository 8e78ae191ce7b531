"""Blobs in Postgres, 256 KiB a row: in the same backup as what names them, and with no further server."""

from __future__ import annotations

from collections.abc import AsyncIterator

from millwright_runtime.postgres.database import Connection, Database

from millwright_modules.blobs.place import BlobIncomplete
from millwright_modules.store import chunks
from millwright_modules.store.blobs import POSTGRES

_READ_AT_ONCE = 8
_WRITTEN_AT_ONCE = 4 << 20


class PostgresPlace:
    """Keeps one copy of a blob, as chunks; those of an upload become a blob where they are."""

    name = POSTGRES

    def __init__(self, database: Database) -> None:
        self._database = database

    def new_copy(self) -> str:
        """Name no copy: there is one."""
        return ""

    async def put(self, tenant: str, digest: bytes, copy: str, pieces: AsyncIterator[bytes]) -> int:  # noqa: ARG002
        """Write chunks, some MiB a transaction."""
        position = 0
        pending = bytearray()
        async for piece in pieces:
            pending += piece
            while len(pending) >= _WRITTEN_AT_ONCE:
                position += await self._append(tenant, digest, position, bytes(pending[:_WRITTEN_AT_ONCE]))
                del pending[:_WRITTEN_AT_ONCE]
        return position + await self._append(tenant, digest, position, bytes(pending))

    async def read(self, tenant: str, digest: bytes, copy: str = "") -> AsyncIterator[bytes]:  # noqa: ARG002
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

    async def confirm(self, connection: Connection, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Count the chunks, and keep them from going."""
        await chunks.hold(connection, tenant, digest)
        if await chunks.count_bytes(connection, digest) != size_bytes:
            raise BlobIncomplete

    async def delete(self, tenant: str, digest: bytes, copy: str) -> None:  # noqa: ARG002
        """Remove the chunks, unless they are a blob again, or an upload on its way."""
        async with self._database.transaction(tenant) as connection:
            await chunks.remove_left(connection, tenant, digest)

    async def _append(self, tenant: str, digest: bytes, position: int, data: bytes) -> int:
        async with self._database.transaction(tenant) as connection:
            await chunks.append(connection, tenant, digest, position, data)
        return len(data)
