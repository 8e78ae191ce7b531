"""Unpacking: into a staging directory that is made for it, and nowhere else.

Every directory is opened from its parent, never through a link; every file is created anew; nothing is ever written
past the size that the index announced. From then on only the staging directory is read.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from millwright_modules.archive.index import DEFLATED, Entry, Index
from millwright_modules.domain.problem import refusal
from millwright_modules.domain.words import Reason

Progress = Callable[[int, int], None]
"""Hears how many bytes and files are done; what it raises ends the unpacking."""

_CHUNK_BYTES = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file in the staging directory."""

    size_bytes: int
    digest: bytes
    """Its SHA-256."""


def extract(fd: int, index: Index, staging: Path, progress: Progress) -> Mapping[str, StagedFile]:
    """Unpack the archive in the file `fd` into the new directory `staging`; give its files by path.

    Blocks; `progress` is called at least every 256 KiB and after each file. Raises Refused, FileExistsError if
    `staging` exists, and what `progress` raises; the directory is then left as it is, for the caller to remove.
    """
    staging.mkdir(0o700)
    root = os.open(staging, _DIRECTORY)
    try:
        _make_directories(root, index)
        return _Extraction(fd, root, progress).run(index)
    finally:
        os.close(root)


def read_file(fd: int, index: Index, path: str, limit: int) -> bytes | None:
    """Give the content of one file of the archive in the file `fd`; None if it has no such file, or a larger one.

    What is unpacked later is the same: the index holds each path once. Raises Refused.
    """
    entry = next((entry for entry in index.entries if entry.path == path and not entry.is_directory), None)
    if entry is None or entry.unpacked_bytes > limit:
        return None
    content = bytearray()
    for piece in _pieces(fd, entry):
        content += piece
        if len(content) > entry.unpacked_bytes:
            break
    if len(content) != entry.unpacked_bytes or zlib.crc32(content) != entry.crc:
        raise refusal(Reason.CHECKSUM_MISMATCH, path, f"{entry.crc:08x}", f"{zlib.crc32(content):08x}")
    return bytes(content)


class _Extraction:
    def __init__(self, archive: int, root: int, progress: Progress) -> None:
        self._archive = archive
        self._root = root
        self._progress = progress
        self._bytes = 0
        self._files = 0

    def run(self, index: Index) -> Mapping[str, StagedFile]:
        """Unpack every file, a directory at a time."""
        staged: dict[str, StagedFile] = {}
        by_parent: dict[str, list[Entry]] = {}
        for entry in sorted(index.entries, key=attrgetter("data_offset")):
            if not entry.is_directory:
                by_parent.setdefault(_parent(entry.path), []).append(entry)
        for parent, entries in by_parent.items():
            with _opened(self._root, parent) as directory:
                for entry in entries:
                    staged[entry.path] = self._unpack(entry, directory)
                    self._files += 1
                    self._progress(self._bytes, self._files)
        return staged

    def _unpack(self, entry: Entry, directory: int) -> StagedFile:
        target = os.open(entry.path.rpartition("/")[2], _NEW_FILE, 0o600, dir_fd=directory)
        try:
            return self._write(entry, target)
        finally:
            os.close(target)

    def _write(self, entry: Entry, target: int) -> StagedFile:
        digest = hashlib.sha256()
        crc = 0
        done = 0
        for piece in _pieces(self._archive, entry):
            done += len(piece)
            if done > entry.unpacked_bytes:
                raise refusal(Reason.SIZE_MISMATCH, entry.path, entry.unpacked_bytes, f"more than {done - len(piece)}")
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            _write_whole(target, piece)
            self._bytes += len(piece)
            self._progress(self._bytes, self._files)
        if done != entry.unpacked_bytes:
            raise refusal(Reason.SIZE_MISMATCH, entry.path, entry.unpacked_bytes, done)
        if crc != entry.crc:
            raise refusal(Reason.CHECKSUM_MISMATCH, entry.path, f"{entry.crc:08x}", f"{crc:08x}")
        return StagedFile(done, digest.digest())


def _pieces(archive: int, entry: Entry) -> Iterator[bytes]:
    return _inflated(archive, entry) if entry.method == DEFLATED else _read(archive, entry)


def _inflated(archive: int, entry: Entry) -> Iterator[bytes]:
    """Inflate in pieces of bounded size; the stream must end where the entry's data ends."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in _read(archive, entry):
        pending = packed
        while pending and not inflater.eof:
            try:
                piece = inflater.decompress(pending, _CHUNK_BYTES)
            except zlib.error as error:
                raise refusal(Reason.BROKEN_STREAM, entry.path, found=error) from None
            pending = inflater.unconsumed_tail
            if piece:
                yield piece
        if inflater.unused_data or (pending and inflater.eof):
            raise refusal(Reason.BROKEN_STREAM, entry.path, found="data after its end")
    while not inflater.eof:
        piece = inflater.decompress(b"", _CHUNK_BYTES)
        if not piece:
            raise refusal(Reason.BROKEN_STREAM, entry.path, found="it breaks off")
        yield piece


def _read(archive: int, entry: Entry) -> Iterator[bytes]:
    at = entry.data_offset
    end = at + entry.packed_bytes
    while at < end:
        piece = os.pread(archive, min(_CHUNK_BYTES, end - at), at)
        if not piece:
            raise refusal(Reason.BROKEN_STREAM, entry.path, found="it breaks off")
        at += len(piece)
        yield piece


def _write_whole(target: int, piece: bytes) -> None:
    written = os.write(target, piece)
    while written < len(piece):
        written += os.write(target, piece[written:])


def _make_directories(root: int, index: Index) -> None:
    paths = {entry.path for entry in index.entries if entry.is_directory}
    for entry in index.entries:
        parent = _parent(entry.path)
        while parent and parent not in paths:
            paths.add(parent)
            parent = _parent(parent)
    for path in sorted(paths):  # a parent sorts before what is in it
        with _opened(root, _parent(path)) as directory:
            os.mkdir(path.rpartition("/")[2], 0o700, dir_fd=directory)


@contextmanager
def _opened(root: int, path: str) -> Iterator[int]:
    """Open a directory below `root`, a part at a time."""
    directory = os.dup(root)
    try:
        for part in path.split("/") if path else ():
            inner = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        yield directory
    finally:
        os.close(directory)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
