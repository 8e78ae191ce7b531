"""Receiving: a file comes in piece by piece, is read once it is whole, and is stored in one transaction.

Until that commits, nothing of it is anywhere but in files without a name: a process that ends in the middle leaves
nothing. The same file is known by its hash, and is neither read nor stored again.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO

from millwright_runtime.postgres.database import Connection, Database

from millwright_judgment.domain.datasets.dataset import (
    MOST_BYTES,
    MOST_DATASETS,
    Content,
    Dataset,
    Manner,
    content_hash,
)
from millwright_judgment.domain.errors import InvalidDataset, TooManyDatasets, TooManyUploads, UploadStalled
from millwright_judgment.domain.ruleset import canonical
from millwright_judgment.engine.datasets import reading
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import datasets, rulesets
from millwright_judgment.store.datasets import Part

_UPLOADS = 4
"""So many files may come in at once: each takes its size on the disk, and more once it is read."""
_STALL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Upload:
    """What somebody wants to send."""

    tenant: str
    dataset: str
    ruleset: str
    manner: Manner
    creator: str


class Receiving:
    """Takes files in."""

    def __init__(self, database: Database, versions: Versions, stall_seconds: float = _STALL_SECONDS) -> None:
        self._database = database
        self._versions = versions
        self._stall_seconds = stall_seconds
        self._under_way = 0
        self._reader = asyncio.Lock()

    async def receive(self, upload: Upload, pieces: AsyncIterator[bytes]) -> tuple[Dataset, bool]:
        """Take a file in; give the data set, and whether its content was known.

        Raises RulesetNotFound, InvalidDataset, UploadStalled, TooManyUploads, TooManyDatasets.
        """
        if self._under_way >= _UPLOADS:
            raise TooManyUploads(limit=_UPLOADS)
        self._under_way += 1
        try:
            async with self._database.snapshot(upload.tenant) as connection:
                version = (await rulesets.get(connection, upload.ruleset)).latest_version
            with tempfile.TemporaryFile() as file:
                digest, size = await self._spool(file, pieces)
                return await self._keep(upload, version, file, digest, size)
        finally:
            self._under_way -= 1

    async def _spool(self, file: IO[bytes], pieces: AsyncIterator[bytes]) -> tuple[bytes, int]:
        """Write what comes to a file; give its SHA-256 and its size."""
        hashed, size = hashlib.sha256(), 0
        while True:
            try:
                async with asyncio.timeout(self._stall_seconds):
                    piece = await anext(pieces, None)
            except TimeoutError as error:
                raise UploadStalled(seconds=round(self._stall_seconds)) from error
            if piece is None:
                break
            size += len(piece)
            if size > MOST_BYTES:
                raise InvalidDataset(why=f"It is larger than {MOST_BYTES:,} bytes.")
            await asyncio.to_thread(_write, file, piece, hashed)
        await asyncio.to_thread(file.flush)
        return hashed.digest(), size

    async def _keep(
        self, upload: Upload, version: int, file: IO[bytes], digest: bytes, size: int
    ) -> tuple[Dataset, bool]:
        ruleset = (await self._versions.compiled(upload.tenant, upload.ruleset, version)).evaluator.ruleset
        content = content_hash(canonical.content_hash(ruleset).hex(), upload.manner, digest)
        async with self._database.transaction(upload.tenant) as connection:
            if (known := await datasets.hold_content(connection, content)) is not None:
                return await _name(connection, upload, known), True
        with tempfile.TemporaryFile() as sink:
            async with self._reader:  # one at a time: it may take a good part of the machine
                found = await reading.read(file, sink, canonical.to_text(ruleset), upload.manner)
            sink.seek(0)
            made = Content(
                content=content,
                ruleset=upload.ruleset,
                version=version,
                digest=digest,
                bytes=size,
                rows=found.rows,
                rejected_rows=found.rejected_rows,
                ignored_columns=found.ignored_columns,
                faults=found.faults,
                expected_column=upload.manner.expected,
            )
            async with self._database.transaction(upload.tenant) as connection:
                if await datasets.insert_content(connection, upload.tenant, made):
                    for last_row, rows, part_bytes in found.parts:
                        octets = await asyncio.to_thread(sink.read, part_bytes)
                        await datasets.insert_part(connection, upload.tenant, content, Part(last_row, rows, octets))
                return await _name(connection, upload, made), False


def _write(file: IO[bytes], piece: bytes, hashed: hashlib._Hash) -> None:
    file.write(piece)
    hashed.update(piece)


async def _name(connection: Connection, upload: Upload, content: Content) -> Dataset:
    if await datasets.hold(connection, upload.tenant, upload.dataset) >= MOST_DATASETS:
        raise TooManyDatasets(limit=MOST_DATASETS)
    return await datasets.name(connection, upload.tenant, upload.dataset, content, upload.creator)
