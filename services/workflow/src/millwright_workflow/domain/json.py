"""JSON: the one type of what definitions hold, what tasks take and what they give, and its text."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


def to_text(value: Any) -> str:
    """Give `value` as compact JSON. Half of a surrogate pair, which UTF-8 cannot hold, becomes a question mark."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number past 64 bits, or half a surrogate pair: rare, and no reason to fail
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode()


def from_text(text: str | bytes) -> Any:
    """Give what JSON text holds; raise ValueError if it is none."""
    return orjson.loads(text)
