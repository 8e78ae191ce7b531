"""Packages: from a module's directory to a ZIP and back.

The same files give the same bytes: paths in order, one time, one mode. It knows nothing of what a module is.
"""

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

MANIFEST = "module.json"
SIGNATURE = "module.signature.json"

_TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a ZIP can tell."""
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_UTF8_HOSTS = frozenset({_UNIX, 19})
"""Unix and macOS, whose tools write names in UTF-8 and do not always say so."""
_UTF8_FLAG = 1 << 11
_LEVEL = 9
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "Thumbs.db", "desktop.ini", SIGNATURE})
_LARGEST = 512 << 20


@dataclass
class BadPackageError(Exception):
    """A file is no package, or a directory none that can be packed."""

    path: str
    cause: str


Files = Mapping[str, bytes]
"""The content of each file, by its path with slashes."""


def read_directory(root: Path) -> Files:
    """Read a module's files; what begins with a dot, `node_modules` and an old signature are left out."""
    found: dict[str, bytes] = {}
    for path in _walk(root):
        name = normalize("NFC", path.relative_to(root).as_posix())
        if name in found:
            raise BadPackageError(name, "two files have this name")
        found[name] = path.read_bytes()
    if MANIFEST not in found:
        raise BadPackageError(str(root), f"it has no {MANIFEST}")
    return found


def read_archive(content: bytes) -> Files:
    """Read the files of a package; raise BadPackageError for what the service would not take apart either."""
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > _LARGEST:
                raise BadPackageError("", f"unpacked, it has more than {_LARGEST} bytes")
            for entry in entries:
                name = _name(entry)
                if name in found:
                    raise BadPackageError(name, "it is there twice")
                found[name] = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError) as error:
        raise BadPackageError("", f"it is no ZIP that can be read ({error})") from error
    if MANIFEST not in found:
        raise BadPackageError("", f"it has no {MANIFEST} at its top")
    return found


def _name(entry: zipfile.ZipInfo) -> str:
    """Give a file's name as the service reads it."""
    name = entry.filename
    if entry.create_system in _UTF8_HOSTS and not entry.flag_bits & _UTF8_FLAG:
        name = name.encode("cp437").decode()  # which Python takes for names that are not said to be UTF-8
    return normalize("NFC", name)


def archive(files: Files) -> bytes:
    """Give the ZIP of files: the same bytes for the same files, with the same zlib."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=False, compresslevel=_LEVEL) as packed:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = _MODE << 16
            entry.create_system = _UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, content)
    return target.getvalue()


def _walk(directory: Path) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _LEFT_OUT:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise BadPackageError(entry.path, "only files and directories can be packed")
