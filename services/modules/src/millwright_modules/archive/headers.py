"""Local headers: what stands before each entry's data must say what the directory says, and the entries must lie one
after the other, from the first byte to the directory, with nothing between."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from millwright_modules.archive.directory import Directory, Record
from millwright_modules.domain.problem import Refused, refusal, shown
from millwright_modules.domain.words import Reason

DESCRIPTOR_FLAG = 1 << 3
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_DESCRIPTOR = struct.Struct("<3L")
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_EXTRA = struct.Struct("<2H")
_ENCRYPTIONS = frozenset({0x0017, 0x9901})
_ZIP64_EXTRA = 0x0001
_UNICODE_PATH = 0x7075


@dataclass(frozen=True, slots=True)
class _Header:
    data_offset: int
    is_described_later: bool


def data_offsets(fd: int, directory: Directory) -> list[int]:
    """Give where the data of each record begins, in the records' order; raise Refused."""
    records = directory.records
    in_file = sorted(range(len(records)), key=lambda number: records[number].header_offset)
    offsets = [0] * len(records)
    expected = 0
    for place, number in enumerate(in_file):
        record = records[number]
        if record.header_offset != expected:
            raise _misplaced(record, expected, place)
        header = _read_header(fd, record, directory.offset)
        end = header.data_offset + record.packed_bytes
        following = records[in_file[place + 1]].header_offset if place + 1 < len(in_file) else directory.offset
        if header.is_described_later and end < following:
            end += _check_descriptor(fd, record, end)
        if end > directory.offset:
            raise refusal(Reason.BROKEN_HEADER, shown(record.raw_name), found="its data reaches into the directory")
        offsets[number] = header.data_offset
        expected = end
    if expected != directory.offset:
        raise refusal(Reason.HIDDEN_DATA, "the directory", 0, directory.offset - expected)
    return offsets


def check_extra(record_name: str, extra: bytes) -> None:
    """Hold that an extra field is whole, and that none in it changes what the entry is; raise Refused."""
    at = 0
    while at < len(extra):
        if len(extra) - at < _EXTRA.size:
            raise refusal(Reason.BROKEN_HEADER, record_name, found="an extra field that breaks off")
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size + length
        if at > len(extra):
            raise refusal(Reason.BROKEN_HEADER, record_name, found="an extra field that breaks off")
        if kind == _ZIP64_EXTRA:
            raise refusal(Reason.ZIP64, record_name)
        if kind in _ENCRYPTIONS:
            raise refusal(Reason.ENCRYPTED, record_name)
        if kind == _UNICODE_PATH:
            raise refusal(Reason.FORBIDDEN_EXTRA, record_name, found=f"0x{kind:04x}")


def _misplaced(record: Record, expected: int, place: int) -> Refused:
    name = shown(record.raw_name)
    if record.header_offset < expected:
        return refusal(Reason.ENTRIES_OVERLAP, name, expected, record.header_offset)
    reason = Reason.HIDDEN_DATA if place else Reason.LEADING_DATA
    return refusal(reason, name, 0, record.header_offset - expected)


def _read_header(fd: int, record: Record, limit: int) -> _Header:
    name = shown(record.raw_name)
    block = os.pread(fd, _LOCAL.size + len(record.raw_name), record.header_offset)
    if record.header_offset + _LOCAL.size > limit or len(block) < _LOCAL.size or block[:4] != _LOCAL_SIGNATURE:
        raise refusal(Reason.BROKEN_HEADER, name, found=f"no header at byte {record.header_offset}")
    _, _, flags, method, _, _, crc, packed_bytes, unpacked_bytes, name_bytes, extra_bytes = _LOCAL.unpack_from(block)
    raw_name = block[_LOCAL.size :]
    if name_bytes != len(record.raw_name) or raw_name != record.raw_name:
        raise refusal(Reason.HEADER_MISMATCH, name, name, shown(raw_name[:name_bytes]))
    is_described_later = bool(flags & DESCRIPTOR_FLAG)
    announced = (crc, packed_bytes, unpacked_bytes)
    said = (record.crc, record.packed_bytes, record.unpacked_bytes)
    _check_same(name, "flags", record.flags, flags)
    _check_same(name, "method", record.method, method)
    for what, in_directory, in_header in zip(("checksum", "packed size", "size"), said, announced, strict=True):
        if in_header or not is_described_later:  # what is not known yet is written as 0
            _check_same(name, what, in_directory, in_header)
    extra_at = record.header_offset + _LOCAL.size + name_bytes
    if extra_bytes:
        check_extra(name, os.pread(fd, extra_bytes, extra_at))
    return _Header(extra_at + extra_bytes, is_described_later)


def _check_descriptor(fd: int, record: Record, offset: int) -> int:
    """Give how long the descriptor after an entry's data is; raise Refused if it says another thing."""
    block = os.pread(fd, _DESCRIPTOR.size + len(_DESCRIPTOR_SIGNATURE), offset)
    said = _DESCRIPTOR.pack(record.crc, record.packed_bytes, record.unpacked_bytes)
    if block == _DESCRIPTOR_SIGNATURE + said:
        return len(block)
    if block.startswith(said):
        return len(said)
    raise refusal(Reason.HEADER_MISMATCH, shown(record.raw_name), "sizes and checksum", "others after its data")


def _check_same(name: str, what: str, in_directory: int, in_header: int) -> None:
    if in_directory != in_header:
        raise refusal(Reason.HEADER_MISMATCH, name, f"{what} {in_directory}", f"{what} {in_header}")
