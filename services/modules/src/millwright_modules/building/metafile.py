"""The second net: what esbuild says that it read and left open, held against what it may."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from millwright_modules.building import messages
from millwright_modules.building.command import CHECKED, OUT
from millwright_modules.domain.problem import Problem, refusal, shown
from millwright_modules.domain.words import Reason

_LARGEST_BYTES = 4 << 20
"""How long it may be: what modules import takes some hundred KiB to tell."""
_SEARCHED_BYTES = 1 << 20
"""How much of a source is searched for the line of an import."""
_KEPT_PROBLEMS = 50
_INLINE = "<data:"
_WITHIN_PAGE = "#"
_OF_STYLES = frozenset({"url-token", "import-rule"})


class Built(NamedTuple):
    """What esbuild wrote."""

    entry: str
    """The file to load first, relative to the output."""
    outputs: Sequence[str]


class Metafile:
    """What esbuild says of a build. Blocks, and is for a thread: sources may be written to make it long."""

    def __init__(self, path: Path, entry: str) -> None:
        """Read it; raise Refused, at the build's `entry`, if it is too long."""
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise refusal(
                Reason.BUILD_FAILED, entry, found=f"its imports take more than {_LARGEST_BYTES} bytes to tell"
            )
        self._said: Mapping[str, Any] = json.loads(content)

    def built(self) -> Built:
        """Give what was written."""
        outputs: Mapping[str, Any] = self._said["outputs"]
        (entry,) = [path for path, output in outputs.items() if "entryPoint" in output and path.endswith(".js")]
        return Built(_inner(entry), sorted(_inner(path) for path in outputs))

    def breaches(self, source: Path, files: Collection[str], externals: Sequence[str]) -> Sequence[Problem]:
        """Give files read that are not the module's, and imports left open that the platform does not bring.

        Only the first of them; each source is read once.
        """
        return list(islice(self._breaches(source, files, externals), _KEPT_PROBLEMS))

    def _breaches(self, source: Path, files: Collection[str], externals: Sequence[str]) -> Iterator[Problem]:
        for path, read in self._said["inputs"].items():
            inner = messages.within(path)
            if path.startswith(_INLINE) or path == CHECKED:
                continue
            if inner not in files:
                yield Problem(Reason.IMPORT_FORBIDDEN, shown(inner), "a file of the module", shown(inner))
                continue
            left = [one for one in read["imports"] if one.get("external") and not _is_allowed(one, externals)]
            content = _begin(source / inner) if left else b""
            for one in left:
                yield messages.missing(one["path"], inner, _line(content, one["path"]), externals)


def _is_allowed(left: Mapping[str, Any], externals: Sequence[str]) -> bool:
    if left["kind"] in _OF_STYLES:
        return bool(left["path"].startswith((_WITHIN_PAGE, "data:")))
    return left["path"] in externals


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SEARCHED_BYTES)


def _line(content: bytes, name: str) -> int:
    """Tell in which line a file names something; 0 where it is written in another way, or far behind."""
    before, found, _ = content.partition(name.encode())
    return before.count(b"\n") + 1 if found else 0


def _inner(path: str) -> str:
    return posixpath.relpath(path, OUT)
