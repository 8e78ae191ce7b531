"""The central directory: what an archive says that it holds. Nothing is read past its announced size and count."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from millwright_modules.archive.limits import Limits
from millwright_modules.domain.problem import Refused, refusal, shown
from millwright_modules.domain.words import Reason

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_RECORD = struct.Struct("<4s6H3L5H2L")
_RECORD_SIGNATURE = b"PK\x01\x02"
_LOCAL_SIGNATURE = b"PK\x03\x04"
_COMMENT_BYTES = 1 << 10
_LARGEST_16 = 0xFFFF
_LARGEST_32 = 0xFFFFFFFF
_RECORD_BYTES = 1 << 10
"""How long the record of an entry is on average, at most: names, extra fields and comments are short."""
_LONGEST_RECORD_BYTES = _RECORD.size + 3 * _LARGEST_16


@dataclass(frozen=True, slots=True)
class Record:
    """One entry as the directory describes it."""

    raw_name: bytes
    host: int
    """The system that made it; 0 is DOS, 3 Unix."""
    flags: int
    method: int
    crc: int
    packed_bytes: int
    unpacked_bytes: int
    attributes: int
    extra: bytes
    header_offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The records in their order, and where the directory begins."""

    records: Sequence[Record]
    offset: int


def read(fd: int, limits: Limits) -> Directory:
    """Read the directory of the archive in the file `fd`; raise Refused."""
    size = os.fstat(fd).st_size
    if size > limits.archive_bytes:
        raise refusal(Reason.ARCHIVE_TOO_LARGE, "", limits.archive_bytes, size)
    count, length, offset, end = _find_end(fd, size)
    if count == 0:
        raise refusal(Reason.EMPTY_ARCHIVE)
    if count > limits.entries:
        raise refusal(Reason.TOO_MANY_ENTRIES, "", limits.entries, count)
    if offset + length > end:
        raise refusal(Reason.BROKEN_DIRECTORY, found=f"it reaches past its end by {offset + length - end} bytes")
    if offset + length < end:
        raise refusal(Reason.LEADING_DATA, "", 0, end - offset - length)
    if length > count * _RECORD_BYTES + _LONGEST_RECORD_BYTES:
        raise refusal(Reason.BROKEN_DIRECTORY, found=f"it has {length} bytes for {count} entries")
    records = tuple(islice(_records(os.pread(fd, length, offset)), count + 1))
    if len(records) != count:
        found = len(records) if len(records) < count else "more"
        raise refusal(Reason.ENTRY_COUNT_MISMATCH, "", count, found)
    return Directory(records, offset)


def _find_end(fd: int, size: int) -> tuple[int, int, int, int]:
    """Give count, length and offset of the directory, and the offset of the record that says so."""
    tail_bytes = min(size, _END.size + _COMMENT_BYTES)
    tail = os.pread(fd, tail_bytes, size - tail_bytes)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        raise _without_end(fd, size)
    _, disk, start_disk, disk_count, count, length, offset, comment_bytes = _END.unpack_from(tail, at)
    after = len(tail) - at - _END.size
    if comment_bytes > after:
        raise refusal(Reason.ARCHIVE_TRUNCATED)
    if comment_bytes < after:
        raise refusal(Reason.TRAILING_DATA, "", 0, after - comment_bytes)
    if tail.find(_END_SIGNATURE) != at:  # the last one lies in the comment of another: two archives in one
        raise refusal(Reason.ARCHIVE_COMMENT)
    if b"PK" in tail[at + _END.size :]:
        raise refusal(Reason.ARCHIVE_COMMENT)
    end = size - len(tail) + at
    is_large = _LARGEST_16 in (disk_count, count) or _LARGEST_32 in (length, offset)
    has_locator = end >= _ZIP64_LOCATOR_BYTES and os.pread(fd, 4, end - _ZIP64_LOCATOR_BYTES) == _ZIP64_LOCATOR
    if is_large or has_locator:
        raise refusal(Reason.ZIP64)
    if disk or start_disk or disk_count != count:
        raise refusal(Reason.MULTIPLE_DISKS)
    return count, length, offset, end


def _without_end(fd: int, size: int) -> Refused:
    """Say why no end was found: none is there, or it lies before a longer comment than packages have."""
    start = os.pread(fd, 4, 0)
    if start != _LOCAL_SIGNATURE:
        return refusal(Reason.NOT_AN_ARCHIVE, "", "PK", shown(start) or "nothing")
    tail_bytes = min(size, _END.size + _LARGEST_16)
    tail = os.pread(fd, tail_bytes, size - tail_bytes)
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) - at < _END.size:
        return refusal(Reason.ARCHIVE_TRUNCATED)
    comment_bytes = _END.unpack_from(tail, at)[-1]
    after = len(tail) - at - _END.size
    if comment_bytes == after:
        return refusal(Reason.ARCHIVE_COMMENT, "", _COMMENT_BYTES, comment_bytes)
    return refusal(Reason.TRAILING_DATA, "", 0, after - comment_bytes)


def _records(block: bytes) -> Iterator[Record]:
    at = 0
    while at < len(block):
        if block[at : at + 4] != _RECORD_SIGNATURE or len(block) - at < _RECORD.size:
            raise refusal(Reason.BROKEN_DIRECTORY, found=f"no entry at byte {at} of it")
        fields = _RECORD.unpack_from(block, at)
        made_by, flags, method = fields[1], fields[3], fields[4]
        crc, packed_bytes, unpacked_bytes, name_bytes, extra_bytes, comment_bytes, disk = fields[7:14]
        name_at = at + _RECORD.size
        extra_at = name_at + name_bytes
        at = extra_at + extra_bytes + comment_bytes
        if at > len(block):
            raise refusal(Reason.BROKEN_DIRECTORY, found="an entry reaches past its end")
        if disk:
            raise refusal(Reason.MULTIPLE_DISKS)
        yield Record(
            raw_name=block[name_at:extra_at],
            host=made_by >> 8,
            flags=flags,
            method=method,
            crc=crc,
            packed_bytes=packed_bytes,
            unpacked_bytes=unpacked_bytes,
            attributes=fields[15],
            extra=block[extra_at : extra_at + extra_bytes],
            header_offset=fields[16],
        )
