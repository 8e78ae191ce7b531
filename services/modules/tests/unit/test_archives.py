"""The archive reader refuses what is made to do harm, and takes what honest tools make."""

import hashlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import unicodedata
import zipfile
import zlib
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from millwright_modules.archive import extraction, index
from millwright_modules.archive.limits import Limits
from millwright_modules.domain import words
from millwright_modules.domain.problem import Refused
from module_samples.archives import LATER, UTF8, Member, deflated, extra, pack
from module_samples.hostile import GOOD, HOSTILE, many_records

FILES = {"module.json": b'{"code": "weld"}', "src/page.tsx": b"export default 1;\n" * 500, "assets/logo.svg": b""}


def unpack(archive, tmp_path, *, limits=None, progress=lambda *_: None):
    """Read an archive from a file of its own and unpack it beside; give the staged files."""
    path = tmp_path / "package.zip"
    path.write_bytes(archive)
    fd = index.open_archive(path)
    try:
        return extraction.extract(fd, index.read(fd, limits or Limits()), tmp_path / "staging", progress)
    finally:
        os.close(fd)


def refused(archive, tmp_path, **options):
    """The one problem for which an archive is refused."""
    with pytest.raises(Refused) as caught:
        unpack(archive, tmp_path, **options)
    (problem,) = caught.value.problems
    return problem


def on_disk(root):
    """What lies below a directory, by path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_leaves_the_staging_directory(name, tmp_path):
    archive, reason = HOSTILE[name]
    problem = refused(archive, tmp_path)
    assert problem.reason == reason
    assert {path.name for path in tmp_path.iterdir()} <= {"package.zip", "staging"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_refusal_reads_well_in_both_languages(name, tmp_path):
    problem = refused(HOSTILE[name][0], tmp_path)
    for told in [problem.messages, problem.hints]:
        assert all(text.isprintable() and "{" not in text for text in told.values() if name != "fullwidth_dots")
    assert set(problem.messages) == {"en", "ko"}


def test_every_reason_has_its_words():
    assert set(words.MESSAGES) == set(words.Reason)


def tree(root):
    """A small package as files."""
    for path, content in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def by_zipfile(**options):
    """Python's own writer."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for path, content in FILES.items():
            archive.writestr(path, content)
    return target.getvalue()


def by_stream():
    """Python's writer to a pipe: sizes follow the data."""
    target = io.BytesIO()
    target.seekable = lambda: False
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in FILES.items():
            archive.writestr(path, content)
    return target.getvalue()


def test_python_archives_are_taken(tmp_path):
    staged = unpack(by_zipfile(), tmp_path)
    assert on_disk(tmp_path / "staging") == FILES
    assert {path: file.digest for path, file in staged.items()} == {
        path: hashlib.sha256(content).digest() for path, content in FILES.items()
    }
    assert {path: file.size_bytes for path, file in staged.items()} == {path: len(data) for path, data in FILES.items()}


def test_streamed_archives_are_taken(tmp_path):
    unpack(by_stream(), tmp_path)
    assert on_disk(tmp_path / "staging") == FILES


def test_shutil_archives_are_taken(tmp_path):
    made = shutil.make_archive(str(tmp_path / "made"), "zip", tree(tmp_path / "tree"))
    unpack((tmp_path / made).read_bytes(), tmp_path)
    assert on_disk(tmp_path / "staging") == FILES


@pytest.mark.parametrize("options", [["-r"], ["-rX"], ["-rD"], ["-r0"], ["-r", "-z"], ["-rfd"]], ids=" ".join)
def test_info_zip_archives_are_taken(options, tmp_path):
    if shutil.which("zip") is None:
        pytest.skip("Info-ZIP is not here")
    command = ["zip", "-q", *options, str(tmp_path / "made.zip"), "."]
    subprocess.run(command, cwd=tree(tmp_path / "tree"), check=True, input=b"a comment\n", stdout=subprocess.DEVNULL)
    unpack((tmp_path / "made.zip").read_bytes(), tmp_path)
    assert on_disk(tmp_path / "staging") == FILES


KOREAN = {"module.json": b"{}", "화면/시작.tsx": b"export default 1;\n", "규칙/용접.json": b"[]"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_info_zip_archives_with_korean_names_are_taken(form, tmp_path):
    if shutil.which("zip") is None:
        pytest.skip("Info-ZIP is not here")
    for path, content in KOREAN.items():
        place = tmp_path / "tree" / unicodedata.normalize(form, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    command = ["zip", "-qr", str(tmp_path / "made.zip"), "."]
    subprocess.run(command, cwd=tmp_path / "tree", check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    unpack((tmp_path / "made.zip").read_bytes(), tmp_path)
    assert on_disk(tmp_path / "staging") == KOREAN


@pytest.mark.parametrize("host", [3, 19])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_utf8_are_taken_from_unix_and_macos_though_they_do_not_say_so(host, form, tmp_path):
    members = [Member(unicodedata.normalize(form, path).encode(), KOREAN[path], host=host) for path in KOREAN]
    unpack(pack(*members), tmp_path)
    assert on_disk(tmp_path / "staging") == KOREAN


def test_a_directory_that_is_longer_than_it_says_is_not_read_whole(tmp_path):
    tracemalloc.start()
    try:
        refused(many_records(400_000, count=20_000), tmp_path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 96 << 20


def test_git_archives_are_taken(tmp_path):
    root = tree(tmp_path / "tree")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    made = subprocess.run(["git", "archive", "--format=zip", "HEAD"], cwd=root, check=True, capture_output=True)
    unpack(made.stdout, tmp_path)
    assert on_disk(tmp_path / "staging") == FILES


UT = extra(0x5455, b"\x03" + bytes(8))
LOCAL_UT = extra(0x5455, b"\x01" + bytes(4))
NTFS = extra(0x000A, bytes(4) + struct.pack("<2H", 1, 24) + bytes(24))

LIKE_TOOLS = {
    "7-zip": [
        Member(b"src/", method=0, host=0, attributes=0x10, extra=NTFS, local_extra=b""),
        Member(b"src/a.ts", b"a", host=0, attributes=0x20, extra=NTFS, local_extra=b""),
        Member("src/한글.ts".encode(), b"b", host=0, attributes=0x20, flags=UTF8, extra=NTFS, local_extra=b""),
    ],
    "macos": [
        Member(b"src/", method=0, host=3, attributes=0o040755 << 16, extra=extra(0x7855, bytes(8))),
        Member(b"src/a.ts", b"a", flags=LATER, extra=extra(0x7855, bytes(8)), local_extra=extra(0x7855, bytes(12))),
        Member(b"__MACOSX/", method=0, attributes=0o040775 << 16),
        Member(b"__MACOSX/src/._a.ts", b"finder", flags=LATER),
        Member(b"src/.DS_Store", b"finder"),
    ],
    "windows-explorer": [Member(b"src/a.ts", b"a", host=0, attributes=0x20), Member(b"b.ts", b"", method=0, host=0)],
    "jar": [
        Member(b"src/", packed=b"\x03\x00", attributes=0, host=0, flags=LATER),
        Member(b"src/a.ts", b"a", flags=LATER, attributes=0, host=0),
    ],
    "unsigned descriptor": [
        Member(b"a.ts", b"a", flags=LATER, descriptor=struct.pack("<3L", 0xE8B7BE43, len(deflated(b"a")), 1)),
    ],
    "info-zip": [Member(b"a.ts", b"a", extra=UT, local_extra=LOCAL_UT, comment=b"for people")],
    "deflate levels": [Member(b"a.ts", b"a", flags=2), Member(b"b.ts", b"a", flags=4), Member(b"c.ts", b"a", flags=6)],
}


@pytest.mark.parametrize("tool", LIKE_TOOLS)
def test_archives_as_other_tools_write_them_are_taken(tool, tmp_path):
    members = LIKE_TOOLS[tool]
    staged = unpack(pack(GOOD, *members, comment=b"0123456789abcdef0123456789abcdef01234567"), tmp_path)
    expected = {member.name.decode() for member in members if not member.name.endswith(b"/")}
    assert set(staged) == {"module.json"} | {
        path for path in expected if not path.startswith("__MACOSX") and ".DS_Store" not in path
    }


def test_entries_may_lie_in_another_order_than_they_are_listed(tmp_path):
    first, second = Member(b"a", b"1"), Member(b"b", b"2")
    made = pack(first, second)
    cut = made.index(b"PK\x01\x02")
    end = made.index(b"PK\x05\x06")
    records = made[cut:end]
    half = len(records) // 2
    unpack(made[:cut] + records[half:] + records[:half] + made[end:], tmp_path)
    assert on_disk(tmp_path / "staging") == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("kind", ["tar", "gzip"])
def test_other_archives_are_told_apart(kind, tmp_path):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w" if kind == "tar" else "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("module.json"))
    assert refused(target.getvalue(), tmp_path).reason == "NOT_AN_ARCHIVE"


def test_no_staging_directory_is_used_twice(tmp_path):
    unpack(by_zipfile(), tmp_path)
    with pytest.raises(FileExistsError):
        unpack(by_zipfile(), tmp_path)


def test_a_link_in_place_of_the_archive_is_not_followed(tmp_path):
    (tmp_path / "link.zip").symlink_to(tmp_path / "package.zip")
    (tmp_path / "package.zip").write_bytes(by_zipfile())
    with pytest.raises(OSError, match="symbolic links"):
        index.open_archive(tmp_path / "link.zip")


def test_a_pipe_in_place_of_the_archive_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(Refused):
        index.open_archive(tmp_path / "pipe.zip")


def test_progress_tells_bytes_and_files_and_never_goes_back(tmp_path):
    content = random.Random(1).randbytes(1_000_000)
    heard = []
    unpack(pack(GOOD, Member(b"large", content)), tmp_path, progress=lambda *done: heard.append(done))
    assert heard == sorted(heard)
    assert heard[-1] == (1_000_002, 2)
    assert max(after - before for (before, _), (after, _) in pairwise(heard)) <= 1 << 18


def test_what_progress_raises_ends_the_unpacking(tmp_path):
    def stop(_bytes, files):
        if files == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        unpack(by_zipfile(), tmp_path, progress=stop)
    assert len(on_disk(tmp_path / "staging")) == 1


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(archive_bytes=100), "ARCHIVE_TOO_LARGE"),
        (Limits(entries=2), "TOO_MANY_ENTRIES"),
        (Limits(file_bytes=8_999), "FILE_TOO_LARGE"),
        (Limits(unpacked_bytes=9_000), "UNPACKED_TOO_LARGE"),
        (Limits(ratio=10, ratio_free_bytes=100), "RATIO_TOO_HIGH"),
        (Limits(depth=1), "PATH_TOO_DEEP"),
        (Limits(path_bytes=11), "NAME_TOO_LONG"),
    ],
)
def test_each_limit_holds(limits, reason, tmp_path):
    assert refused(by_zipfile(), tmp_path, limits=limits).reason == reason


def test_limits_hold_to_the_byte(tmp_path):
    exact = Limits(archive_bytes=len(by_zipfile()), entries=3, file_bytes=9_000, unpacked_bytes=9_016, depth=2)
    assert len(unpack(by_zipfile(), tmp_path, limits=replace(exact, path_bytes=15))) == 3


def test_a_damaged_archive_is_refused_in_words_and_never_leaves_the_staging_directory(tmp_path):
    chance = random.Random(20)
    whole = by_zipfile()
    for number in range(600):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        if number % 3 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        place = tmp_path / str(number)
        place.mkdir()
        with suppress(Refused):
            unpack(bytes(damaged), place)
        assert {path.name for path in place.iterdir()} <= {"package.zip", "staging"}


def test_what_is_taken_is_what_python_reads(tmp_path):
    chance = random.Random(3)
    members = [Member(b"f%d" % number, chance.randbytes(chance.randrange(5000))) for number in range(50)]
    archive = pack(*members)
    unpack(archive, tmp_path)
    with zipfile.ZipFile(io.BytesIO(archive)) as other:
        assert on_disk(tmp_path / "staging") == {name: other.read(name) for name in other.namelist()}


def test_reading_opens_nothing_but_the_archive_and_the_staging_directory(tmp_path):
    """An audit of every open in a process of its own."""
    (tmp_path / "package.zip").write_bytes(by_zipfile())
    program = f"""
import sys
from pathlib import Path
from millwright_modules.archive import extraction, index
from millwright_modules.archive.limits import Limits
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
fd = index.open_archive({str(tmp_path / "package.zip")!r})
extraction.extract(fd, index.read(fd, Limits()), Path({str(tmp_path / "staging")!r}), lambda *_: None)
print("\\n".join(opened))
"""
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {name for name in told if name.startswith("/")} == {str(tmp_path / "package.zip"), str(tmp_path / "staging")}
    assert {name for name in told if not name.startswith("/")} == {
        "module.json",
        "src",
        "page.tsx",
        "assets",
        "logo.svg",
    }


def test_the_quoted_overlap_is_a_bomb_that_would_unpack():
    archive = HOSTILE["quoted_overlap"][0]
    with zipfile.ZipFile(io.BytesIO(archive)) as bomb:
        first, *_ = bomb.infolist()
        start = first.header_offset + 30 + len(first.filename)
        assert len(zlib.decompress(archive[start : start + first.compress_size], -15)) == first.file_size
        assert sum(entry.file_size for entry in bomb.infolist()) > 100 * len(archive)
