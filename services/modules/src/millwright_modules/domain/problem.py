"""Problems: what is wrong with a package, a plan or a build, in one shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from millwright_modules.domain import words
from millwright_modules.domain.words import Reason

_SHOWN = 200
"""How many characters of a path or a value are shown."""


class Severity(StrEnum):
    """How bad a problem is."""

    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, with its place."""

    reason: Reason
    path: str = ""
    """The file, or the JSON pointer in the manifest."""
    expected: str = ""
    found: str = ""
    line: int = 0
    """The line in the file, from 1; 0 for none."""
    severity: Severity = Severity.ERROR

    @property
    def messages(self) -> Mapping[str, str]:
        """Give what is wrong in words, by language."""
        return self._told(words.MESSAGES[self.reason])

    @property
    def hints(self) -> Mapping[str, str]:
        """Give what to do about it, by language; empty where there is nothing to say."""
        return self._told(words.HINTS[self.reason]) if self.reason in words.HINTS else {}

    def as_warning(self) -> Problem:
        """Give the same, as something that is only shown."""
        return replace(self, severity=Severity.WARNING)

    def _told(self, text: words.Text) -> Mapping[str, str]:
        shown = {"path": self.path, "expected": self.expected, "found": self.found}
        return {"en": text.en.format_map(shown), "ko": text.ko.format_map(shown)}


class Refused(Exception):
    """What was brought is refused, for at least one error."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take the problems in, in the order in which they are shown."""
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.reason} {problem.path}".strip() for problem in self.problems))


def refusal(reason: Reason, path: str = "", expected: object = "", found: object = "") -> Refused:
    """Give the refusal for one reason. What is not printable in the values is escaped, and long ones are cut."""
    return Refused([Problem(reason, shown(path), shown(str(expected)), shown(str(found)))])


def shown(text: str | bytes) -> str:
    """Give a text that came from outside as it may be printed: nothing invisible, and not too long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    visible = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return visible if len(visible) <= _SHOWN else visible[: _SHOWN - 1] + "…"
