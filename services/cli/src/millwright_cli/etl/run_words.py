"""The words that only the commands about runs say, and what to do about their errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of runs, their windows, and made-up plants."""

    # Headings
    CAUSE = Phrase("Because", "실행 이유")
    CODE = Phrase("Code", "코드 버전")
    DAY = Phrase("Day", "생산일")
    FACTS = Phrase("Facts", "실적")
    KIND = Phrase("Kind", "종류")
    NAME = Phrase("Run", "실행")
    PIECES = Phrase("Pieces", "수량")
    QUARANTINED = Phrase("Set aside", "격리")
    READ = Phrase("Read", "읽음")
    MEASURED = Phrase("Measure", "지표")
    SUM = Phrase("Sum", "합계")
    DEFECT_TYPE = Phrase("Defect", "불량 유형")
    SET_ASIDE = Phrase("Set aside", "격리")
    REASON_CODE = Phrase("Reason", "사유")
    RULE = Phrase("Rule", "품질 규칙")
    SEVERITY = Phrase("Severity", "심각도")
    SPAN = Phrase("Days", "기간")
    USED = Phrase("Used", "사용")
    WHY = Phrase("Why", "이유")

    # States and kinds, by the names that the contract gives them
    STATE_PUBLISHED = Phrase("published", "반영됨")
    STATE_FAILED = Phrase("failed", "실패")
    KIND_DUE = Phrase("due", "정기")
    KIND_BACKFILL = Phrase("backfill", "소급")
    KIND_REDRIVE = Phrase("redrive", "재처리")
    KIND_ASKED = Phrase("days asked for", "지정 생산일")
    SEVERITY_INFO = Phrase("note", "참고")
    SEVERITY_WARNING = Phrase("warning", "경고")
    SEVERITY_ERROR = Phrase("error", "오류")
    SEVERITY_CRITICAL = Phrase("critical", "심각")
    CAUSE_YESTERDAY = Phrase("yesterday", "전일")
    CAUSE_MISSING = Phrase("never published", "미반영")
    CAUSE_FAILED = Phrase("failed last", "직전 실패")
    CAUSE_DIRTY = Phrase("changed since", "이후 변경")
    CAUSE_ASKED = Phrase("asked for", "지정")

    # Sentences
    COUNTED = Phrase(
        "{read} rows read: {used} used, {quarantined} set aside, {superseded} deleted",
        "{read}행 읽음: 사용 {used}, 격리 {quarantined}, 삭제 {superseded}",
    )
    WRITTEN_FACTS = Phrase(
        "{inserted} new, {updated} changed, {unchanged} unchanged, {deleted} removed",
        "신규 {inserted}, 변경 {updated}, 동일 {unchanged}, 제거 {deleted}",
    )
    NOTHING_DUE = Phrase("nothing is due that no run has already", "다른 실행이 맡지 않은 실행 대상이 없습니다")
    DAYS_DONE = Phrase("{done} of {total} days", "{total}일 중 {done}일")
    MORE_DAYS = Phrase("… {n} more days", "… {n}일 더")
    MADE_UP = Phrase(
        "{made} rows made: {inserted} new, {updated} changed, {unchanged} unchanged, {outdated} outdated",
        "{made}행 생성: 신규 {inserted}, 변경 {updated}, 동일 {unchanged}, 이전 버전 {outdated}",
    )
    MUST_COME = Phrase(
        "{facts} facts must come of them: {pieces} pieces in {orders} orders, {quarantined} reasons to set rows aside",
        "나와야 할 실적 {facts}건: 작업지시 {orders}건, 수량 {pieces}, 격리 사유 {quarantined}건",
    )
    OF_SHIFTS = Phrase("for the shifts {shifts}", "근무조 {shifts}")


class Hint(Advice):
    """What to do about an error about runs."""

    RUN_NOT_FOUND = Phrase("See the runs with `millwright etl runs`.", "`millwright etl runs`로 실행 목록을 보십시오.")


WORDS = (Term, Hint)
"""What the service of runs is connected with."""
