"""ZIP archives written by hand, so that any field of them can lie."""

import struct
import zlib
from dataclasses import dataclass, field

UTF8 = 1 << 11
LATER = 1 << 3
REGULAR = 0o100644 << 16


@dataclass
class Member:
    """One entry; what is not given is what an honest tool would write."""

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    host: int = 3
    attributes: int = REGULAR
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    extra: bytes = b""
    local_extra: bytes | None = None
    comment: bytes = b""
    disk: int = 0
    offset: int | None = None
    local: dict = field(default_factory=dict)
    before: bytes = b""
    descriptor: bytes | None = None

    def fields(self):
        """The checksum, both sizes and the data as it is stored."""
        packed = self.packed
        if packed is None:
            packed = deflated(self.data) if self.method == 8 else self.data
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        size = len(self.data) if self.size is None else self.size
        return crc, len(packed) if self.packed_size is None else self.packed_size, size, packed


def deflated(data):
    """Raw deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def local_header(member):
    """What stands before an entry's data."""
    crc, packed_size, size, _ = member.fields()
    if member.flags & LATER:
        crc = packed_size = size = 0
    told = {"name": member.name, "flags": member.flags, "method": member.method, "crc": crc, "packed": packed_size}
    told |= {"size": size, "extra": member.extra if member.local_extra is None else member.local_extra} | member.local
    header = struct.pack(
        "<4s5H3L2H", b"PK\x03\x04", 20, told["flags"], told["method"], 0, 33, told["crc"], told["packed"], told["size"],
        len(told["name"]), len(told["extra"]),
    )  # fmt: skip
    return header + told["name"] + told["extra"]


def descriptor(member):
    """What follows the data of an entry whose sizes were not known before."""
    if member.descriptor is not None:
        return member.descriptor
    crc, packed_size, size, _ = member.fields()
    return struct.pack("<4s3L", b"PK\x07\x08", crc, packed_size, size) if member.flags & LATER else b""


def record(member, offset):
    """An entry of the central directory."""
    crc, packed_size, size, _ = member.fields()
    fixed = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", member.host << 8 | 20, 20, member.flags, member.method, 0, 33, crc, packed_size,
        size, len(member.name), len(member.extra), len(member.comment), member.disk, 0, member.attributes,
        offset if member.offset is None else member.offset,
    )  # fmt: skip
    return fixed + member.name + member.extra + member.comment


def pack(*members, prefix=b"", gap=b"", suffix=b"", comment=b"", count=None, disk=0, start=None, length=None, end=b""):
    """An archive of the members; `gap` lies before the directory, `end` before the record of the end."""
    body = bytearray(prefix)
    records = []
    for member in members:
        body += member.before
        offset = len(body)
        body += local_header(member) + member.fields()[3] + descriptor(member)
        records.append(record(member, offset))
    body += gap
    directory = b"".join(records)
    count = len(members) if count is None else count
    start = len(body) if start is None else start
    length = len(directory) if length is None else length
    closing = struct.pack("<4s4H2LH", b"PK\x05\x06", disk, 0, count, count, length, start, len(comment))
    return bytes(body + directory + end + closing + comment + suffix)


def extra(kind, data):
    """An extra field."""
    return struct.pack("<2H", kind, len(data)) + data


def links(*, target=b"target", **fields):
    """A symbolic link."""
    return Member(**{"name": b"link", "data": target, "method": 0, "attributes": 0o120777 << 16, **fields})
