"""The second net: what esbuild says that it read and left open, held against what it may."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from millwright_modules.building import messages
from millwright_modules.building.command import OUT
from millwright_modules.domain.problem import Problem, shown
from millwright_modules.domain.words import Reason

_INLINE = "<data:"
_WITHIN_PAGE = "#"
_OF_STYLES = frozenset({"url-token", "import-rule"})


class Built(NamedTuple):
    """What esbuild wrote."""

    entry: str
    """The file to load first, relative to the output."""
    outputs: Sequence[str]


def built(metafile: bytes) -> Built:
    """Give what was written."""
    outputs: Mapping[str, Any] = json.loads(metafile)["outputs"]
    (entry,) = [path for path, output in outputs.items() if "entryPoint" in output and path.endswith(".js")]
    return Built(_inner(entry), sorted(_inner(path) for path in outputs))


def breaches(metafile: bytes, source: Path, files: Collection[str], externals: Sequence[str]) -> Iterator[Problem]:
    """Give each file read that is not the module's, and each import left open that the platform does not bring."""
    for path, read in json.loads(metafile)["inputs"].items():
        inner = messages.within(path)
        if path.startswith(_INLINE):
            continue
        if inner not in files:
            yield Problem(Reason.IMPORT_FORBIDDEN, shown(inner), "a file of the module", shown(inner))
            continue
        for left in read["imports"]:
            if left.get("external") and not _is_allowed(left, externals):
                yield messages.missing(left["path"], inner, _line(source / inner, left["path"]), externals)


def _is_allowed(left: Mapping[str, Any], externals: Sequence[str]) -> bool:
    if left["kind"] in _OF_STYLES:
        return bool(left["path"].startswith((_WITHIN_PAGE, "data:")))
    return left["path"] in externals


def _line(path: Path, name: str) -> int:
    """Tell in which line a file names something; 0 where it is written in another way."""
    before, found, _ = path.read_bytes().partition(name.encode())
    return before.count(b"\n") + 1 if found else 0


def _inner(path: str) -> str:
    return posixpath.relpath(path, OUT)
