"""What a build gives, and what it tells while it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from millwright_modules.domain.problem import Problem


class BuiltFile(NamedTuple):
    """A file that browsers load, or the map of one."""

    path: str
    size_bytes: int
    digest: bytes
    """Its SHA-256."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A frontend that is built; paths are relative to the output."""

    entry: str
    assets: tuple[BuiltFile, ...]
    warnings: tuple[Problem, ...]
    key: str
    """The hash of all that it was built from, and how."""
    is_cached: bool = False


class Step(NamedTuple):
    """A step of the build that begins."""

    done: int
    """How many steps are done."""
    total: int
    messages: Mapping[str, str]
    """What is being done, by language."""


Report = Callable[[Step | Problem], None]
"""Hears of each step and of each problem, in the event loop; what it raises ends the build."""


def digest(path: Path) -> bytes:
    """Give the SHA-256 of a file. Blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
