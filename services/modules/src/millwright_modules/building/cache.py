"""What was built before, by the hash of all that it was built from; a replica's own, lost without harm."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from millwright_modules.building.result import BuildResult, BuiltFile, digest
from millwright_modules.domain.problem import Problem, Severity
from millwright_modules.domain.words import Reason

_FILES = "files"
_RESULT = "result.json"
_PARTIAL = ".new-"
_PARTIAL_SECONDS = 3600.0
"""After this long, nobody is writing it any more."""


class Cache:
    """Results in a directory, one a key; an entry appears whole, and is checked whenever it is used."""

    def __init__(self, directory: Path, *, kept: int, kept_bytes: int) -> None:
        """Keep at most `kept` results and `kept_bytes` of them, those used last."""
        self._directory = directory
        self._kept = kept
        self._kept_bytes = kept_bytes

    def fetch(self, key: str, out: Path) -> BuildResult | None:
        """Copy a result to the new directory `out`; None if there is none, or it was damaged. Blocks."""
        place = self._directory / key
        try:
            saved = json.loads((place / _RESULT).read_text("utf-8"))
            result = _result(saved, key)
            shutil.copytree(place / _FILES, out)
            is_whole = all(digest(out / file.path) == file.digest for file in result.assets)
        except (OSError, ValueError, KeyError, TypeError):
            is_whole = False
        if not is_whole:
            shutil.rmtree(out, ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
            return None
        with suppress(OSError):
            place.touch()
        return result

    def save(self, result: BuildResult, out: Path) -> None:
        """Keep what lies in `out`, if there is room; of two at once, the first stays. Blocks."""
        if sum(file.size_bytes for file in result.assets) > self._kept_bytes:
            return
        with suppress(OSError):  # a cache may lack anything
            self._directory.mkdir(parents=True, exist_ok=True)
            self._keep(result, out)
            self._evict()

    def _keep(self, result: BuildResult, out: Path) -> None:
        place = Path(tempfile.mkdtemp(dir=self._directory, prefix=_PARTIAL))
        try:
            shutil.copytree(out, place / _FILES)
            (place / _RESULT).write_text(json.dumps(_saved(result)), "utf-8")
            place.rename(self._directory / result.key)
        finally:
            shutil.rmtree(place, ignore_errors=True)  # nothing is there unless it is kept already, or the disk is full

    def _evict(self) -> None:
        by_use = sorted(self._directory.iterdir(), key=_last_use, reverse=True)
        whole = [entry for entry in by_use if not entry.name.startswith(_PARTIAL)]
        filled = accumulate(map(_bytes, whole))
        fitting = sum(bytes_so_far <= self._kept_bytes for bytes_so_far in filled)
        since = time.time() - _PARTIAL_SECONDS
        left = [entry for entry in by_use if entry.name.startswith(_PARTIAL) and _last_use(entry) < since]
        for entry in [*whole[min(self._kept, fitting) :], *left]:
            shutil.rmtree(entry, ignore_errors=True)


def _bytes(entry: Path) -> int:
    """Count what an entry takes; one that goes just now, as far as it is there."""
    with suppress(FileNotFoundError):
        return sum(file.stat().st_size for file in entry.rglob("*"))
    return 0


def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _saved(result: BuildResult) -> dict[str, Any]:
    return {
        "entry": result.entry,
        "assets": [[file.path, file.size_bytes, file.digest.hex()] for file in result.assets],
        "warnings": [[problem.reason, problem.path, problem.found, problem.line] for problem in result.warnings],
    }


def _result(saved: dict[str, Any], key: str) -> BuildResult:
    return BuildResult(
        entry=saved["entry"],
        assets=tuple(BuiltFile(path, size, bytes.fromhex(hexed)) for path, size, hexed in saved["assets"]),
        warnings=tuple(
            Problem(Reason(reason), path, found=found, line=line, severity=Severity.WARNING)
            for reason, path, found, line in saved["warnings"]
        ),
        key=key,
        is_cached=True,
    )
