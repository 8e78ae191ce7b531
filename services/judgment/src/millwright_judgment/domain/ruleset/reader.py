"""A reader of JSON that takes what is sound and notes all else.

Every method gives the value as asked for, or None after it has noted what is wrong and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from millwright_judgment.domain.findings import Code, Finding, pointer

LANGUAGES = ("en", "ko")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}

Steps = tuple[str | int, ...]


class Reader:
    """Notes findings while a document is read."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def note(self, code: Code, at: Steps, message: str, *, table: str = "", rule: str = "", field: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(code, pointer(at), message, table=table, rule=rule, field=field))

    def object(
        self, value: Any, at: Steps, keys: Sequence[str] = (), *, required: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Give an object; an empty one if it is none. With `keys`, others are noted."""
        if not isinstance(value, dict):
            self._wrong(value, at, "an object")
            return {}
        for key in required:
            if value.get(key) is None:
                self.note(Code.MISSING_KEY, at, f"Add the key '{key}', which is required here.")
        for key in value:
            if keys and key not in keys:
                self.note(Code.UNKNOWN_KEY, (*at, key), f"Remove the key '{key}' or correct it: {', '.join(keys)}.")
        return value

    def list(self, value: Any, at: Steps, limit: int) -> Iterator[tuple[Steps, Any]]:
        """Give the items of a list with their places; none if it is no list or too long."""
        if not isinstance(value, list):
            self._wrong(value, at, "a list")
            return
        if len(value) > limit:
            self.note(Code.TOO_MANY, at, f"Keep at most {limit:,} items here; there are {len(value):,}.")
            return
        for index, item in enumerate(value):
            yield (*at, index), item

    def text(self, value: Any, at: Steps, limit: int = 200) -> str | None:
        """Give a text of at most `limit` characters."""
        if not isinstance(value, str):
            self._wrong(value, at, "a text")
            return None
        if len(value) > limit:
            self.note(Code.INVALID_VALUE, at, f"Write at most {limit:,} characters here.")
            return None
        return value

    def matching(self, value: Any, at: Steps, form: re.Pattern[str], hint: str) -> str | None:
        """Give a text of a form."""
        text = self.text(value, at)
        if text is not None and not form.fullmatch(text):
            self.note(Code.INVALID_VALUE, at, hint)
            return None
        return text

    def number(self, value: Any, at: Steps) -> Decimal | None:
        """Give a number, as the decimal it was written as."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._wrong(value, at, "a number")
            return None
        return Decimal(str(value))

    def choice(self, value: Any, at: Steps, choices: Sequence[str]) -> str | None:
        """Give one of some texts."""
        if not isinstance(value, str) or value not in choices:
            self.note(Code.INVALID_VALUE, at, f"Write one of {', '.join(choices)} here.")
            return None
        return value

    def texts_by_language(self, value: Any, at: Steps, limit: int = 200) -> dict[str, str]:
        """Give texts by language."""
        if value is None:
            return {}
        read = self.object(value, at, LANGUAGES)
        texts = {
            language: self.text(read[language], (*at, language), limit) for language in LANGUAGES if language in read
        }
        return {language: text for language, text in texts.items() if text}

    def _wrong(self, value: Any, at: Steps, expected: str) -> None:
        found = _KINDS.get(type(value), "nothing")
        self.note(Code.WRONG_TYPE, at, f"Write {expected} here, not {found}.")
