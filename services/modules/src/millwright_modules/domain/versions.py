"""Versions and ranges of versions, as in Semantic Versioning 2.0 and as npm writes ranges.

A range is alternatives joined by `||`; an alternative is comparators that all hold: `1.2.3`, `=1.2.3`, `>1.2`, `>=1.2`,
`<2`, `<=2`, `^1.2.3` (up to the next change of the leftmost number that is not 0), `~1.2.3` (up to the next minor),
`1.2.x`, `1.2`, `*`. A pre-release is in a range only if a comparator names a pre-release of the same three numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import total_ordering

_NUMBER = r"(0|[1-9][0-9]{0,8})"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?")
_PART = rf"(?:{_NUMBER}|[xX*])"
_COMPARATOR = re.compile(
    rf"(\^|~|>=|<=|>|<|=)? *{_PART}(?:\.{_PART}(?:\.{_PART}(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?)?)?"
)
_LONGEST = 64
_LONGEST_RANGE = 256


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version; what is built of one (`+…`) does not count."""

    numbers: tuple[int, int, int]
    prerelease: tuple[str, ...] = ()

    @staticmethod
    def parse(text: str) -> Version:
        """Read a version such as `1.2.0-rc.1`; raise ValueError."""
        match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
        prerelease = tuple(match[4].split(".")) if match and match[4] else ()
        if match is None or any(part.isdigit() and part != str(int(part)) for part in prerelease):
            message = f"{text[:_LONGEST]!r} is no version such as 1.2.0"
            raise ValueError(message)
        return Version((int(match[1]), int(match[2]), int(match[3])), prerelease)

    def __str__(self) -> str:
        """Write the version down."""
        numbers = ".".join(map(str, self.numbers))
        return f"{numbers}-{'.'.join(self.prerelease)}" if self.prerelease else numbers

    def __eq__(self, other: object) -> bool:
        """Tell whether both come at one place in the order."""
        return isinstance(other, Version) and self._place == other._place

    def __hash__(self) -> int:
        """Hash what equality compares."""
        return hash(self._place)

    def __lt__(self, other: Version) -> bool:
        """Tell whether it comes before the other (Semantic Versioning 2.0, 11)."""
        return self._place < other._place

    @property
    def _place(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.prerelease)
        return self.numbers, not self.prerelease, parts


@dataclass(frozen=True, slots=True)
class _Bound:
    operator: str
    version: Version

    def holds(self, version: Version) -> bool:
        match self.operator:
            case ">=":
                return version >= self.version
            case ">":
                return version > self.version
            case "<":
                return version < self.version
            case "<=":
                return version <= self.version
            case _:
                return version == self.version


@dataclass(frozen=True, slots=True)
class Range:
    """Which versions will do."""

    text: str
    alternatives: Sequence[Sequence[_Bound]]

    @staticmethod
    def parse(text: str) -> Range:
        """Read a range such as `^1.2 || >=3 <4`; raise ValueError."""
        if len(text) > _LONGEST_RANGE:
            message = f"a range has at most {_LONGEST_RANGE} characters"
            raise ValueError(message)
        return Range(text, tuple(_alternative(part.strip()) for part in text.split("||")))

    def __contains__(self, version: Version) -> bool:
        """Tell whether a version will do."""
        return any(_is_within(bounds, version) for bounds in self.alternatives)


def _is_within(bounds: Sequence[_Bound], version: Version) -> bool:
    named = (bound.version for bound in bounds if bound.version.prerelease)
    if version.prerelease and all(bound.numbers != version.numbers for bound in named):
        return False
    return all(bound.holds(version) for bound in bounds)


def _alternative(text: str) -> tuple[_Bound, ...]:
    bounds: list[_Bound] = []
    at = 0
    while at < len(text) or not text:
        match = _COMPARATOR.match(text, at)
        if match is None or (at and text[at - 1] != " "):
            message = f"{text[:_LONGEST]!r} is no range such as ^1.2.0"
            raise ValueError(message)
        bounds += _bounds(match)
        at = match.end()
        while at < len(text) and text[at] == " ":
            at += 1
    return tuple(bounds)


def _bounds(match: re.Match[str]) -> list[_Bound]:
    operator = match[1] or ""
    given = []
    for part in match.group(2, 3, 4):
        if part is None:
            break
        given.append(int(part))
    if len(given) == 3:
        text = ".".join(map(str, given))
        version = Version.parse(f"{text}-{match[5]}" if match[5] else text)
        if operator in {"", "=", ">", ">=", "<", "<="}:
            return [_Bound(operator or "=", version)]
        return [_Bound(">=", version), _Bound("<", _after(given, _changed(operator, given)))]
    lowest = Version((*given, *[0] * (3 - len(given))))  # type: ignore[arg-type]
    if not given:
        return [_Bound("<", lowest)] if operator in {"<", ">"} else [_Bound(">=", lowest)]
    next_version = _after(given, _changed(operator, given) if operator in {"^", "~"} else len(given) - 1)
    match operator:
        case ">":
            return [_Bound(">=", next_version)]
        case "<=":
            return [_Bound("<", next_version)]
        case ">=" | "<":
            return [_Bound(operator, lowest)]
        case _:
            return [_Bound(">=", lowest), _Bound("<", next_version)]


def _changed(operator: str, given: Sequence[int]) -> int:
    """Give which number is the first that may not change."""
    if operator == "~":
        return min(1, len(given) - 1)
    return next((place for place, number in enumerate(given) if number), len(given) - 1)


def _after(given: Sequence[int], place: int) -> Version:
    """Give the lowest version past all that share the numbers up to `place`, also past its pre-releases."""
    numbers = [*given[:place], given[place] + 1, 0, 0][:3]
    return Version((numbers[0], numbers[1], numbers[2]), ("0",))
