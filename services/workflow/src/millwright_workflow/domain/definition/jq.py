"""The words of a jq program. Owns the splitting of jq text into tokens, as jq's own lexer does it; parses nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

Kind: TypeAlias = Literal[
    "word", "key", "field", "variable", "format", "number", "operator", "quote", "text", "unclear"
]

_NAME = r"(?:[A-Za-z_][A-Za-z_0-9]*::)*[A-Za-z_][A-Za-z_0-9]*"
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>\#[^\n]*)
    | (?P<quote>")
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    | (?P<field>\.[A-Za-z_][A-Za-z_0-9]*)
    | (?P<format>@[A-Za-z0-9_]+)
    | (?P<variable>\${_NAME})
    | (?P<word>{_NAME})
    | (?P<operator>\?//|//=|\.\.|==|!=|<=|>=|\|=|\+=|-=|\*=|/=|%=|//|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_STRING = re.compile(r'(?P<quote>")|(?P<operator>\\\()|(?P<text>(?:[^"\\]|\\[^(])+|\\)', re.DOTALL)
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\(": ")", "if": "end", '"': '"'}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a program.

    A string comes as quote, text and quote; a program inside it stands between the operators `\\(` and `)`. `key` is a
    bare name in the place of an object's key. `unclear` is a comment that versions of jq end at different places.
    """

    kind: Kind
    text: str


def tokens(program: str) -> Iterator[Token]:
    """Split a program into tokens, leaving out spaces and comments. Linear in its length; never raises."""
    unclosed: list[str] = []
    previous = Token("operator", "")
    at = 0
    while at < len(program):
        pattern = _IN_STRING if unclosed and unclosed[-1] == '"' else _TOKEN
        match = cast("re.Match[str]", pattern.match(program, at))
        at = match.end()
        token = _token(match, previous, unclosed)
        if token is None:
            continue
        _nest(token, unclosed)
        yield token
        previous = token


def _token(match: re.Match[str], previous: Token, unclosed: list[str]) -> Token | None:
    kind, text = cast("str", match.lastgroup), match[0]
    if kind == "space":
        return None
    if kind == "comment":
        return Token("unclear", text) if "\\" in text or "\r" in text else None
    if kind == "word" and previous == Token("operator", "$"):
        return Token("variable", f"${text}")
    if kind == "word" and unclosed[-1:] == ["{"] and previous.kind == "operator" and previous.text in {"{", ","}:
        return Token("key", text)
    return Token(cast("Kind", kind), text)


def _nest(token: Token, unclosed: list[str]) -> None:
    """Keep account of what is open: brackets, strings, and `if … end`, inside of which a comma begins no key."""
    if token.kind not in {"operator", "quote", "word"}:
        return
    if unclosed and _CLOSING[unclosed[-1]] == token.text:
        unclosed.pop()
    elif token.text in _CLOSING:
        unclosed.append(token.text)
