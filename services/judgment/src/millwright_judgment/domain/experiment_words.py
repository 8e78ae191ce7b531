"""Reports of experiments in words: English and Korean, for the people at the line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from millwright_judgment.domain.experiment_report import Warned

WARNINGS: Mapping[Warned, Mapping[str, str]] = MappingProxyType(
    {
        Warned.SAMPLE_RATIO_MISMATCH: {
            "en": "The units are not split as planned, so that the arms cannot be compared: differences and "
            "guardrails are withheld.",
            "ko": "단위가 계획대로 나뉘지 않아 비교할 수 없습니다. 차이와 가드레일 결과를 보류합니다.",
        },
        Warned.UNITS_FORGOTTEN: {
            "en": "The experiment ended more than 30 days ago: its units are forgotten, and "
            "differences and guardrails are withheld.",
            "ko": "실험이 끝난 지 30일이 지나 단위 기록이 삭제되었으므로 차이와 가드레일 결과를 보류합니다.",
        },
        Warned.SMALL_SAMPLE: {
            "en": "An arm has fewer than 100 judgments, in a canary at this step: its shares say little.",
            "ko": "판정이 100건 미만인 실험군이 있어(카나리는 현재 단계 기준) 비율의 의미가 작습니다.",
        },
        Warned.CLUSTERED_DATA: {
            "en": "Units have several judgments: intervals are widened by how alike those are, tests are not.",
            "ko": "한 단위에 여러 판정이 있습니다. 구간은 유사한 정도만큼 넓혔고, 검정은 그렇지 않습니다.",
        },
        Warned.NOTHING_TO_COMPARE: {
            "en": "The step gives everything to the arm on trial: there is no control to compare it with.",
            "ko": "이 단계에서는 모두 시험 버전으로 판정하므로 비교할 대조군이 없습니다.",
        },
        Warned.CHANGING_SHARES: {
            "en": "The shares have changed from step to step: compare the arms by their differences and guardrails, "
            "which look at this step alone, not by their totals.",
            "ko": "단계마다 비율이 달라졌습니다. 합계가 아니라 현재 단계만 보는 차이와 가드레일로 비교하십시오.",
        },
        Warned.MULTIPLE_TESTING: {
            "en": "Several outcomes are compared, as often as one looks: the intervals of the differences are widened "
            "so that all of them hold at once and at every look (Bonferroni, confidence sequences).",
            "ko": "여러 결과를 언제든 비교하므로, 모든 차이 구간이 동시에 항상 성립하도록 넓혔습니다"
            "(Bonferroni, 신뢰 수열).",
        },
    }
)

QUESTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "sign": {
            "en": "Do as many judgments go up as go down?",
            "ko": "더 심각해진 판정과 덜 심각해진 판정의 수가 같은가?",
        },
        "mcnemar-exact": {
            "en": "Do as many judgments become the most severe outcome as cease to be it?",
            "ko": "가장 심각한 결과가 된 판정과 벗어난 판정의 수가 같은가?",
        },
        "stuart-maxwell": {
            "en": "Are the outcomes as frequent with the arm as with the control?",
            "ko": "결과별 빈도가 대조군과 같은가?",
        },
    }
)
