"""The words of the page: English and Korean."""

from __future__ import annotations

from millwright_judgment.domain.html.words import Vocabulary

WORDS: Vocabulary = {
    "title": ("Replay report", "재실행 보고서"),
    "period": ("Judged from", "판정 기간"),
    "selected": ("Executions", "판정 기록 수"),
    "dataset": ("Data set", "데이터 세트"),
    "rows": ("Rows", "행 수"),
    "row": ("row", "행"),
    "expectation": ("What was expected", "기대한 결과"),
    "expected": ("expected", "기대"),
    "found": ("judged", "판정"),
    "expected_note": (
        "Rows: what is expected. Columns: what the target says.",
        "행: 기대한 결과, 열: 대상 버전의 판정.",
    ),
    "met": ("as expected", "기대와 일치"),
    "met_before": ("before:", "이전:"),
    "reproduced": ("Came out again as recorded", "기록대로 재현됨"),
    "baseline": ("Compared with", "비교 기준"),
    "recorded": ("what was recorded", "기록된 판정"),
    "recorded_version": ("the version each was judged with", "각 판정에 사용된 버전"),
    "changes": ("Inputs were changed", "입력 변경"),
    "target": ("Target", "대상"),
    "changed_details": ("Same outcome, other details", "결과 동일, 세부 변경"),
    "changed_rules": ("Only another rule decided", "규칙만 변경"),
    "matrix_note": ("Rows: before. Columns: after.", "행: 이전, 열: 이후."),
    "before": ("before", "이전"),
    "after": ("after", "이후"),
    "causes": ("Why", "원인"),
    "causes_note": (
        "The fewest edits that lead to the new result, those that explain most first.",
        "새 결과에 이르는 최소한의 변경이며, 설명하는 건수가 많은 순서입니다.",
    ),
    "no_causes": ("Nothing changes.", "바뀌는 판정이 없습니다."),
    "cumulative": ("together", "누적"),
    "examples": ("Examples, the nearest to a threshold first", "예시(임계값에 가까운 순서)"),
    "details": ("in detail", "자세히"),
    "edits": ("Edits", "변경 내용"),
    "flips": ("Conditions that turned", "뒤바뀐 조건"),
    "held": ("held", "충족"),
    "not_held": ("did not hold", "불충족"),
    "margin": ("margin", "여유"),
    "segments": ("Where", "구분별"),
    "segments_note": (
        "Share of changed outcomes with its 95 % interval, refused inputs left out; the upright line is that of all.",
        "거부된 입력을 뺀 판정 결과의 변경 비율과 95 % 구간입니다. 세로선은 전체 비율입니다.",
    ),
    "line": ("Line", "라인"),
    "product": ("Product", "제품"),
    "shift": ("Shift", "교대"),
    "more": ("more", "건 더 있음"),
    "others": ("others together", "그 외 합계"),
    "refused": ("refused", "거부"),
    "dry_run": (
        "A dry run: no judgment was stored and no action was taken.",
        "모의 실행입니다. 판정은 저장되지 않았고 조치도 실행되지 않았습니다.",
    ),
}
