"""From the manifest's bytes to JSON, within limits that hostile text cannot pass."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from millwright_runtime.json import Json, is_deeper

from millwright_modules.domain.problem import Problem, Refused, refusal, shown
from millwright_modules.domain.words import Reason

FILE = "module.json"
_LARGEST = 256 << 10
_DEEPEST = 16
_LONGEST_NUMBER = 20
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def read(content: bytes, file: str = FILE, largest: int = _LARGEST) -> Json:
    """Read JSON in time linear in its length; raise Refused. It may begin with a byte order mark, as of Windows."""
    if len(content) > largest:
        raise refusal(Reason.MANIFEST_TOO_LARGE, file, largest, len(content))
    repeated: list[str] = []
    try:
        value: Json = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: _object(pairs, repeated),
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise refusal(Reason.MANIFEST_TOO_DEEP, file, _DEEPEST, "more") from None
    except json.JSONDecodeError as error:
        raise Refused([Problem(Reason.MANIFEST_MALFORMED, file, "JSON", error.msg, line=error.lineno)]) from None
    except ValueError as error:  # no UTF-8, or a number that JSON does not have
        raise refusal(Reason.MANIFEST_MALFORMED, file, "JSON in UTF-8", error) from None
    if repeated:
        raise Refused(Problem(Reason.DUPLICATE_KEY, file, found=shown(key)) for key in dict.fromkeys(repeated))
    if is_deeper(value, _DEEPEST):
        raise refusal(Reason.MANIFEST_TOO_DEEP, file, _DEEPEST, "more")
    if any(_UNSTORABLE.search(text) for text in _texts(value)):
        raise refusal(Reason.MANIFEST_MALFORMED, file, "text", "NUL, or half of a surrogate pair")
    return value


def _object(pairs: list[tuple[str, Any]], repeated: list[str]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        repeated += [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        message = f"a whole number of {len(text)} digits"
        raise ValueError(message)
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        message = f"{shown(text)}, a number beyond 64 bits"
        raise ValueError(message)
    return number


def _refuse_constant(text: str) -> NoReturn:
    message = f"{text}, which JSON does not have"
    raise ValueError(message)


def _texts(value: Json) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            pending += one.values()
        elif isinstance(one, list):
            pending += one
