"""From text to JSON, within limits that hostile text cannot pass."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from millwright_runtime.json import Json, is_deeper

from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.ruleset.limits import DOCUMENT_BYTES, DOCUMENT_DEPTH

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """What was read; None if it could not be read at all."""

    value: Json
    findings: tuple[Finding, ...]


def read(text: str) -> Source:
    """Read JSON text in time linear in its length.

    Text that is too large, too deep or no JSON is one finding and no value. Duplicate keys are findings of what was
    read: the last one counts.
    """
    if len(text) > DOCUMENT_BYTES or len(text.encode("utf-8", "surrogatepass")) > DOCUMENT_BYTES:
        return _refused(Code.DOCUMENT_TOO_LARGE, "Shorten the document to at most 1 MiB.")
    repeated: list[str] = []
    try:
        value = json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, repeated),
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_decimal,
        )
    except RecursionError:
        return _too_deep()
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return _refused(Code.MALFORMED_JSON, f"Correct the JSON at {place}: {error.msg}.")
    except ValueError as error:
        return _refused(Code.MALFORMED_JSON, str(error))
    if is_deeper(value, DOCUMENT_DEPTH):
        return _too_deep()
    if any(_UNSTORABLE.search(text) for text in _texts(value)):
        return _refused(Code.MALFORMED_JSON, "Remove what cannot be stored: NUL, halves of surrogate pairs.")
    return Source(value, tuple(_repeated(key) for key in dict.fromkeys(repeated)))


def _object(pairs: list[tuple[str, Any]], repeated: list[str]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        seen: set[str] = set()
        repeated += [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    return read


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        message = f"Write a number of at most 64 bits instead of {text[:30]}."
        raise ValueError(message)
    return int(text)


def _decimal(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        message = f"Write a finite number instead of {text[:30]}."
        raise ValueError(message)
    return number


def _too_deep() -> Source:
    return _refused(Code.DOCUMENT_TOO_DEEP, f"Flatten the document to at most {DOCUMENT_DEPTH} nested levels.")


def _refused(code: Code, message: str) -> Source:
    return Source(None, (Finding(code, "", message),))


def _repeated(key: str) -> Finding:
    return Finding(Code.DUPLICATE_KEY, "", f"The key '{key[:100]}' stands twice in one object: remove one.")
