"""What changed between two definitions, in terms that a person can read.

Owns the comparison: tasks by name, everything else leaf by leaf. Judges nothing.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.definition import Definition
from millwright_workflow.domain.definition.pointers import token

_NAMED_LISTS = frozenset({"do", "try", "branches", "before", "after", "switch", "extensions"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: Literal["added", "removed", "changed", "moved"]
    pointer: str
    """Where it is in the later document; for what was removed, where it was in the earlier one."""
    before: Json
    """The value in the earlier document, None if added; of a task that moved, its pointer there."""
    after: Json
    """The value in the later document, None if removed; of a task that moved, its pointer there."""


def diff(before: Definition, after: Definition) -> tuple[Change, ...]:
    """Give the differences, in the order of the later document; keys are in alphabetical order.

    Within a task list (and the cases of a switch) entries are matched by name. An entry that keeps its place among the
    entries that both documents have has not moved, however many were added or removed before it; what changed inside
    an entry that moved is told as well. Equal definitions give no change.
    """
    return tuple(_changes(json.loads(before.canonical), json.loads(after.canonical), "", ""))


def _changes(before: Json, after: Json, was: str, now: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _in_object(before, after, was, now)
    elif isinstance(before, list) and isinstance(after, list):
        if now.rpartition("/")[2] in _NAMED_LISTS and _are_named(before) and _are_named(after):
            yield from _in_named_list(before, after, was, now)
        else:
            yield from _in_list(before, after, was, now)
    elif type(before) is not type(after) or before != after:
        yield Change("changed", now, before, after)


def _in_object(before: dict[str, Json], after: dict[str, Json], was: str, now: str) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        step = f"/{token(key)}"
        if key not in after:
            yield Change("removed", was + step, before[key], None)
        elif key not in before:
            yield Change("added", now + step, None, after[key])
        else:
            yield from _changes(before[key], after[key], was + step, now + step)


def _in_list(before: list[Json], after: list[Json], was: str, now: str) -> Iterator[Change]:
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        yield from _changes(old, new, f"{was}/{index}", f"{now}/{index}")
    for index in range(len(after), len(before)):
        yield Change("removed", f"{was}/{index}", before[index], None)
    for index in range(len(before), len(after)):
        yield Change("added", f"{now}/{index}", None, after[index])


def _in_named_list(before: list[Json], after: list[Json], was: str, now: str) -> Iterator[Change]:
    old, new = _named(before, was), _named(after, now)
    moved = _moved(list(old), [name for name in new if name in old])
    for name, (pointer, value) in old.items():
        if name not in new:
            yield Change("removed", pointer, value, None)
    for name, (pointer, value) in new.items():
        if name not in old:
            yield Change("added", pointer, None, value)
            continue
        if name in moved:
            yield Change("moved", pointer, old[name][0], pointer)
        yield from _changes(old[name][1], value, old[name][0], pointer)


def _are_named(entries: list[Json]) -> bool:
    return all(isinstance(entry, dict) and len(entry) == 1 for entry in entries) and len(_named(entries, "")) == len(
        entries
    )


def _named(entries: list[Json], pointer: str) -> dict[str, tuple[str, Json]]:
    return {
        name: (f"{pointer}/{index}/{token(name)}", value)
        for index, entry in enumerate(entries)
        if isinstance(entry, dict)
        for name, value in entry.items()
    }


def _moved(before: list[str], after: list[str]) -> set[str]:
    """Give the fewest names whose moving explains the new order: all but a longest increasing subsequence."""
    places = {name: place for place, name in enumerate(before)}
    ends: list[int] = []
    best: list[list[str]] = []
    for name in after:
        at = bisect_left(ends, places[name])
        chain = [*(best[at - 1] if at else []), name]
        ends[at : at + 1] = [places[name]]
        best[at : at + 1] = [chain]
    return set(after) - set(best[-1] if best else [])
