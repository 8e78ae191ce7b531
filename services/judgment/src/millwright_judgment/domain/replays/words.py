"""What a report says in words: English and Korean."""

from __future__ import annotations

from collections.abc import Mapping

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
    "WHOLE_POPULATION": {
        "en": "All that was selected was replayed: for it the figures are exact. "
        "Intervals and tests speak of other, similar inputs.",
        "ko": "선택한 입력을 모두 재실행했으므로 수치는 정확한 값입니다. "
        "구간과 검정은 앞으로의 유사한 입력에 대한 것입니다.",
    },
    "SMALL_SAMPLE": {
        "en": "Few inputs were compared, or few changed: shares may be far off.",
        "ko": "비교하거나 결과가 변경된 입력이 적어 비율이 부정확할 수 있습니다.",
    },
    "CLUSTERED_DATA": {
        "en": "Inputs of one lot resemble one another: the interval is widened by the design effect, "
        "and the tests, which take them for independent, are too sure.",
        "ko": "같은 로트의 입력은 서로 비슷합니다. 구간은 설계 효과만큼 넓혔으며, "
        "독립을 가정하는 검정은 지나치게 낙관적입니다.",
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
