"""From a package to a tree of files, in a thread that stops when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from millwright_modules.archive import extraction, index
from millwright_modules.archive.extraction import StagedFile
from millwright_modules.archive.index import Index
from millwright_modules.archive.limits import Limits
from millwright_modules.artifacts.files import BlobFiles
from millwright_modules.blobs.keeper import BlobDamaged
from millwright_modules.domain import brought
from millwright_modules.domain.manifest import reader, source
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.operation import Done
from millwright_modules.domain.problem import Refused, refusal
from millwright_modules.domain.words import Reason

_LARGEST_MANIFEST = 256 << 10
_HEARD_SECONDS = 0.02
"""So often the progress of an unpacking is of interest."""
ResultT = TypeVar("ResultT")


class Packages:
    """Opens packages."""

    def __init__(self, files: BlobFiles, limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._listed: tuple[bytes, Index] | None = None

    async def manifest(self, tenant: str, digest: bytes) -> Manifest | None:
        """Give what a package says of itself; None if it is none, or cannot be read: installing it tells why."""
        try:
            return await self._with_package(tenant, digest, lambda fd: _peek(fd, self._index(digest, fd)))
        except Refused:
            return None

    async def read_manifest(self, tenant: str, digest: bytes) -> Manifest:
        """Give what a package says of itself; raise Refused."""
        return await self._with_package(tenant, digest, lambda fd: _peek(fd, self._index(digest, fd)))

    async def documents(self, tenant: str, digest: bytes, manifest: Manifest) -> Mapping[str, bytes]:
        """Read what a package brings for other services, except what is too large for them; raise Refused."""
        paths = brought.all_paths(manifest)
        return await self._with_package(tenant, digest, lambda fd: _read(fd, self._index(digest, fd), paths))

    async def fetch(self, tenant: str, digest: bytes) -> None:
        """Bring a package onto this machine; raise Refused if it is not there."""
        os.close(await self._open(tenant, digest))

    async def unpack(
        self, tenant: str, digest: bytes, staging: Path, hear: Callable[[Done], None]
    ) -> Mapping[str, StagedFile]:
        """Unpack a package into the new directory `staging`; raise Refused. `hear` is called from the thread."""
        stop = threading.Event()

        def extract(fd: int) -> Mapping[str, StagedFile]:
            listed = self._index(digest, fd)
            bytes_total, files_total = listed.unpacked_bytes, listed.files
            heard_time = 0.0

            def progress(bytes_done: int, files_done: int) -> None:
                nonlocal heard_time
                if stop.is_set():
                    raise InterruptedError
                now = time.monotonic()
                if now - heard_time >= _HEARD_SECONDS or files_done == files_total:
                    heard_time = now
                    hear(Done(bytes_done, bytes_total, files_done, files_total))

            return extraction.extract(fd, listed, staging, progress)

        return await self._with_package(tenant, digest, extract, stop)

    async def _with_package(
        self, tenant: str, digest: bytes, use: Callable[[int], ResultT], stop: threading.Event | None = None
    ) -> ResultT:
        fd = await self._open(tenant, digest)
        try:
            using = asyncio.ensure_future(asyncio.to_thread(use, fd))
            try:
                return await asyncio.shield(using)
            except asyncio.CancelledError:
                if stop:
                    stop.set()
                await asyncio.wait({using})
                using.cancelled() or using.exception()  # it was told to stop: how it ended is of no interest
                raise
        finally:
            os.close(fd)

    def _index(self, digest: bytes, fd: int) -> Index:
        """Give a package's index; the last one is at hand, for an install looks at its package several times."""
        kept = self._listed
        if kept is None or kept[0] != digest:
            kept = self._listed = (digest, index.read(fd, self._limits))
        return kept[1]

    async def _open(self, tenant: str, digest: bytes) -> int:
        try:
            return await self._files.open(tenant, digest)
        except BlobDamaged:
            raise refusal(Reason.PACKAGE_MISSING, digest.hex()) from None


def _read(fd: int, listed: Index, paths: Sequence[str]) -> Mapping[str, bytes]:
    found = {path: extraction.read_file(fd, listed, path, brought.LARGEST_BYTES) for path in paths}
    return {path: content for path, content in found.items() if content is not None}


def _peek(fd: int, listed: Index) -> Manifest:
    content = extraction.read_file(fd, listed, source.FILE, _LARGEST_MANIFEST)
    if content is None:
        raise refusal(Reason.MANIFEST_MISSING, "", source.FILE)
    return reader.read(content)
