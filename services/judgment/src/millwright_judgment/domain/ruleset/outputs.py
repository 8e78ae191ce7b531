"""Output cells: a literal, or the name of an input field whose value is passed on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from millwright_runtime.json import Json, is_deeper

from millwright_judgment.domain.ruleset.cells import CellFault, parse_number
from millwright_judgment.domain.ruleset.limits import CELL_CHARACTERS

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_TEXT = re.compile(r"\"[^\"\\]*\"|'[^'\\]*'")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*", re.ASCII)
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the cell spells out, kept as JSON so that it can be compared and cannot be changed."""

    json: str
    number: Decimal | None = None
    """The value, if it is a number."""

    @property
    def value(self) -> Json:
        """Give the value."""
        value: Json = orjson.loads(self.json)
        return value


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of an input field."""

    field: str


Output = Constant | Reference


def constant(value: Json) -> Constant:
    """Give a value as a cell would spell it out."""
    number = Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return Constant(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")), number)


def parse(text: str) -> Output | None:
    """Read an output cell; None for an empty one, which puts out nothing. Raises CellFault for what is no literal."""
    stripped = text.strip()
    if len(text) > CELL_CHARACTERS:
        message = f"Shorten the cell to at most {CELL_CHARACTERS:,} characters."
        raise CellFault(message)
    if not stripped:
        return None
    if _NUMBER.fullmatch(stripped):
        number = parse_number(stripped)
        return constant(int(number) if number == number.to_integral_value() else float(number))
    if _TEXT.fullmatch(stripped):
        return constant(stripped[1:-1])
    if stripped in _WORDS:
        return constant(_WORDS[stripped])
    if _NAME.fullmatch(stripped):
        return Reference(stripped)
    if stripped[0] in "[{":
        return constant(_structure(stripped))
    message = "Write a number, a text in quotes, true, false, null, JSON, or the name of an input field."
    raise CellFault(message)


def _structure(text: str) -> Json:
    try:
        value: Any = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        message = "Write valid JSON: a cell calculates nothing."
        raise CellFault(message) from None
    if is_deeper(value, _DEPTH):
        message = f"Nest at most {_DEPTH} levels in a cell."
        raise CellFault(message)
    return value  # type: ignore[no-any-return]


def _refuse(text: str) -> None:
    raise ValueError(text)
