"""The words of the page: English and Korean."""

from __future__ import annotations

from millwright_judgment.domain.html.words import Vocabulary

WORDS: Vocabulary = {
    "title": ("Experiment report", "실험 보고서"),
    "channel": ("Channel", "채널"),
    "mode": ("Mode", "방식"),
    "AB": ("A/B", "A/B"),
    "CANARY": ("Canary", "카나리"),
    "SHADOW": ("Shadow", "섀도"),
    "state": ("State", "상태"),
    "RUNNING": ("running", "실행 중"),
    "STOPPED": ("stopped", "중단됨"),
    "ROLLED_BACK": ("rolled back", "롤백됨"),
    "PROMOTED": ("promoted", "승격됨"),
    "reason": ("Why it ended", "종료 사유"),
    "start_time": ("Began", "시작"),
    "end_time": ("Ended", "종료"),
    "report_time": ("As of", "기준 시각"),
    "enrolment": ("Take part", "참여 비율"),
    "step": ("Step", "단계"),
    "arms": ("What became of each arm", "실험군별 결과"),
    "arms_note": (
        "From the beginning. Shares are of the arm's judgments.",
        "시작부터의 합계이며, 비율은 해당 실험군의 판정 기준입니다.",
    ),
    "arm": ("Arm", "실험군"),
    "executions": ("Judgments", "판정"),
    "units": ("Units", "단위 수"),
    "version": ("version", "버전"),
    "differences": ("Beside the control", "대조군과의 차이"),
    "differences_note": (
        "How much higher each share is than the control's; the upright line is no difference.",
        "비율이 대조군보다 얼마나 높은지 나타내며, 세로선은 차이 없음입니다.",
    ),
    "always_note": (
        "All intervals hold at once with 95 %, whenever and however often they are looked at.",
        "언제 몇 번을 보더라도 모든 구간이 동시에 95 % 확률로 성립합니다.",
    ),
    "step_note": ("Of the judgments since the step began.", "현재 단계가 시작된 이후의 판정 기준입니다."),
    "HIGHER": ("higher", "높음"),
    "LOWER": ("lower", "낮음"),
    "OPEN": ("open", "판단 보류"),
    "HOLDS": ("holds", "유지"),
    "BROKEN": ("broken", "위반"),
    "pairs": ("The same inputs, judged by both", "같은 입력의 두 판정 비교"),
    "control": ("control", "대조군"),
    "matrix_note": (
        "Rows: what the control says. Columns: what the arm says.",
        "행: 대조군의 판정, 열: 실험군의 판정.",
    ),
    "guardrails": ("Guardrails", "가드레일"),
    "no_guardrails": ("None.", "없음."),
    "withheld": ("Withheld.", "보류."),
    "ERROR_RATE": ("inputs refused", "입력 거부"),
    "INDETERMINATE_RATE": ("INDETERMINATE", "판정 불가"),
    "NO_MATCH_RATE": ("without a match", "일치 규칙 없음"),
    "TOP_OUTCOME_RATE": ("most severe outcome", "가장 심각한 결과"),
    "at_most": ("at most", "최대"),
    "footer": (
        "A guardrail says that nothing is surely worse, not that something is better: an arm is promoted by a person.",
        "가드레일은 확실히 나빠진 것이 없음을 뜻할 뿐, 더 좋음을 뜻하지 않습니다. 승격은 사람이 결정합니다.",
    ),
}
