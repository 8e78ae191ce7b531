"""The keeper of blobs: writes them where they belong now, and reads them where they are.

A copy is a row before its first byte is stored, and until its last one is gone. So whoever was killed in the middle
leaves a row that tells of it, and tidying finds what nobody needs by its rows, whatever the place.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from millwright_runtime.postgres.database import ALL_TENANTS, Database

from millwright_modules.blobs.place import BlobIncomplete, BlobStoreUnknown, Place
from millwright_modules.blobs.postgres import PostgresPlace
from millwright_modules.store import blobs
from millwright_modules.store.blobs import Copy


class BlobDamaged(Exception):
    """A blob is not there, or its bytes are not those of its digest."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(f"the blob {digest.hex()} is missing or damaged")


class Keeper:
    """Keeps blobs for all replicas; the first of the places is where new ones go.

    Nobody trusts what is read: `files` checks the digest of every blob that it takes in.
    """

    def __init__(
        self, database: Database, postgres: PostgresPlace, others: Sequence[Place] = (), first: str = ""
    ) -> None:
        self._database = database
        self._postgres = postgres
        self._places = {place.name: place for place in (postgres, *others)}
        self._first = self._places[first or postgres.name]

    async def adopt(self, tenant: str, digest: bytes, size_bytes: int) -> None:
        """Make a blob of an upload that is whole and was checked, whose bytes are chunks.

        Where blobs are chunks, these stay where they are; elsewhere they go once the upload is noted to be complete.
        """
        if self._first is not self._postgres:
            await self.write(tenant, digest, self._postgres.read(tenant, digest))
        elif (copy := await self._begin(tenant, digest)) is not None:
            await self._finish(tenant, digest, copy, size_bytes)

    async def write(self, tenant: str, digest: bytes, pieces: AsyncIterator[bytes]) -> None:
        """Keep a blob, unless it is kept already. It is there once this has returned.

        Raises BlobDamaged for pieces of another digest, BlobIncomplete and BlobStoreUnavailable.
        """
        copy = await self._begin(tenant, digest)
        if copy is None:
            return
        try:
            size_bytes = await self._first.put(tenant, digest, copy, _checked(digest, pieces))
        except BlobDamaged:
            await self._discard(Copy(tenant, digest, self._first.name, copy))
            raise
        await self._finish(tenant, digest, copy, size_bytes)

    async def read(self, tenant: str, digest: bytes) -> AsyncIterator[bytes]:
        """Give the bytes of a blob, in order; none if it is not there.

        Raises BlobStoreUnavailable and BlobStoreUnknown.
        """
        async with self._database.snapshot(tenant) as connection:
            copies = await blobs.copies(connection, digest, self._first.name)
        copy = next((copy for copy in copies if copy.place in self._places), None)
        if copy is None:
            if copies:
                raise BlobStoreUnknown(place=copies[0].place)
            return
        async for piece in self._places[copy.place].read(tenant, digest, copy.name):
            yield piece

    async def remove_one(self, grace: timedelta) -> bool:
        """Remove one copy that nothing has needed for `grace`; tell whether there was one."""
        async with self._database.transaction(ALL_TENANTS) as connection:
            leaving = await blobs.condemn(connection, grace, self._first.name, list(self._places))
        if leaving is None:
            return False
        await self._forget(leaving)
        return True

    async def elsewhere(self, after: tuple[str, bytes]) -> Copy | None:
        """Give the next blob, by tenant and digest, that lies elsewhere only; None at the end."""
        async with self._database.snapshot(ALL_TENANTS) as connection:
            return await blobs.next_elsewhere(connection, self._first.name, list(self._places), after)

    async def move(self, copy: Copy) -> None:
        """Copy a blob to the first place; the copy it had goes once the new one is old.

        Raises BlobDamaged, with nothing changed, BlobIncomplete and BlobStoreUnavailable.
        """
        there = self._places[copy.place]
        await self.write(copy.tenant, copy.digest, there.read(copy.tenant, copy.digest, copy.name))

    async def _begin(self, tenant: str, digest: bytes) -> str | None:
        """Note that a copy will come, and give its name; None if there is a whole one, which is young again."""
        name = self._first.new_copy()
        async with self._database.transaction(tenant) as connection:
            is_here = await blobs.begin(connection, Copy(tenant, digest, self._first.name, name))
        return None if is_here else name

    async def _finish(self, tenant: str, digest: bytes, copy: str, size_bytes: int) -> None:
        async with self._database.transaction(tenant) as connection:
            await self._first.confirm(connection, tenant, digest, size_bytes)
            if not await blobs.finish(connection, Copy(tenant, digest, self._first.name, copy), size_bytes):
                raise BlobIncomplete

    async def _discard(self, copy: Copy) -> None:
        async with self._database.transaction(copy.tenant) as connection:
            await blobs.leave(connection, copy)
        await self._forget(copy)

    async def _forget(self, copy: Copy) -> None:
        """Remove a copy that goes, and then its row: until then, whoever comes next begins here again."""
        await self._places[copy.place].delete(copy.tenant, copy.digest, copy.name)
        async with self._database.transaction(copy.tenant) as connection:
            await blobs.remove(connection, copy)


async def _checked(digest: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    found = hashlib.sha256()
    async for piece in pieces:
        found.update(piece)
        yield piece
    if found.digest() != digest:
        raise BlobDamaged(digest)
