"""The index of a package: every entry, checked against everything that can be known without unpacking."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from millwright_modules.archive import directory, headers, names
from millwright_modules.archive.directory import Record
from millwright_modules.archive.limits import Limits
from millwright_modules.domain.problem import refusal, shown
from millwright_modules.domain.words import Reason

STORED = 0
DEFLATED = 8
_ENCRYPTED_FLAGS = 1 << 0 | 1 << 6 | 1 << 13
_DEFLATE_LEVEL_FLAGS = 1 << 1 | 1 << 2
_ALLOWED_FLAGS = _DEFLATE_LEVEL_FLAGS | headers.DESCRIPTOR_FLAG | names.UTF8_FLAG
_AES_METHOD = 99
_DOS_VOLUME = 0x08
_DOS_DIRECTORY = 0x10
_WINDOWS_LINK = 0x400
_EMPTY_DEFLATE_BYTES = 2
_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a directory, that may be unpacked."""

    path: str
    """Without a trailing slash."""
    is_directory: bool
    method: int
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    data_offset: int


@dataclass(frozen=True, slots=True)
class Index:
    """What a package holds."""

    entries: Sequence[Entry]

    @property
    def files(self) -> int:
        """Count the files."""
        return sum(not entry.is_directory for entry in self.entries)

    @property
    def unpacked_bytes(self) -> int:
        """Count the bytes of all files."""
        return sum(entry.unpacked_bytes for entry in self.entries)


def read(fd: int, limits: Limits) -> Index:
    """Check the archive in the file `fd` and give its index, without what desktops leave behind.

    Raises Refused for the first thing that is wrong, in the order: the end, the directory, names, each entry, the tree,
    headers and layout. The file must not change meanwhile.
    """
    listed = directory.read(fd, limits)
    paths = []
    total = 0
    for record in listed.records:
        path = names.read(record.raw_name, record.flags, record.host, limits)
        _check(record, path, limits)
        paths.append(path)
        total += record.unpacked_bytes
    if total > limits.unpacked_bytes:
        raise refusal(Reason.UNPACKED_TOO_LARGE, "", limits.unpacked_bytes, total)
    names.check_tree(paths)
    offsets = headers.data_offsets(fd, listed)
    entries = [
        Entry(
            path=path.removesuffix("/"),
            is_directory=path.endswith("/"),
            method=record.method,
            crc=record.crc,
            packed_bytes=record.packed_bytes,
            unpacked_bytes=record.unpacked_bytes,
            data_offset=offset,
        )
        for record, path, offset in zip(listed.records, paths, offsets, strict=True)
        if not names.is_leftover(path)
    ]
    if all(entry.is_directory for entry in entries):
        raise refusal(Reason.EMPTY_ARCHIVE)
    return Index(entries)


def open_archive(path: str | os.PathLike[str]) -> int:
    """Open a package for reading; the caller closes it. What is no regular file is not opened."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise refusal(Reason.NOT_AN_ARCHIVE, shown(os.fspath(path)), "a file", "something else")
    return fd


def _check(record: Record, path: str, limits: Limits) -> None:
    _check_encoding(record, path)
    _check_kind(record, path)
    headers.check_extra(path, record.extra)
    if path.endswith("/"):
        if record.unpacked_bytes or record.crc or record.packed_bytes > _EMPTY_DEFLATE_BYTES:
            raise refusal(Reason.DIRECTORY_WITH_DATA, path, 0, max(record.unpacked_bytes, record.packed_bytes))
        return
    if record.unpacked_bytes > limits.file_bytes:
        raise refusal(Reason.FILE_TOO_LARGE, path, limits.file_bytes, record.unpacked_bytes)
    if record.method == STORED and record.packed_bytes != record.unpacked_bytes:
        raise refusal(Reason.SIZE_MISMATCH, path, record.unpacked_bytes, record.packed_bytes)
    if record.unpacked_bytes > max(limits.ratio_free_bytes, record.packed_bytes * limits.ratio):
        ratio = record.unpacked_bytes // max(1, record.packed_bytes)
        raise refusal(Reason.RATIO_TOO_HIGH, path, limits.ratio, ratio)


def _check_encoding(record: Record, path: str) -> None:
    if record.flags & _ENCRYPTED_FLAGS or record.method == _AES_METHOD:
        raise refusal(Reason.ENCRYPTED, path)
    if record.flags & ~_ALLOWED_FLAGS:
        raise refusal(Reason.FORBIDDEN_FLAG, path, found=f"0x{record.flags & ~_ALLOWED_FLAGS:04x}")
    if record.method not in {STORED, DEFLATED}:
        raise refusal(Reason.FORBIDDEN_METHOD, path, "0, 8", record.method)


def _check_kind(record: Record, path: str) -> None:
    """Hold that an entry is a file or a directory, whichever system's words say so, and that its name says the same."""
    mode = record.attributes >> 16
    kind = stat.S_IFMT(mode)
    named_directory = path.endswith("/")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise refusal(Reason.SPECIAL_FILE, path, "file", _KINDS.get(kind, f"file of kind {kind:o}"))
    if mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
        raise refusal(Reason.SPECIAL_MODE, path, found=f"{mode & 0o7777:o}")
    if record.attributes & _WINDOWS_LINK:
        raise refusal(Reason.SPECIAL_FILE, path, "file", "link of Windows")
    if record.attributes & _DOS_VOLUME:
        raise refusal(Reason.SPECIAL_FILE, path, "file", "volume label")
    says_directory = kind == stat.S_IFDIR or (kind == 0 and bool(record.attributes & _DOS_DIRECTORY))
    says_file = kind == stat.S_IFREG
    if (says_directory and not named_directory) or (says_file and named_directory):
        raise refusal(Reason.FILE_AND_DIRECTORY, path)
