"""Receiving packages: bytes come in order, are kept as they come, and are checked once all are here.

A stream may break anywhere: what was kept counts, and whoever goes on asks where. Several may send the same package:
each byte is taken from whoever was first, for the same was announced by all of them, and the whole is checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from millwright_runtime.postgres.database import Connection, Database

from millwright_modules.archive.limits import Limits
from millwright_modules.artifacts.files import BlobFiles, Incoming
from millwright_modules.blobs.keeper import Keeper
from millwright_modules.domain.errors import (
    DigestMismatch,
    OffsetMismatch,
    PackageTooLarge,
    SizeMismatch,
    TooManyUploads,
    UploadsTooLarge,
)
from millwright_modules.store import blobs, chunks, uploads
from millwright_modules.store.uploads import Upload

MOST_INCOMPLETE = 20
_KEPT_AT_ONCE = 2 << 20
_KEPT_AFTER_SECONDS = 1.0
_READ_AT_ONCE = 8


class Receiving:
    """Takes packages in."""

    def __init__(self, database: Database, keeper: Keeper, files: BlobFiles, limits: Limits, most_bytes: int) -> None:
        """Take at most `most_bytes` of a tenant that no version is kept of."""
        self.database = database
        self.keeper = keeper
        self.files = files
        self._limits = limits
        self._most_bytes = most_bytes

    async def announce(self, tenant: str, digest: bytes, total_bytes: int, file_name: str) -> Upload:
        """Note that a package will come; one that is noted already goes on where it is.

        Raises PackageTooLarge, TooManyUploads and UploadsTooLarge. Announced anew with another size, it begins anew.
        """
        if total_bytes > self._limits.archive_bytes:
            raise PackageTooLarge(total_bytes=total_bytes, limit=self._limits.archive_bytes)
        async with self.database.transaction(tenant) as connection:
            await uploads.hold_all(connection, tenant)
            inserted = await uploads.insert(connection, tenant, digest, total_bytes, file_name)
            if inserted is None:
                upload = await uploads.lock(connection, digest)
                if upload.is_complete or upload.total_bytes == total_bytes:
                    await uploads.touch(connection, digest)
                    return upload
                await chunks.remove(connection, digest)
                upload = await uploads.restart(connection, digest, total_bytes)
                await self._check_room(connection, total_bytes)
                return upload
            size_bytes = await blobs.touch(connection, digest)
            if size_bytes is not None:  # of a module that is here: nothing need come again
                return await uploads.complete(connection, digest, size_bytes)
            await chunks.remove(connection, digest)  # of an earlier upload that is just being removed
            count = await uploads.count_incomplete(connection)
            if count > MOST_INCOMPLETE:
                raise TooManyUploads(count=count - 1, limit=MOST_INCOMPLETE)
            await self._check_room(connection, total_bytes)
            return inserted

    async def _check_room(self, connection: Connection, total_bytes: int) -> None:
        """Raise UploadsTooLarge if the tenant has announced more than is taken, `total_bytes` of it just now."""
        all_bytes = await uploads.sum_not_installed(connection)
        if all_bytes > self._most_bytes:
            raise UploadsTooLarge(kept_bytes=all_bytes - total_bytes, total_bytes=total_bytes, limit=self._most_bytes)

    @asynccontextmanager
    async def open(self, tenant: str, digest: bytes) -> AsyncIterator[Reception]:
        """Go on with an upload where it is; raise UploadNotFound. What comes from its first byte on is a file here."""
        async with self.database.snapshot(tenant) as connection:
            upload = await uploads.get(connection, digest)
        with nullcontext() if upload.received_bytes else self.files.receiving() as incoming:
            reception = Reception(self, tenant, upload, incoming)
            try:
                yield reception
            finally:
                await reception.close()


class Reception:
    """One stream of pieces of one upload. While some are being kept, the next ones come in."""

    def __init__(self, receiving: Receiving, tenant: str, upload: Upload, incoming: Incoming | None) -> None:
        self._database = receiving.database
        self._keeper = receiving.keeper
        self._files = receiving.files
        self._tenant = tenant
        self.upload = upload
        """As far as it is kept."""
        self._position = upload.received_bytes
        self._pending = bytearray()
        self._keeping: asyncio.Task[Upload] | None = None
        self._kept_time = time.monotonic()
        self._incoming = incoming
        self._is_alone = True
        """All that is kept came by this stream, as far as it knows."""

    async def take(self, offset: int, data: bytes) -> None:
        """Take a piece, of which what is here already counts for nothing, and keep it soon.

        Raises OffsetMismatch if it leaves a hole, SizeMismatch if it is more than announced, and what kept an earlier
        one from being kept.
        """
        if offset > self._position:
            raise OffsetMismatch(offset=offset, expected_offset=self._position)
        data = data[self._position - offset :]
        if self._position + len(data) > self.upload.total_bytes:
            raise SizeMismatch(total_bytes=self.upload.total_bytes)
        self._pending += data
        self._position += len(data)
        if self._incoming:
            self._incoming.write(data)
        is_time = time.monotonic() - self._kept_time >= _KEPT_AFTER_SECONDS
        if len(self._pending) >= _KEPT_AT_ONCE or is_time:
            await self._begin_keeping()

    async def keep(self) -> None:
        """Keep what came: from now on it need not be sent again. Raises OffsetMismatch if the upload began anew."""
        await self._begin_keeping()
        await self._kept()

    async def close(self) -> None:
        """Leave what is not kept yet."""
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
            self._keeping.cancelled() or self._keeping.exception()  # nobody waits for it any more

    async def _begin_keeping(self) -> None:
        await self._kept()
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            self._kept_time = time.monotonic()
            self._keeping = asyncio.create_task(self._keep(self._position - len(data), data))

    async def _kept(self) -> None:
        if self._keeping:
            self.upload = await self._keeping
            self._keeping = None

    async def _keep(self, begin: int, data: bytes) -> Upload:
        digest = self.upload.digest
        async with self._database.transaction(self._tenant) as connection:
            upload = await uploads.lock(connection, digest)
            received = upload.received_bytes
            if begin > received:
                raise OffsetMismatch(offset=begin, expected_offset=received)
            self._is_alone &= begin == received
            left = data[received - begin :]
            if upload.is_complete or not left:
                return upload
            await chunks.append(connection, self._tenant, digest, received, left)
            return await uploads.note_received(connection, digest, received + len(left))

    async def finish(self) -> Upload:
        """Keep the rest, and check the whole once it is here.

        Raises DigestMismatch, after which the upload is empty again. Doing it twice does no harm.
        """
        await self.keep()
        if self.upload.is_complete or self.upload.received_bytes < self.upload.total_bytes:
            return self.upload
        digest = self.upload.digest
        own = self._incoming if self._is_alone else None
        found = own.digest if own else await self._digest_of_chunks()
        if found != digest:
            self.upload = await self._begin_anew()
            if self.upload.is_complete:
                return self.upload
            raise DigestMismatch(expected=digest.hex(), found=found.hex())
        if own:
            self._files.adopt(own)
        await self._keeper.adopt(self._tenant, digest, self.upload.total_bytes)
        async with self._database.transaction(self._tenant) as connection:
            self.upload = await uploads.complete(connection, digest, self.upload.total_bytes)
            await chunks.remove_left(connection, self._tenant, digest)  # where blobs lie elsewhere
        return self.upload

    async def _digest_of_chunks(self) -> bytes:
        found = hashlib.sha256()
        position = 0
        while position < self.upload.total_bytes:
            async with self._database.snapshot(self._tenant) as connection:
                pieces = await chunks.read(connection, self.upload.digest, position, _READ_AT_ONCE)
            if not pieces:
                break
            for piece in pieces:
                found.update(piece)
                position += len(piece)
        return found.digest()

    async def _begin_anew(self) -> Upload:
        """Empty the upload, unless another stream has completed it, and its chunks may be gone for that."""
        async with self._database.transaction(self._tenant) as connection:
            upload = await uploads.lock(connection, self.upload.digest)
            if upload.is_complete:
                return upload
            await chunks.remove(connection, upload.digest)
            return await uploads.note_received(connection, upload.digest, 0)
