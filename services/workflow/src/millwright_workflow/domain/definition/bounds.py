"""The proof that a jq program is cheap, from its text alone.

Owns the rule by which an evaluation may run in the service's own process. A program that the rule does not cover is
not wrong: it runs in a sandbox.

How it works. Every part of a program gets a weight: how many times the size of the whole input (plus the program) its
value can at most be. `.` and each variable weigh 1, a literal its share of the program's text, `a + b`, `[a, b]` and
`{k: a}` the sum of their parts, and in `a | b` the `.` of `b` weighs what `a` does. That is what stops
`[.,.] | [.,.] | …`: each stage doubles the weight of its dot. Text that is made of JSON weighs more than the JSON (five
times: a number such as 1e15 is written out, a quote is escaped). No part may weigh more than `MAX_WEIGHT`, which bounds
memory; the weights of all parts together may not exceed `MAX_WORK`, which bounds time, as each construct allowed here
takes time linear in the values it meets. Constructs that take more are not allowed, among them `-` between two values
that may both be lists and an index that may be a list. (Sorted keys and comparisons of objects cost a logarithm more.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from millwright_workflow.domain.definition.jq import Token, tokens

MAX_WEIGHT = 64
MAX_WORK = 1_024
_MAX_NESTING = 32
_MAX_LENGTH = 16 * 1024
_WRITTEN_OUT = 5
_SPLIT = 5
_SMALL = 24
"""The longest number, boolean or empty collection, in characters."""

_CONSTANT_FUNCTIONS = frozenset({"length", "not", "tonumber", "type", "empty", "null", "true", "false"})
_SAME_SIZE_FUNCTIONS = frozenset({"keys", "ascii_downcase", "ascii_upcase"})
_ONE_ARGUMENT = frozenset({"has", "ltrimstr", "rtrimstr", "startswith", "endswith"})
_LOOSEST_FIRST = (("//",), ("or",), ("and",), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("/", "%"))
_NOTHING = Token("operator", "")


def is_bounded(expression: str) -> bool:
    """Say whether evaluation surely takes time and memory linear in the input, by the rule of this module.

    False means only that nothing was proven. Never raises.
    """
    if len(expression) > _MAX_LENGTH:
        return False
    try:
        _Weighing(expression).program()
    except _Unproven:
        return False
    return True


class _Unproven(Exception):
    """The rule does not cover the program."""


class _Weighing:
    """One pass over a program, in jq's grammar, that gives each part its weight.

    Methods take the weight of `.` and give that of what they read.
    """

    def __init__(self, expression: str) -> None:
        self._tokens = list(tokens(expression))
        self._length = max(len(expression), 1)
        self._at = 0
        self._work = 0.0
        self._nesting = 0

    def program(self) -> float:
        weight = self._pipe(1)
        self._require(self._next == _NOTHING)
        return weight

    def _pipe(self, dot: float, *, commas: bool = False) -> float:
        with self._deeper():
            weight = self._stage(dot, commas=commas)
            while self._take("|"):
                weight = self._stage(weight, commas=commas)
            return weight

    def _stage(self, dot: float, *, commas: bool) -> float:
        """Read one stage of a pipe. Where commas are allowed, a stage with several values must be the last."""
        weight = self._binary(dot, 0)
        several = False
        while commas and self._take(","):
            weight += self._binary(dot, 0)
            several = True
        self._require(not (several and self._next.text == "|"))
        return self._weigh(weight)

    def _binary(self, dot: float, level: int) -> float:
        if level == len(_LOOSEST_FIRST):
            return self._unary(dot)
        left_is_number = self._is_number
        weight = self._binary(dot, level + 1)
        while self._next.kind in {"operator", "word"} and self._next.text in _LOOSEST_FIRST[level]:
            operator = self._advance().text
            if operator == "-":
                self._require(left_is_number or self._is_number)
            weight = self._combine(operator, weight, self._binary(dot, level + 1))
        return weight

    def _combine(self, operator: str, left: float, right: float) -> float:
        both = self._weigh(left + right)
        if operator in {"+", "//"}:
            return both
        if operator == "/":
            return self._weigh(_SPLIT * left)
        return self._small()

    def _unary(self, dot: float) -> float:
        if self._take("-"):
            self._require(self._is_number)
        return self._postfix(dot)

    def _postfix(self, dot: float) -> float:
        weight = self._term(dot)
        while self._path_step():
            pass
        return self._weigh(weight)

    def _path_step(self) -> bool:
        """Read `.a`, `."a"`, `["a"]`, `[0]` or `?`, if one stands here."""
        if self._next.kind == "field":
            self._advance()
            return True
        if self._next.text == "." and self._peek.text in {'"', "["}:
            self._advance()
        if self._next.kind == "quote":
            self._literal_string()
            return True
        if self._take("["):
            self._index()
            return True
        return self._take("?")

    def _index(self) -> None:
        """Read a literal index: any other may be a list, which is searched for at a cost that is not linear."""
        if self._next.kind == "quote":
            self._literal_string()
        else:
            self._take("-")
            self._require(self._advance().kind == "number")
        self._expect("]")

    def _term(self, dot: float) -> float:
        token = self._next
        match token.kind:
            case "number":
                self._advance()
                return self._share(token.text)
            case "variable":
                self._advance()
                return 1
            case "quote":
                return self._string(dot)
            case "word":
                return self._function(dot)
            case "field":
                self._advance()
                return dot
        return self._bracket(dot)

    def _bracket(self, dot: float) -> float:
        if self._next.text == "." and self._next.kind == "operator":
            if self._peek.text in {'"', "["}:
                return dot
            self._advance()
            return dot
        if self._take("("):
            weight = self._pipe(dot)
            self._expect(")")
            return weight
        if self._take("["):
            if self._take("]"):
                return self._small()
            weight = self._pipe(dot, commas=True)
            self._expect("]")
            return weight + self._small()
        self._expect("{")
        return self._object(dot)

    def _object(self, dot: float) -> float:
        weight = self._small()
        with self._deeper():
            while not self._take("}"):
                weight += self._entry(dot)
                self._require(self._take(",") or self._next.text == "}")
        return weight

    def _entry(self, dot: float) -> float:
        """Read `a: 1`, `"a": 1`, `(.a): 1`, `$a`, or `a`, short for `a: .a`."""
        token = self._next
        if token.kind == "variable":
            self._advance()
            return self._share(token.text) + 1
        if token.kind == "quote":
            key = self._string(dot)
        elif self._take("("):
            key = self._pipe(dot)
            self._expect(")")
        else:
            self._require(self._advance().kind == "key")
            key = self._share(token.text)
        if not self._take(":"):
            return key + dot
        weight = self._unary(dot)
        while self._take("|"):
            weight = self._unary(weight)
        return key + weight

    def _function(self, dot: float) -> float:
        name = self._advance().text
        if name == "if":
            return self._condition(dot)
        if name in _CONSTANT_FUNCTIONS:
            self._weigh(dot)
            return self._small()
        if name in _SAME_SIZE_FUNCTIONS:
            return self._weigh(dot)
        if name == "tostring":
            return self._weigh(_WRITTEN_OUT * dot)
        self._require(name in _ONE_ARGUMENT)
        self._expect("(")
        self._weigh(self._pipe(dot))
        self._expect(")")
        return self._weigh(dot)

    def _condition(self, dot: float) -> float:
        weight = 0.0
        while True:
            self._pipe(dot)
            self._expect("then")
            weight += self._pipe(dot)
            if not self._take("elif"):
                break
        weight += self._pipe(dot) if self._take("else") else dot
        self._expect("end")
        return self._weigh(weight)

    def _string(self, dot: float) -> float:
        self._expect('"')
        weight = self._small()
        while not self._take('"'):
            if self._take("\\("):
                weight += _WRITTEN_OUT * self._pipe(dot)
                self._expect(")")
            else:
                token = self._advance()
                self._require(token.kind == "text")
                weight += self._share(token.text)
        return self._weigh(weight)

    def _literal_string(self) -> None:
        self._expect('"')
        if self._next.kind == "text":
            self._advance()
        self._expect('"')

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._nesting += 1
        self._require(self._nesting <= _MAX_NESTING)
        yield
        self._nesting -= 1

    def _small(self) -> float:
        return _SMALL / self._length

    def _share(self, text: str) -> float:
        return len(text) / self._length

    def _weigh(self, weight: float) -> float:
        self._work += weight
        self._require(weight <= MAX_WEIGHT and self._work <= MAX_WORK)
        return weight

    @property
    def _next(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _NOTHING

    @property
    def _is_number(self) -> bool:
        return self._next.kind == "number"

    @property
    def _peek(self) -> Token:
        return self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else _NOTHING

    def _advance(self) -> Token:
        token = self._next
        self._require(token != _NOTHING)
        self._at += 1
        return token

    def _take(self, text: str) -> bool:
        token = self._next
        if token.text != text or token.kind not in {"operator", "word", "quote"}:
            return False
        self._at += 1
        return True

    def _expect(self, text: str) -> None:
        self._require(self._take(text))

    def _require(self, proven: bool) -> None:  # noqa: FBT001 - it reads as an assertion
        if not proven:
            raise _Unproven
