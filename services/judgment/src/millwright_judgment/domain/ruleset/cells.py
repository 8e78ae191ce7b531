"""Input cells: from text to a condition. What cannot be analysed is refused here, never taken for "does not match".

The grammar is the part of ZEN's unary expressions whose meaning is a set of values:

    cell       = "" | "-" | either { "," either }
    either     = both { "or" both }
    both       = part { "and" part }
    part       = comparison | [ "not" ] "in" ( interval | list ) | interval | list | literal
    comparison = ( ">" | ">=" | "<" | "<=" ) number | ( "==" | "!=" ) literal
    interval   = ( "[" | "(" ) number ".." number ( "]" | ")" )
    list       = "[" literal { "," literal } "]"
    literal    = number | "text" | 'text' | "true" | "false" | "null"

`-` is any value, as in DMN; ZEN reads it as a rule that never matches, so it is exported as an empty cell. `not(…)` and
`]a..b[` are refused: ZEN lets no value through the first, and means the outside of the interval by the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from millwright_judgment.domain.ruleset.conditions import (
    ANYTHING,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Interval,
    Literal,
    Not,
    OneOf,
    Operator,
    Truth,
)
from millwright_judgment.domain.ruleset.limits import CELL_CHARACTERS, CELL_VALUES, DECIMALS, STEPS

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?\s*[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_]|\.[0-9]))
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<word>[A-Za-z_][A-Za-z_0-9.]*)
    | (?P<sign>\.\.|>=|<=|==|!=|[<>\[\](),])
    )""",
    re.VERBOSE | re.ASCII,
)
_WORDS: dict[str, Literal] = {"true": Truth(is_true=True), "false": Truth(is_true=False), "null": None}
_HINTS = {
    "&&": "Write `and`.",
    "||": "Write `or`.",
    "=": "Write `==`, or the value alone.",
    "<>": "Write `!=`.",
    "!": "Write `!=` or `not in [ … ]`.",
    "`": "Put the text in double quotes.",
    '"': "Close the quote; a text holds no backslash.",
    "'": "Close the quote; a text holds no backslash.",
    "$": "Leave `$` out: a cell speaks of its column's field.",
    "+": "A cell cannot calculate.",
    "-": "A cell cannot calculate.",
    "*": "A cell cannot calculate.",
    "/": "A cell cannot calculate.",
}


class CellFault(ValueError):
    """A cell cannot be analysed; the text says what to write instead."""


@lru_cache(maxsize=65_536)
def parse(text: str) -> Condition:
    """Read an input cell; raise CellFault for what cannot be analysed."""
    stripped = text.strip()
    if stripped in {"", "-"}:
        return ANYTHING
    if len(text) > CELL_CHARACTERS:
        message = f"Shorten the cell to at most {CELL_CHARACTERS:,} characters."
        raise CellFault(message)
    parser = _Parser(_tokens(stripped))
    condition = parser.cell()
    parser.expect_end()
    return condition


_Token = tuple[str, str]
_END: _Token = ("end", "the end")


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise CellFault(_hint(text[at:].lstrip()))
        assert found.lastgroup is not None
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _hint(rest: str) -> str:
    hint = next((hint for sign, hint in _HINTS.items() if rest.startswith(sign)), "")
    return f"It cannot be read from `{rest[:20]}` on. {hint}".strip()


class _Parser:
    """Reads a cell's tokens once, from left to right. There are no parentheses, so that it never recurses."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._values = 0

    def cell(self) -> Condition:
        return self._chain(",", self._either, AnyOf)

    def expect_end(self) -> None:
        if self._next() != _END:
            raise self._unexpected("a comma, `and`, `or` or the end")

    def _either(self) -> Condition:
        return self._chain("or", self._both, AnyOf)

    def _both(self) -> Condition:
        return self._chain("and", self._part, AllOf)

    def _chain(
        self,
        sign: str,
        read: Callable[[], Condition],
        combine: Callable[[tuple[Condition, ...]], Condition],
    ) -> Condition:
        parts = [read()]
        while self._take(sign):
            parts.append(read())
        if combine is AnyOf:
            parts = _gathered(parts)
        return parts[0] if len(parts) == 1 else combine(tuple(parts))

    def _part(self) -> Condition:
        if self._take("not"):
            if not self._take("in"):
                raise CellFault("Write `not in [ … ]` or `!= …`: ZEN lets nothing through `not(…)`.")
            return Not(self._range())
        if self._take("in"):
            return self._range()
        kind, text = self._next()
        if kind == "sign" and text in {"[", "("}:
            return self._range()
        if kind == "sign" and text in {"==", "!="}:
            self._at += 1
            equal = OneOf((self._literal(),))
            return equal if text == "==" else Not(equal)
        if kind == "sign" and text in set(Operator):
            self._at += 1
            return Comparison(Operator(text), self._number())
        return OneOf((self._literal(),))

    def _range(self) -> Interval | OneOf:
        kind, bracket = self._next()
        if kind != "sign" or bracket not in {"[", "("}:
            raise self._unexpected("a list such as [1, 2] or an interval such as [1..2]")
        self._at += 1
        first = self._literal()
        if self._take(".."):
            return self._interval(first, has_low=bracket == "[")
        if bracket == "(":
            message = "Write no parentheses: `and` binds closer than `or`, and a comma is an `or`."
            raise CellFault(message)
        literals = [first]
        while self._take(","):
            literals.append(self._literal())
        if not self._take("]"):
            raise self._unexpected("`]`")
        return OneOf(tuple(literals))

    def _interval(self, low: Literal, *, has_low: bool) -> Interval:
        high = self._literal()
        if not isinstance(low, Decimal) or not isinstance(high, Decimal):
            message = "An interval lies between two numbers."
            raise CellFault(message)
        has_high = self._take("]")
        if not has_high and not self._take(")"):
            raise self._unexpected("`]` or `)`")
        if low > high:
            message = f"The interval ends before it begins: swap {low} and {high}."
            raise CellFault(message)
        return Interval(low, high, has_low, has_high)

    def _literal(self) -> Literal:
        kind, text = self._next()
        self._values += 1
        if self._values > CELL_VALUES:
            message = f"Name at most {CELL_VALUES:,} values in one cell."
            raise CellFault(message)
        if kind == "number":
            return self._number()
        if kind == "text":
            self._at += 1
            return text[1:-1]
        if kind == "word" and text in _WORDS:
            self._at += 1
            return _WORDS[text]
        if kind == "word":
            message = f"`{text}` is no value: put a text in quotes. A cell knows no other field and no function."
            raise CellFault(message)
        raise self._unexpected("a value")

    def _number(self) -> Decimal:
        kind, text = self._next()
        if kind != "number":
            raise self._unexpected("a number")
        self._at += 1
        return parse_number(text)

    def _next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self, text: str) -> bool:
        kind, found = self._next()
        is_there = kind in {"sign", "word"} and found == text
        self._at += is_there
        return is_there

    def _unexpected(self, expected: str) -> CellFault:
        return CellFault(f"{expected[0].upper()}{expected[1:]} is expected where `{self._next()[1]}` stands.")


def _gathered(parts: list[Condition]) -> list[Condition]:
    """Make one list of the literals that are named one by one: a cell of a thousand values is one part."""
    literals = [literal for part in parts if isinstance(part, OneOf) for literal in part.literals]
    others: list[Condition] = [part for part in parts if not isinstance(part, OneOf)]
    return [OneOf(tuple(dict.fromkeys(literals))), *others] if literals else others


def parse_number(text: str) -> Decimal:
    """Read a decimal without an exponent; raise CellFault if it is past what doubles can tell apart."""
    number = Decimal(re.sub(r"\s", "", text))
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if abs(number) > STEPS or -exponent > DECIMALS or len(digits) > 2 * DECIMALS:
        message = f"Write a number of at most {STEPS:,} with at most {DECIMALS} decimals."
        raise CellFault(message)
    return number
