"""Blobs as files of this process: taken over as they come in or fetched at first use, checked, those unused for longest
removed first. A copy may be lost or changed at any time, and the disk may take none: blobs are served all the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from millwright_runtime.errors import Unavailable

from millwright_modules.blobs.keeper import BlobDamaged, Keeper

PIECE_BYTES = 256 << 10


class Incoming:
    """A blob on its way in, written along as it comes; a disk that takes no more costs a copy, and never the blob."""

    def __init__(self, directory: Path) -> None:
        self._found = hashlib.sha256()
        self.size_bytes = 0
        self.is_whole = True
        """As far as it came: nothing was left out."""
        try:
            target, self.name = tempfile.mkstemp(dir=directory)
        except OSError:
            target, self.name = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), ""
            self.is_whole = False
        self._file = os.fdopen(target, "wb")

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


class NoRoomForCopy(Unavailable):
    """This replica's disk takes no copy of the package at the moment. Try again."""


class _Known(NamedTuple):
    """By what a copy is known to be the one that was checked."""

    size_bytes: int
    inode: int
    modified_ns: int

    @classmethod
    def of(cls, descriptor: int) -> _Known:
        found = os.fstat(descriptor)
        return cls(found.st_size, found.st_ino, found.st_mtime_ns)


class BlobFiles:
    """Copies of blobs, at most `limit_bytes` of them."""

    def __init__(self, blobs: Keeper, directory: Path, limit_bytes: int) -> None:
        self._blobs = blobs
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._copies: OrderedDict[bytes, _Known] = OrderedDict()
        self._locks: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, tenant: str, digest: bytes) -> int:
        """Give a file descriptor of the blob, for reading; it is the caller's to close.

        Raises BlobDamaged, NoRoomForCopy. Whether the tenant may have it is the caller's to know: a copy that is here
        is given to whoever asks.
        """
        async with self._locks[digest]:
            descriptor = self._kept(digest)
            if descriptor is None:
                await self._fetch(tenant, digest)
                descriptor = self._kept(digest)
        self._locks.pop(digest, None)
        if descriptor is None:
            raise NoRoomForCopy
        return descriptor

    async def read(self, tenant: str, digest: bytes) -> AsyncGenerator[bytes]:
        """Give the blob in pieces, from where it is kept if the disk takes no copy.

        Raises BlobDamaged, maybe only after some pieces: the last one then is not given.
        """
        try:
            descriptor = await self.open(tenant, digest)
        except NoRoomForCopy:
            pieces = self._from_afar(tenant, digest)
        else:
            pieces = _from_file(descriptor, digest)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

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
        if not incoming.is_whole:
            return
        digest = incoming.digest
        with suppress(OSError):  # somebody has removed it
            os.replace(incoming.name, self._path(digest))  # noqa: PTH105 - in this directory, a moment
            with self._path(digest).open("rb") as file:
                self._copies[digest] = _Known.of(file.fileno())
            self._make_room(digest)

    async def check(self, tenant: str, digest: bytes) -> None:
        """Raise BlobDamaged unless all replicas can read the blob, whole."""
        async for _ in self._from_afar(tenant, digest):
            pass

    def _kept(self, digest: bytes) -> int | None:
        """Open the copy that is here; None if there is none, or another file has taken its place, or it was changed."""
        known = self._copies.get(digest)
        if known is None:
            return None
        try:
            descriptor = os.open(self._path(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            descriptor = None
        if descriptor is not None and _Known.of(descriptor) == known:
            self._copies.move_to_end(digest)
            return descriptor
        if descriptor is not None:
            os.close(descriptor)
        del self._copies[digest]
        return None

    async def _fetch(self, tenant: str, digest: bytes) -> None:
        """Make a copy, if the disk takes one; raise BlobDamaged."""
        with self.receiving() as incoming:
            async for piece in self._blobs.read(tenant, digest):
                incoming.write(piece)
                if not incoming.is_whole:
                    return
            if incoming.digest != digest:
                raise BlobDamaged(digest)
            self.adopt(incoming)

    async def _from_afar(self, tenant: str, digest: bytes) -> AsyncGenerator[bytes]:
        """Give the blob's pieces as they are kept for all replicas; the last one only once their digest is right."""
        found = hashlib.sha256()
        last = b""
        async for whole in self._blobs.read(tenant, digest):
            found.update(whole)
            for begin in range(0, len(whole), PIECE_BYTES):
                if last:
                    yield last
                last = whole[begin : begin + PIECE_BYTES]
        if found.digest() != digest:
            raise BlobDamaged(digest)
        if last:
            yield last

    def _make_room(self, newest: bytes) -> None:
        while self._bytes() > self._limit_bytes and next(iter(self._copies)) != newest:
            digest, _ = self._copies.popitem(last=False)
            self._path(digest).unlink(missing_ok=True)

    def _bytes(self) -> int:
        return sum(copy.size_bytes for copy in self._copies.values())

    def _path(self, digest: bytes) -> Path:
        return self._directory / digest.hex()


async def _from_file(descriptor: int, digest: bytes) -> AsyncGenerator[bytes]:
    """Give the pieces of a copy, and close it; raise BlobDamaged if it became shorter meanwhile."""
    try:
        size_bytes = os.fstat(descriptor).st_size
        position = 0
        while position < size_bytes:
            piece = await asyncio.to_thread(os.pread, descriptor, PIECE_BYTES, position)
            if not piece:
                raise BlobDamaged(digest)
            position += len(piece)
            yield piece
    finally:
        os.close(descriptor)
