"""The task lists of a document as it was read, before any model has accepted it.

Owns where task lists stand in JSON, so that one broken task does not hide what is wrong with the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.pointers import token

_LISTS_IN_TASK = (
    ("do",),
    ("fork", "branches"),
    ("try",),
    ("catch", "do"),
    ("foreach", "do"),
)
_LIST_IN_ASYNCAPI = ("with", "subscription", "foreach", "do")


@dataclass(frozen=True, slots=True)
class RawTask:
    """A task as it was read."""

    pointer: str
    name: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawList:
    """A task list as it was read; items that hold no tasks are left out."""

    pointer: str
    tasks: tuple[RawTask, ...]
    is_sequence: bool
    """False for the branches of a fork, which do not follow one another."""


def raw_lists(root: Json) -> Iterator[RawList]:
    """Give every task list of a document, outer lists first. Passes over whatever has not the form of one."""
    yield from _list_at(root, "", ("do",))
    for name, function in _items(_descend(root, ("use", "functions"))):
        yield from _lists_in(RawTask(f"/use/functions/{token(name)}", name, function))
    extensions = _descend(root, ("use", "extensions"))
    for index, entry in enumerate(extensions if isinstance(extensions, list) else ()):
        for name, extension in _items(entry):
            for key in ("before", "after"):
                yield from _list_at(extension, f"/use/extensions/{index}/{token(name)}", (key,))


def raw_tasks(root: Json) -> Iterator[RawTask]:
    """Give every task of a document."""
    for name, function in _items(_descend(root, ("use", "functions"))):
        yield RawTask(f"/use/functions/{token(name)}", name, function)
    for tasks in raw_lists(root):
        yield from tasks.tasks


def _lists_in(task: RawTask) -> Iterator[RawList]:
    for keys in _LISTS_IN_TASK:
        yield from _list_at(task.body, task.pointer, keys)
    if task.body.get("call") == "asyncapi":
        yield from _list_at(task.body, task.pointer, _LIST_IN_ASYNCAPI)


def _list_at(container: Json, pointer: str, keys: tuple[str, ...]) -> Iterator[RawList]:
    entries = _descend(container, keys)
    if not isinstance(entries, list):
        return
    pointer = "/".join((pointer, *keys))
    tasks = tuple(
        RawTask(f"{pointer}/{index}/{token(name)}", name, body)
        for index, entry in enumerate(entries)
        for name, body in _items(entry)
    )
    yield RawList(pointer, tasks, is_sequence=keys != ("fork", "branches"))
    for task in tasks:
        yield from _lists_in(task)


def _items(value: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in value.items() if isinstance(value, dict) else ():
        if isinstance(part, dict):
            yield name, part


def _descend(value: Json, keys: tuple[str, ...]) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
