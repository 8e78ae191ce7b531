"""Sizes: how large the JSON may be that others are given, and how its bytes are counted.

Owns the one measure: as text, which is stored, and as a message, which is sent. Knows nobody who sends it.
"""

from __future__ import annotations

from millwright_runtime.json import NESTING_LIMIT, Json, is_deeper, to_text

VALUE_LIMIT_BYTES = 7 * 512 * 1024
"""3.5 MiB for what a task takes or gives: with what is sent beside it, such as the input of an instance or the saved
state of an item, it is within the 4 MiB that gRPC's clients take in one message by default."""

_MOST_BYTES_A_CHARACTER = 9
"""What a number of one digit takes: nothing else in JSON grows more as a message."""
_NUMBER_BYTES = 9
_WORD_BYTES = 2
"""What true, false and null take."""


def text_of(what: str, value: Json, limit: int) -> str:
    """Give JSON as text; raise ValueError, which calls it `what`, if it is too deep or too large to be given to others.

    It is too large if it has more than `limit` bytes as text or as a `google.protobuf.Value`.
    """
    if is_deeper(value, NESTING_LIMIT):
        raise ValueError(f"The {what} may have at most {NESTING_LIMIT} nested levels.")
    text = to_text(value)
    if len(text) * _MOST_BYTES_A_CHARACTER > limit:  # rare: few are so large that they have to be counted
        size = len(text.encode())
        if size <= limit:
            size = value_bytes(value)
        if size > limit:
            raise ValueError(f"The {what} may have at most {limit} bytes, not {size}.")
    return text


def value_bytes(value: Json) -> int:
    """Count the bytes of JSON as a `google.protobuf.Value`.

    Follows https://protobuf.dev/programming-guides/encoding; `value` is within the nesting limit.
    """
    match value:
        case None | bool():
            return _WORD_BYTES
        case int() | float():
            return _NUMBER_BYTES
        case str():
            return _text_bytes(value)
        case list():
            if set(map(type, value)) <= {int, float}:  # as most that is long: not one by one
                return _field_bytes(len(value) * _field_bytes(_NUMBER_BYTES))
            return _field_bytes(sum(_field_bytes(value_bytes(entry)) for entry in value))
        case dict():
            return _field_bytes(sum(_field_bytes(_entry_bytes(key, entry)) for key, entry in value.items()))


def _entry_bytes(key: str, value: Json) -> int:
    return _text_bytes(key) + _field_bytes(value_bytes(value))


def _text_bytes(text: str) -> int:
    return _field_bytes(len(text.encode("utf-8", "replace")))


def _field_bytes(size: int) -> int:
    """Count the bytes of a field of so many, with its tag and its length, which takes a byte for each 7 bits."""
    return 1 + max(1, (size.bit_length() + 6) // 7) + size
