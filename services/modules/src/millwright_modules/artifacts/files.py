"""Blobs as files of this process: taken over as they come in or fetched at first use, checked, those unused for longest
removed first.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from millwright_modules.blobs.keeper import BlobDamaged, Keeper


class Incoming:
    """A blob on its way in, written along as it comes; a disk that takes no more costs a copy, and never the blob."""

    def __init__(self, directory: Path) -> None:
        target, self.name = tempfile.mkstemp(dir=directory)
        self._file = os.fdopen(target, "wb")
        self._found = hashlib.sha256()
        self.size_bytes = 0
        self.is_whole = True
        """As far as it came: nothing was left out."""

    def write(self, piece: bytes) -> None:
        """Write the next piece."""
        self._found.update(piece)
        if self.is_whole:
            try:
                self._file.write(piece)
            except OSError:
                self.is_whole = False
        self.size_bytes += len(piece)

    @property
    def digest(self) -> bytes:
        """Give the SHA-256 of what came."""
        return self._found.digest()

    def close(self) -> None:
        """End writing."""
        try:
            self._file.close()
        except OSError:
            self.is_whole = False


class BlobFiles:
    """Copies of blobs, at most `limit_bytes` of them."""

    def __init__(self, blobs: Keeper, directory: Path, limit_bytes: int) -> None:
        self._blobs = blobs
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        self._locks: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, tenant: str, digest: bytes) -> int:
        """Give a file descriptor of the blob, for reading; it is the caller's to close. Raises BlobDamaged.

        Whether the tenant may have it is the caller's to know: a copy that is here is given to whoever asks.
        """
        async with self._locks[digest]:
            if digest not in self._sizes:
                self._sizes[digest] = await self._fetch(tenant, digest)
                self._make_room(digest)
            self._sizes.move_to_end(digest)
            descriptor = os.open(self._path(digest), os.O_RDONLY | os.O_CLOEXEC)
        self._locks.pop(digest, None)
        return descriptor

    @contextmanager
    def receiving(self) -> Iterator[Incoming]:
        """Give a blob's file to write while it comes in; it is gone afterwards unless it was adopted."""
        incoming = Incoming(self._directory)
        try:
            yield incoming
        finally:
            incoming.close()
            with suppress(FileNotFoundError):
                os.unlink(incoming.name)  # noqa: PTH108 - in this directory, a moment

    def adopt(self, incoming: Incoming) -> None:
        """Keep what came in as a blob; so it need not be fetched."""
        incoming.close()
        if incoming.is_whole:
            digest = incoming.digest
            os.replace(incoming.name, self._path(digest))  # noqa: PTH105 - as above
            self._sizes[digest] = incoming.size_bytes
            self._make_room(digest)

    async def check(self, tenant: str, digest: bytes) -> None:
        """Raise BlobDamaged unless all replicas can read the blob, whole."""
        found = hashlib.sha256()
        async for piece in self._blobs.read(tenant, digest):
            found.update(piece)
        if found.digest() != digest:
            raise BlobDamaged(digest)

    async def _fetch(self, tenant: str, digest: bytes) -> int:
        found = hashlib.sha256()
        size = 0
        target, name = tempfile.mkstemp(dir=self._directory)
        try:
            with os.fdopen(target, "wb") as file:
                async for piece in self._blobs.read(tenant, digest):
                    found.update(piece)
                    size += len(piece)
                    file.write(piece)
            if found.digest() != digest:
                raise BlobDamaged(digest)
            os.replace(name, self._path(digest))  # noqa: PTH105 - in this directory, a moment
        except BaseException:
            os.unlink(name)  # noqa: PTH108 - as above
            raise
        return size

    def _make_room(self, newest: bytes) -> None:
        while sum(self._sizes.values()) > self._limit_bytes and next(iter(self._sizes)) != newest:
            digest, _ = self._sizes.popitem(last=False)
            self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: bytes) -> Path:
        return self._directory / digest.hex()
