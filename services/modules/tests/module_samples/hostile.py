"""Archives that are made to do harm, each with the reason for which it must be refused."""

import struct
import zlib
from unicodedata import normalize

from module_samples.archives import LATER, REGULAR, UTF8, Member, deflated, extra, links, local_header, pack, record

GOOD = Member(b"module.json", b"{}")
MEBI = 1 << 20


def named(name, flags=0):
    """An archive with one file of that name beside a good one."""
    name = name.encode() if isinstance(name, str) else name
    return pack(GOOD, Member(name, b"evil", flags=flags))


def of_mode(mode, **fields):
    """An archive with one entry of that mode."""
    return pack(GOOD, Member(b"entry", b"", attributes=mode << 16, **fields))


def overlapping(names):
    """Many names for one and the same entry."""
    kernel = Member(b"kernel", b"0" * 1000)
    body = local_header(kernel) + kernel.fields()[3]
    records = b"".join(record(Member(name, kernel.data, offset=0), 0) for name in names)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(names), len(names), len(records), len(body), 0)
    return body + records + end


def quoted_overlap(count=20):
    """Fifield's bomb: each file holds the header of the next as a stored block, and all share one kernel."""
    plain, packed = b"0" * 100_000, deflated(b"0" * 100_000)
    members = [Member(b"%03d" % (count - 1), plain, packed=packed)]
    body = local_header(members[0]) + packed
    for number in reversed(range(count - 1)):
        header = local_header(members[0])
        quote = b"\x00" + struct.pack("<HH", len(header), len(header) ^ 0xFFFF)
        plain, packed = header + plain, quote + header + packed
        members.insert(0, Member(b"%03d" % number, plain, packed=packed))
        body = local_header(members[0]) + quote + body
    step = len(local_header(members[0])) + 5
    records = b"".join(record(member, step * number) for number, member in enumerate(members))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(records), len(body), 0)
    return body + records + end


def many_records(records, count):
    """A directory of far more entries than it announces."""
    start = len(local_header(GOOD)) + len(GOOD.fields()[3])
    listed = record(GOOD, 0) * records
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(listed), start, 0)
    return pack(GOOD)[:start] + listed + end


def unicode_path(name, real=b"../../evil.ts"):
    """An entry whose extra field gives it another name."""
    field = extra(0x7075, b"\x01" + struct.pack("<L", zlib.crc32(name)) + real)
    return pack(GOOD, Member(name, b"evil", extra=field))


def zip64_extra(*, data=None, **fields):
    """An entry with ZIP64 sizes."""
    body = struct.pack("<QQ", 5, 5) if data is None else data
    return pack(GOOD, Member(b"large", b"small", extra=extra(0x0001, body), **fields))


SURROGATE = "a\u202egpj.exe"

HOSTILE = {
    # Out of the directory.
    "parent": (named("../evil"), "PATH_TRAVERSAL"),
    "parent_inside": (named("a/../../evil"), "PATH_TRAVERSAL"),
    "parent_last": (named("a/.."), "PATH_TRAVERSAL"),
    "absolute": (named("/etc/passwd"), "ABSOLUTE_PATH"),
    "backslash_parent": (named("..\\..\\evil"), "FORBIDDEN_CHARACTER"),
    "drive": (named("C:\\evil"), "ABSOLUTE_PATH"),
    "drive_relative": (named("C:evil"), "ABSOLUTE_PATH"),
    "drive_slash": (named("c:/evil"), "ABSOLUTE_PATH"),
    "unc": (named("\\\\server\\share\\evil"), "ABSOLUTE_PATH"),
    "unc_slashes": (named("//server/share/evil"), "ABSOLUTE_PATH"),
    "nul": (named(b"ok.txt\x00../../evil"), "FORBIDDEN_CHARACTER"),
    "symlink_to_directory": (pack(GOOD, links(target=b"/etc")), "SPECIAL_FILE"),
    "symlink_write_through": (pack(links(target=b"/tmp"), Member(b"link/evil", b"evil")), "SPECIAL_FILE"),
    "symlink_to_file": (pack(GOOD, links(target=b"/etc/passwd")), "SPECIAL_FILE"),
    "symlink_said_by_dos": (pack(GOOD, links(host=0)), "SPECIAL_FILE"),
    "windows_link": (pack(GOOD, Member(b"link", b"", host=0, attributes=0x400)), "SPECIAL_FILE"),
    "volume_label": (pack(GOOD, Member(b"LABEL", b"", host=0, attributes=0x08)), "SPECIAL_FILE"),
    "block_device": (of_mode(0o060644), "SPECIAL_FILE"),
    "character_device": (of_mode(0o020644), "SPECIAL_FILE"),
    "fifo": (of_mode(0o010644), "SPECIAL_FILE"),
    "socket": (of_mode(0o140644), "SPECIAL_FILE"),
    "setuid": (of_mode(0o104755), "SPECIAL_MODE"),
    "setgid": (of_mode(0o102755), "SPECIAL_MODE"),
    "sticky": (of_mode(0o101755), "SPECIAL_MODE"),
    # Bombs.
    "ratio_bomb": (pack(GOOD, Member(b"zeros", bytes(40 * MEBI))), "RATIO_TOO_HIGH"),
    "announced_small": (pack(GOOD, Member(b"zeros", bytes(MEBI), size=10)), "SIZE_MISMATCH"),
    "announced_large": (pack(GOOD, Member(b"zeros", b"small", size=1 << 30)), "FILE_TOO_LARGE"),
    "announced_larger_than_it_is": (pack(GOOD, Member(b"zeros", b"small", size=500)), "SIZE_MISMATCH"),
    "many_large": (
        pack(GOOD, *(Member(b"%d" % number, bytes(MEBI), size=60 * MEBI, packed_size=MEBI) for number in range(9))),
        "UNPACKED_TOO_LARGE",
    ),
    "overlap_of_other_names": (overlapping([b"kernel", b"other"]), "ENTRIES_OVERLAP"),
    "overlap_of_one_name": (overlapping([b"kernel"] * 200), "DUPLICATE_ENTRY"),
    "quoted_overlap": (quoted_overlap(), "ENTRIES_OVERLAP"),
    "count_bomb": (pack(*(Member(b"%d" % number, method=0) for number in range(20_001))), "TOO_MANY_ENTRIES"),
    "depth_bomb": (named("/".join("a" * 100)), "PATH_TOO_DEEP"),
    "path_1500_deep": (named("/".join("a" * 1500)), "NAME_TOO_LONG"),
    "long_name": (named("a" * 400), "NAME_TOO_LONG"),
    "long_part": (named("a" * 121), "NAME_TOO_LONG"),
    # Twins.
    "duplicate": (pack(GOOD, Member(b"module.json", b"evil")), "DUPLICATE_ENTRY"),
    "duplicate_directory": (
        pack(GOOD, *[Member(b"d/", method=0, attributes=0o040755 << 16)] * 2),
        "DUPLICATE_ENTRY",
    ),
    "case_twins": (named("Module.json"), "NAME_COLLISION"),
    "case_twin_directories": (pack(GOOD, Member(b"a/x", b""), Member(b"A/y", b"")), "NAME_COLLISION"),
    "normal_form_twins": (
        pack(GOOD, *(Member(name.encode(), b"a", flags=UTF8) for name in ("caf\u0065\u0301.ts", "caf\u00e9.ts"))),
        "DUPLICATE_ENTRY",
    ),
    "sharp_s_twins": (
        pack(GOOD, Member("stra\u00dfe".encode(), flags=UTF8), Member(b"strasse")),
        "NAME_COLLISION",
    ),
    "file_and_directory": (pack(GOOD, Member(b"a", b""), Member(b"a/b", b"")), "FILE_AND_DIRECTORY"),
    "dot_slash": (named("./module.json"), "PATH_NOT_CANONICAL"),
    "parent_manifest": (named("../module.json"), "PATH_TRAVERSAL"),
    "two_slashes": (named("src//module.json"), "PATH_NOT_CANONICAL"),
    "two_slashes_parent": (named("src//../module.json"), "PATH_TRAVERSAL"),
    # Names that Windows reads in another way.
    "trailing_dot": (named("module.json."), "RESERVED_NAME"),
    "trailing_space": (named("module.json "), "RESERVED_NAME"),
    "device": (named("CON"), "RESERVED_NAME"),
    "device_with_suffix": (named("src/aux.ts"), "RESERVED_NAME"),
    "device_with_number": (named("lpt1.json"), "RESERVED_NAME"),
    "alternate_stream": (named("module.json:evil"), "FORBIDDEN_CHARACTER"),
    "wildcard": (named("module?.json"), "FORBIDDEN_CHARACTER"),
    # Flags, methods and ZIP64.
    "encrypted": (pack(GOOD, Member(b"secret", b"x", flags=1)), "ENCRYPTED"),
    "strongly_encrypted": (pack(GOOD, Member(b"secret", b"x", flags=1 << 6)), "ENCRYPTED"),
    "masked_headers": (pack(GOOD, Member(b"secret", b"x", flags=1 << 13)), "ENCRYPTED"),
    "aes": (pack(GOOD, Member(b"secret", b"x", method=99)), "ENCRYPTED"),
    "aes_extra": (pack(GOOD, Member(b"secret", b"x", extra=extra(0x9901, b"\x02\x00AE\x03\x08\x00"))), "ENCRYPTED"),
    "patched_data": (pack(GOOD, Member(b"patch", b"x", flags=1 << 5)), "FORBIDDEN_FLAG"),
    "zip64_extra": (zip64_extra(size=0xFFFFFFFF, packed_size=0xFFFFFFFF), "ZIP64"),
    "zip64_terabyte": (zip64_extra(size=0xFFFFFFFF, data=struct.pack("<Q", 1 << 40)), "ZIP64"),
    "zip64_missing": (pack(GOOD, Member(b"large", b"small", size=0xFFFFFFFF)), "FILE_TOO_LARGE"),
    "zip64_conflicting": (zip64_extra(), "ZIP64"),
    "zip64_short": (zip64_extra(data=b"\x05"), "ZIP64"),
    "zip64_local_only": (pack(GOOD, Member(b"a", b"x", local_extra=extra(1, struct.pack("<QQ", 1, 1)))), "ZIP64"),
    "zip64_end": (pack(GOOD, end=b"PK\x06\x07" + bytes(16)), "ZIP64"),
    "zip64_count": (pack(GOOD, count=0xFFFF), "ZIP64"),
    "broken_extra": (pack(GOOD, Member(b"a", b"x", extra=b"\x55\x54\xff\x00")), "BROKEN_HEADER"),
    "short_extra": (pack(GOOD, Member(b"a", b"x", extra=b"\x55")), "BROKEN_HEADER"),
    "deflate64": (pack(GOOD, Member(b"a", b"x", method=9, packed=b"x")), "FORBIDDEN_METHOD"),
    "lzma": (pack(GOOD, Member(b"a", b"x", method=14, packed=b"x")), "FORBIDDEN_METHOD"),
    "xz": (pack(GOOD, Member(b"a", b"x", method=95, packed=b"x")), "FORBIDDEN_METHOD"),
    "zstd": (pack(GOOD, Member(b"a", b"x", method=93, packed=b"x")), "FORBIDDEN_METHOD"),
    "unknown_method": (pack(GOOD, Member(b"a", b"x", method=77, packed=b"x")), "FORBIDDEN_METHOD"),
    # What is said twice, and not the same.
    "wrong_crc": (pack(GOOD, Member(b"a", b"x" * 100, crc=1)), "CHECKSUM_MISMATCH"),
    "local_name": (pack(GOOD, Member(b"a.ts", b"x", local={"name": b"b.ts"})), "HEADER_MISMATCH"),
    "local_longer_name": (pack(GOOD, Member(b"a.ts", b"x", local={"name": b"a.ts.exe"})), "HEADER_MISMATCH"),
    "local_method": (pack(GOOD, Member(b"a", b"x", local={"method": 0})), "HEADER_MISMATCH"),
    "local_size": (pack(GOOD, Member(b"a", b"x", local={"size": 9})), "HEADER_MISMATCH"),
    "local_packed_size": (pack(GOOD, Member(b"a", b"x", local={"packed": 9})), "HEADER_MISMATCH"),
    "local_crc": (pack(GOOD, Member(b"a", b"x", local={"crc": 9})), "HEADER_MISMATCH"),
    "local_flags": (pack(GOOD, Member(b"a", b"x", local={"flags": UTF8})), "HEADER_MISMATCH"),
    "local_encrypted": (pack(GOOD, Member(b"a", b"x", local={"flags": 1})), "HEADER_MISMATCH"),
    "descriptor": (
        pack(GOOD, Member(b"a", b"x", flags=LATER, descriptor=b"PK\x07\x08" + bytes(12))),
        "HEADER_MISMATCH",
    ),
    "stored_size": (pack(GOOD, Member(b"a", b"x", method=0, size=9)), "SIZE_MISMATCH"),
    # Bytes that belong to nothing.
    "leading": (pack(GOOD, prefix=b"#!/bin/sh\n"), "LEADING_DATA"),
    "leading_unmoved": (b"MZ" + pack(GOOD), "LEADING_DATA"),
    "between": (pack(GOOD, Member(b"a", b"x", before=b"hidden")), "HIDDEN_DATA"),
    "before_directory": (pack(GOOD, gap=b"hidden"), "HIDDEN_DATA"),
    "after_directory": (pack(GOOD, end=b"hidden"), "LEADING_DATA"),
    "trailing": (pack(GOOD, suffix=b"hidden"), "TRAILING_DATA"),
    "much_trailing": (pack(GOOD, suffix=bytes(5000)), "TRAILING_DATA"),
    "archive_in_comment": (pack(GOOD, comment=pack(Member(b"evil", b"evil"))), "ARCHIVE_COMMENT"),
    "comment_like_archive": (pack(GOOD, comment=b"PK here"), "ARCHIVE_COMMENT"),
    "long_comment": (pack(GOOD, comment=b"x" * 2000), "ARCHIVE_COMMENT"),
    "data_after_stream": (pack(GOOD, Member(b"a", b"x", packed=deflated(b"x") + b"hidden")), "BROKEN_STREAM"),
    "stream_breaks_off": (pack(GOOD, Member(b"a", b"xyz" * 99, packed=deflated(b"xyz" * 99)[:-3])), "BROKEN_STREAM"),
    "no_stream": (pack(GOOD, Member(b"a", b"xyz", packed=b"\xff\xff\xff")), "BROKEN_STREAM"),
    "directory_with_data": (
        pack(GOOD, Member(b"d/", b"evil", method=0, attributes=0o040755 << 16)),
        "DIRECTORY_WITH_DATA",
    ),
    "directory_as_file": (pack(GOOD, Member(b"d", b"", attributes=0o040755 << 16)), "FILE_AND_DIRECTORY"),
    "file_as_directory": (pack(GOOD, Member(b"d/", b"", method=0, attributes=REGULAR)), "FILE_AND_DIRECTORY"),
    # The end and the directory.
    "count_too_low": (pack(GOOD, Member(b"a", b""), count=1), "ENTRY_COUNT_MISMATCH"),
    "directory_bomb": (many_records(200_000, count=1), "BROKEN_DIRECTORY"),
    "directory_bomb_in_room": (many_records(200_000, count=20_000), "ENTRY_COUNT_MISMATCH"),
    "count_too_high": (pack(GOOD, count=3), "ENTRY_COUNT_MISMATCH"),
    "count_that_wrapped": (pack(GOOD, count=0), "EMPTY_ARCHIVE"),
    "several_disks": (pack(GOOD, disk=1), "MULTIPLE_DISKS"),
    "entry_of_other_disk": (pack(GOOD, Member(b"a", b"", disk=1)), "MULTIPLE_DISKS"),
    "directory_past_end": (pack(GOOD, start=1 << 20), "BROKEN_DIRECTORY"),
    "directory_too_short": (pack(GOOD, length=20), "LEADING_DATA"),
    "no_directory": (pack(GOOD, start=0, length=len(pack(GOOD)) - 22), "BROKEN_DIRECTORY"),
    "offset_past_end": (pack(Member(b"a", b"x", offset=1 << 20)), "LEADING_DATA"),
    # Names that people read in another way.
    "unicode_path": (unicode_path(b"innocent.ts"), "FORBIDDEN_EXTRA"),
    "fullwidth_dots": (named("\uff0e\uff0e/evil", UTF8), "FORBIDDEN_CHARACTER"),
    "division_slash": (named("..\u2215evil", UTF8), "FORBIDDEN_CHARACTER"),
    "right_to_left": (named(SURROGATE, UTF8), "FORBIDDEN_CHARACTER"),
    "zero_width": (named("module\u200b.json", UTF8), "FORBIDDEN_CHARACTER"),
    "newline": (named("module.json\nevil"), "FORBIDDEN_CHARACTER"),
    "escape": (named("module\x1b[2J.json"), "FORBIDDEN_CHARACTER"),
    "fullwidth_letters": (named("\uff4dodule.json", UTF8), "PATH_NOT_CANONICAL"),
    "no_utf8": (named(b"\xff\xfe.ts", UTF8), "NAME_NOT_UTF8"),
    "overlong_utf8": (named(b"\xc0\xae\xc0\xae/evil", UTF8), "NAME_NOT_UTF8"),
    "cp949": (named("한글.ts".encode("cp949")), "NAME_NOT_UTF8"),
    "utf8_unsaid_of_dos": (pack(GOOD, Member("한글.ts".encode(), b"a", host=0, attributes=0x20)), "NAME_NOT_UTF8"),
    "twins_apart_and_together": (
        pack(GOOD, *(Member(normalize(form, "한글.ts").encode(), b"a") for form in ("NFC", "NFD"))),
        "DUPLICATE_ENTRY",
    ),
    "traversal_unsaid": (named("한글/../../evil".encode()), "PATH_TRAVERSAL"),
    "no_name": (named(""), "PATH_NOT_CANONICAL"),
    "only_dot": (named("."), "PATH_NOT_CANONICAL"),
    "only_slash": (named("/"), "ABSOLUTE_PATH"),
    # No archive at all.
    "nothing": (b"", "NOT_AN_ARCHIVE"),
    "text": (b"hello, this is not an archive at all", "NOT_AN_ARCHIVE"),
    "truncated": (pack(GOOD, Member(b"a", b"x" * 500))[:-30], "ARCHIVE_TRUNCATED"),
    "truncated_comment": (pack(GOOD, comment=b"hello")[:-2], "ARCHIVE_TRUNCATED"),
    "empty": (pack(), "EMPTY_ARCHIVE"),
    "directories_only": (pack(Member(b"d/", method=0, attributes=0o040755 << 16)), "EMPTY_ARCHIVE"),
}
