"""Moves between states. Each state machine of a domain is a table of them, and a page of the docs draws it."""

from __future__ import annotations

from enum import Enum


class ImpossibleTransition(Exception):
    """A move that is in no table: a mistake of ours, and what was about to be written must not be."""

    def __init__(self, what: str, before: Enum, after: Enum, cause: Enum | None = None) -> None:
        by = f" by {cause.value}" if cause else ""
        super().__init__(f"{what} cannot go from {before.value} to {after.value}{by}")
