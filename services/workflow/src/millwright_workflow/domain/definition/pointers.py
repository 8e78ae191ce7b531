"""JSON pointers (RFC 6901). Owns how a path is written; knows nothing of definitions."""

from __future__ import annotations

from collections.abc import Iterable


def token(key: str | int) -> str:
    """Escape one step of a path."""
    return str(key).replace("~", "~0").replace("/", "~1")


def pointer(steps: Iterable[str | int]) -> str:
    """Write a path as a pointer; no steps point to the whole document."""
    return "".join(f"/{token(step)}" for step in steps)
