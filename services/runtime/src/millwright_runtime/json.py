"""JSON: the one type of what documents hold, what callers send and what they get, and its text. Pure."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

NESTING_LIMIT = 32
"""How many levels of objects and lists may lie in one another in what callers send and get: protobuf reads no more."""


def to_text(value: Any) -> str:
    """Give `value` as compact JSON. Half of a surrogate pair, which UTF-8 cannot hold, becomes a question mark.

    Raises ValueError for what is nested some hundred levels deep.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number past 64 bits, or half a surrogate pair: rare, and no reason to fail
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except RecursionError:
            message = "the value is nested too deep"
            raise ValueError(message) from None
        return text.encode("utf-8", "replace").decode()


def from_text(text: str | bytes) -> Any:
    """Give what JSON text holds; raise ValueError if it is none."""
    return orjson.loads(text)


def is_deeper(value: Json, levels: int) -> bool:
    """Tell whether more than `levels` objects and lists lie in one another in `value`."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not layer:
            return False
    return bool(layer)
