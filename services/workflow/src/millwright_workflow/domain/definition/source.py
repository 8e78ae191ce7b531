"""From text to JSON: reads YAML 1.2 or JSON within limits that hostile text cannot pass.

Owns the limits and the reading of scalars. Knows nothing of workflows.

YAML is read from its stream of events, not by PyYAML's composer and constructor, which recurse, expand nothing safely
and follow YAML 1.1. Only `true` and `false` (also `True`, `TRUE`) are booleans, and a number is a number only if it has
one reading: `on`, `012`, `0x1F`, `12:30` and `2026-01-31` are strings.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Self

import yaml
from millwright_runtime.json import Json

from millwright_workflow.domain.definition.faults import Fault, InvalidDefinition, Reason
from millwright_workflow.domain.definition.pointers import pointer

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 20_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_MAX_DIRECTIVES = 10


@dataclass
class Reading:
    """What was read, and the faults that did not keep it from being read."""

    value: Json
    faults: list[Fault]


def read(source: str) -> Reading:
    """Read YAML or JSON text.

    Raises InvalidDefinition for text that is too large, too deep, too big or malformed, in time linear in its length
    and without recursion. Duplicate keys and values that JSON cannot hold are faults of the reading.
    """
    if len(source) > MAX_BYTES or len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refusal(Reason.DEFINITION_TOO_LARGE, "Shorten the definition to at most 1 MiB.")
    if len(_DIRECTIVE.findall(source)) > _MAX_DIRECTIVES:
        # libyaml compares each directive with all earlier ones, which takes minutes for a megabyte of them.
        raise _refusal(Reason.MALFORMED_YAML, "Remove the YAML directives.")
    tree = _read_json(source) if source.lstrip()[:1] in {"{", "["} else None
    return _inspect(_read_yaml(source) if tree is None else tree)


class _Object(dict[str, Any]):
    """An object as read, with the keys that stood in it more than once."""

    repeated: tuple[str, ...] = ()


class _Unfit:
    """A scalar that JSON cannot hold."""

    def __init__(self, message: str) -> None:
        self.message = message


_TOO_LARGE_NUMBER = _Unfit("Use a number of at most 64 bits, or a string.")
_NO_NUMBER = _Unfit("Use a finite number: NaN and infinity cannot be stored.")


def _refusal(reason: Reason, message: str, at: str = "") -> InvalidDefinition:
    return InvalidDefinition([Fault(at, reason, message)])


def _too_deep() -> InvalidDefinition:
    return _refusal(Reason.DEFINITION_TOO_DEEP, f"Flatten the definition to at most {MAX_DEPTH} nested levels.")


def _too_big() -> InvalidDefinition:
    message = f"Shorten the definition to at most {MAX_NODES:,} values and 1 MiB once its aliases are written out."
    return _refusal(Reason.DEFINITION_TOO_BIG, message)


def _read_json(source: str) -> Any:
    """Read JSON; None if the text is something else, such as a YAML flow mapping."""
    try:
        return json.loads(
            source,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=lambda _: _NO_NUMBER,
        )
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError:
        return None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    read = _Object(pairs)
    if len(read) < len(pairs):
        keys = [key for key, _ in pairs]
        seen: set[str] = set()
        read.repeated = tuple(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return read


def _integer(text: str) -> Any:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        return _TOO_LARGE_NUMBER
    return int(text)


def _decimal(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else _TOO_LARGE_NUMBER


def _plain(text: str) -> Any:
    """Read an unquoted YAML scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _DECIMAL.fullmatch(text):
        return _decimal(text)
    return _NO_NUMBER if _NOT_FINITE.fullmatch(text) else text


def _read_yaml(source: str) -> Any:
    builder = _Builder()
    try:
        for event in yaml.parse(source, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _malformed(error.problem or "the text cannot be read", error.problem_mark) from None
    except (yaml.YAMLError, UnicodeError):
        raise _refusal(Reason.MALFORMED_YAML, "Remove the characters that YAML does not allow.") from None
    return builder.root


def _malformed(problem: str, mark: Any) -> InvalidDefinition:
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return _refusal(Reason.MALFORMED_YAML, f"Correct the YAML{place}: {problem}.")


@dataclass
class _Size:
    """How large a value is once its aliases are written out."""

    nodes: int = 1
    characters: int = 0
    depth: int = 0

    def add(self, part: _Size) -> None:
        self.nodes += part.nodes
        self.characters += part.characters
        self.depth = max(self.depth, part.depth + 1)


@dataclass
class _Open:
    """A collection whose end has not been seen."""

    value: list[Any]
    is_mapping: bool
    anchor: str | None
    size: _Size = field(default_factory=lambda: _Size(depth=1))


class _Builder:
    """Builds one document from YAML events, and refuses it as soon as it passes a limit."""

    def __init__(self) -> None:
        self.root: Any = None
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, _Size] | None] = {}
        self._nodes = 0
        self._characters = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the stream."""
        if getattr(event, "tag", None):
            raise _malformed("remove the tag", event.start_mark)
        match event:
            case yaml.ScalarEvent():
                value = _plain(event.value) if event.implicit[0] else event.value
                self._add(value, _Size(characters=len(event.value)), event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(_Open([], isinstance(event, yaml.MappingStartEvent), event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                value = _mapping(done.value) if done.is_mapping else done.value
                self._place(value, done.size, done.anchor)
            case yaml.AliasEvent():
                self._repeat(event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _malformed("keep one document only", event.start_mark)

    def _begin(self, collection: _Open) -> None:
        self._open.append(collection)
        self._count(_Size())
        if collection.anchor:
            self._anchors[collection.anchor] = None
        if len(self._open) > MAX_DEPTH:
            raise _too_deep()

    def _repeat(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise _malformed("the alias names nothing that is complete by then", event.start_mark)
        value, size = known
        if len(self._open) + size.depth > MAX_DEPTH:
            raise _too_deep()
        self._add(value, size, None)

    def _add(self, value: Any, size: _Size, anchor: str | None) -> None:
        self._count(size)
        self._place(value, size, anchor)

    def _count(self, size: _Size) -> None:
        self._nodes += size.nodes
        self._characters += size.characters
        if self._nodes > 2 * MAX_NODES or self._characters > MAX_BYTES:
            raise _too_big()

    def _place(self, value: Any, size: _Size, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self.root = value
            return
        self._open[-1].value.append(value)
        self._open[-1].size.add(size)


def _mapping(flat: list[Any]) -> _Object:
    keys, values = flat[::2], flat[1::2]
    strings = [key if isinstance(key, str) else _Key(key) for key in keys]
    return _object(list(zip(strings, values, strict=True)))


class _Key(str):
    """A key that is no string, in a form that can be shown."""

    __slots__ = ()

    def __new__(cls, key: Any) -> Self:
        shown = json.dumps(key) if key is None or isinstance(key, bool | int | float) else "?"
        return super().__new__(cls, shown)


def _inspect(root: Any) -> Reading:
    """Count the nodes, and turn the tree into plain JSON, with a fault for each thing that JSON cannot hold."""
    faults: list[Fault] = []
    nodes = 0

    def plain(value: Any, path: tuple[str | int, ...]) -> Any:
        nonlocal nodes
        nodes += 1
        if nodes > MAX_NODES:
            raise _too_big()
        if isinstance(value, dict | list) and len(path) >= MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, _Object):
            faults.extend(_key_faults(value, path))
            return {_storable(key): plain(part, (*path, _storable(key))) for key, part in value.items()}
        if isinstance(value, list):
            return [plain(part, (*path, index)) for index, part in enumerate(value)]
        if isinstance(value, _Unfit):
            faults.append(Fault(pointer(path), Reason.INVALID_VALUE, value.message))
            return 0
        if isinstance(value, str) and _UNSTORABLE.search(value):
            faults.append(Fault(pointer(path), Reason.INVALID_VALUE, _UNSTORABLE_MESSAGE))
            return _storable(value)
        return value

    return Reading(plain(root, ()), faults)


_UNSTORABLE_MESSAGE = "Remove the NUL characters and the halves of surrogate pairs."


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("?", text)


def _key_faults(value: _Object, path: tuple[str | int, ...]) -> list[Fault]:
    at = pointer(path)
    faults = [
        Fault(pointer((*path, _storable(key))), Reason.DUPLICATE_KEY, f"Keep only one of the keys '{_storable(key)}'.")
        for key in dict.fromkeys(value.repeated)
    ]
    for key in value:
        if isinstance(key, _Key):
            faults.append(Fault(at, Reason.WRONG_TYPE, f"Quote the key {key}: keys are strings."))
        if _UNSTORABLE.search(key):
            faults.append(Fault(at, Reason.INVALID_VALUE, _UNSTORABLE_MESSAGE))
    return faults
