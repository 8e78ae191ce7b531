"""What a report says in words: English and Korean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Texts = Mapping[str, str]
"""Words, by language."""

QUESTIONS: Mapping[str, Texts] = {
    "mcnemar-exact": {
        "en": "Does the most severe outcome become more or less frequent?",
        "ko": "가장 심각한 판정의 빈도가 달라집니까?",
    },
    "stuart-maxwell": {
        "en": "Are the outcomes as frequent after as before?",
        "ko": "판정 결과의 분포가 전후에 같습니까?",
    },
    "sign": {
        "en": "Do as many judgments become more severe as less severe?",
        "ko": "심각해진 판정과 완화된 판정의 수가 같습니까?",
    },
}
"""What each test asks."""
WARNINGS: Mapping[str, Texts] = {
    "INPUTS_REFUSED": {
        "en": "The target refuses many of the inputs. They count as errors: shares, segments and tests "
        "speak only of the others.",
        "ko": "대상 버전이 많은 입력을 거부합니다. 거부된 입력은 오류로 집계하며, "
        "비율·구분별 값·검정은 나머지 입력에 대한 것입니다.",
    },
    "WHOLE_POPULATION": {
        "en": "All that was selected was replayed: for it the figures are exact. "
        "Intervals and tests speak of other, similar inputs.",
        "ko": "선택한 입력을 모두 재실행했으므로 수치는 정확한 값입니다. "
        "구간과 검정은 앞으로의 유사한 입력에 대한 것입니다.",
    },
    "SMALL_SAMPLE": {
        "en": "Few inputs, or inputs of few lots, were compared, or few changed: shares may be far off.",
        "ko": "비교한 입력이나 로트, 또는 결과가 변경된 입력이 적어 비율이 부정확할 수 있습니다.",
    },
    "CLUSTERED_DATA": {
        "en": "Inputs of one lot resemble one another, and tell less than as many independent ones. Intervals are "
        "widened by the design effect and what tests find is divided by it, of segments too (Rao and Scott).",
        "ko": "같은 로트의 입력은 서로 비슷하여 독립인 입력보다 정보가 적습니다. 구분별 값을 포함하여 구간은 "
        "설계 효과만큼 넓혔고 검정 통계량은 설계 효과로 나누었습니다(Rao-Scott).",
    },
    "MULTIPLE_TESTING": {
        "en": "Many segments are looked at: their p-values are corrected for that (Benjamini-Hochberg).",
        "ko": "여러 구분을 함께 검정했으므로 p-값을 보정했습니다(Benjamini-Hochberg).",
    },
    "SELECTION": {
        "en": "Only inputs that came up under the rules of their time are here. "
        "Other rules change what comes up: a line that is stopped gives no readings.",
        "ko": "당시 규칙에서 발생한 입력만 포함됩니다. "
        "규칙이 바뀌면 발생하는 입력도 달라집니다(정지한 라인은 측정값이 없음).",
    },
}
"""What is to be kept in mind, by the warning's code."""

_DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "line": ("lines", "라인"),
    "product": ("products", "제품"),
    "shift": ("shifts", "교대"),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a report does not list one by one."""

    causes: int
    """How many causes it does list."""
    by_cause: int
    """How many executions have another."""
    by_dimension: Mapping[str, int]
    """How many have a line, product or shift that is not listed."""
    differences: int
    """How many differ, and are not kept."""

    @property
    def is_any(self) -> bool:
        """Tell whether anything is left out."""
        return bool(self.by_cause or self.by_dimension or self.differences)


def truncated(found: LeftOut) -> Texts:
    """Say what a report leaves out, and how much."""
    english, korean = [], []
    if found.by_cause:
        english.append(f"{found.by_cause:,} executions have causes past the {found.causes:,} that are listed")
        korean.append(f"목록의 원인 {found.causes:,}개 외 원인: {found.by_cause:,}건")
    for dimension, count in found.by_dimension.items():
        names = _DIMENSIONS[dimension]
        english.append(f"{count:,} are of further {names[0]} than are listed")
        korean.append(f"목록 외 {names[1]}: {count:,}건")
    if found.differences:
        english.append(f"{found.differences:,} that differ are not kept as differences")
        korean.append(f"차이 목록에 보관하지 않음: {found.differences:,}건")
    return {
        "en": f"There was too much to list: {'; '.join(english)}. Totals count all of it.",
        "ko": f"모두 나열하기에 너무 많습니다. {'; '.join(korean)}. 합계에는 모두 포함됩니다.",
    }
