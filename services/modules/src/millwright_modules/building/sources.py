"""The sources of a frontend as they lie in the staging directory, with the hash of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from millwright_modules.domain.problem import refusal
from millwright_modules.domain.words import Reason

_NOT_AN_ENTRY = "=*"
"""What esbuild gives a meaning of its own in the name of an entry."""


def hashes(source: Path) -> Mapping[str, bytes]:
    """Give the SHA-256 of each file, by path; raise Refused for links and devices. Blocks."""
    return {path.relative_to(source).as_posix(): _digest(path) for path in sorted(_files(source))}


def check_entry(entry: str, files: Mapping[str, bytes]) -> None:
    """Raise Refused unless `entry` is one of the files, and a name that esbuild takes as one."""
    if entry not in files:
        raise refusal(Reason.FILE_MISSING, "/frontend/entry", entry, "nothing")
    for sign in _NOT_AN_ENTRY:
        if sign in entry:
            raise refusal(Reason.FORBIDDEN_CHARACTER, entry, found=sign)


def _files(directory: Path) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise refusal(Reason.SPECIAL_FILE, entry.name, "a file", "a link or a device")


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
