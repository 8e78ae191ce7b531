"""Page tokens: a position in a listing, bound to the query that it belongs to.

A token is no authorization: it holds a position only, and row-level security decides what is read from there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from google.protobuf.message import Message

from millwright_runtime.api import calls
from millwright_runtime.errors import InvalidArgument, InvalidFields, Violation

DEFAULT_SIZE = 50
MAX_SIZE = 500
_LONGEST_TEXT = 1000
ANSWER_BYTES = 7 * 512 * 1024
"""What is listed at once: with what an answer has beside it, within the 4 MiB that gRPC's clients take by default."""

PositionT = TypeVar("PositionT")
ItemT = TypeVar("ItemT")
MessageT = TypeVar("MessageT", bound=Message)


class PageTokenMismatch(InvalidArgument):
    """The page_token is malformed or of another query. Use it with the arguments that gave it, or leave it out."""


def size(asked: int) -> int:
    """Give the page size for `page_size`: 0 means the default, too many means the maximum, negative is a fault."""
    if asked < 0:
        raise InvalidFields([Violation("page_size", "OUT_OF_RANGE", "must not be negative")])
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def cut(
    found: Sequence[ItemT],
    size: int,
    message: Callable[[ItemT], MessageT],
    position: Callable[[ItemT], Any],
    *query: object,
) -> tuple[Sequence[MessageT], str]:
    """Give messages of what was found by asking for `size + 1`, and the token for the next page; empty at the end.

    There are fewer than `size` where more would be too large for a client to read, but always one of any.
    """
    page: list[MessageT] = []
    taken = 0
    for each in map(message, found[:size]):
        taken += each.ByteSize()
        if page and taken > ANSWER_BYTES:
            break
        page.append(each)
    return page, write(position(found[len(page) - 1]), *query) if len(found) > len(page) else ""


def write(position: Any, *query: object) -> str:
    """Give the token for going on after `position` (JSON) in the listing that `query` identifies."""
    return base64.urlsafe_b64encode(orjson.dumps([_digest(query), position])).decode().rstrip("=")


def read(token: str, form: Callable[[Any], PositionT], *query: object) -> PositionT | None:
    """Give the position in `token`, None if it is empty; raise PageTokenMismatch if it is not of this `query`.

    `form` makes the position of its JSON and raises ValueError for what is none: a token may be forged.
    """
    if not token:
        return None
    try:
        digest, position = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if digest != _digest(query):
            raise PageTokenMismatch
        return form(position)
    except (ValueError, TypeError, binascii.Error):
        raise PageTokenMismatch from None


def number(position: Any) -> int:
    """Give a position that is a whole number, from 0 to what 64 bits hold."""
    if not (isinstance(position, int) and 0 <= position < 2**63):
        raise ValueError(position)
    return position


def text(position: Any) -> str:
    """Give a position that is a short text."""
    if not (isinstance(position, str) and len(position) <= _LONGEST_TEXT and "\x00" not in position):
        raise ValueError(position)
    return position


def time_and_id(position: Any) -> tuple[datetime, uuid.UUID]:
    """Give a position that is an instant and a UUID, as `of_time_and_id` writes it."""
    time, identifier = position
    return datetime.fromisoformat(time), uuid.UUID(identifier)


def of_time_and_id(time: datetime, identifier: uuid.UUID) -> list[str]:
    """Give the position of what is listed by an instant, and by a UUID where instants are equal."""
    return [time.isoformat(), str(identifier)]


def _digest(query: tuple[object, ...]) -> str:
    call = calls.current()
    return hashlib.sha256(repr((call.method, call.principal.tenant, query)).encode()).hexdigest()[:16]
