"""The words that pages share, English and Korean, and how numbers are written on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

LANGUAGES = ("en", "ko")

Vocabulary: TypeAlias = Mapping[str, tuple[str, str]]
"""Words by a key, in each of the languages."""

_SHARED: Vocabulary = {
    "ruleset": ("Ruleset", "룰셋"),
    "interval": ("95 % interval", "95 % 구간"),
    "of": ("of", "/"),
    "refused_of": ("refused, of", "거부, 전체"),
    "change_rate": ("get another outcome", "판정 결과가 바뀜"),
    "unchanged": ("Unchanged", "변경 없음"),
    "changed_outcomes": ("Another outcome", "다른 결과"),
    "errors": ("Input refused", "입력 거부"),
    "escalated": ("more severe", "더 심각해짐"),
    "relaxed": ("less severe", "완화됨"),
    "matrix": ("From which outcome to which", "판정 결과의 이동"),
    "tests": ("Tests", "검정"),
    "p_value": ("p", "p"),
    "design_effect": ("design effect", "설계 효과"),
    "points": ("pp", "%p"),
    "warnings": ("To keep in mind", "유의 사항"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: str, own: Vocabulary) -> None:
        """Speak `en` or `ko`; `own` are the words of one kind of page."""
        self.language = language
        self._place = LANGUAGES.index(language)
        self._own = own

    def __getitem__(self, key: str) -> str:
        """Give what a key stands for."""
        return (self._own.get(key) or _SHARED[key])[self._place]

    def share(self, share: float) -> str:
        """Write a share in percent, with as many digits as it takes to see that it is not nothing."""
        percent = 100 * share
        digits = 0 if percent in (0, 100) else 1 if percent >= 1 else 2
        return f"{percent:.{digits}f} %"

    def difference(self, difference: float) -> str:
        """Write a difference of shares, in percentage points with its sign."""
        return f"{self.points(difference)} {self['points']}"

    def points(self, difference: float) -> str:
        """Write the same without its unit."""
        return f"{100 * difference:+.2f}".replace("-", "−")

    def count(self, count: int) -> str:
        """Write a count."""
        return f"{count:,}"

    def p_value(self, p_value: float) -> str:
        """Write a p-value."""
        return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
