"""The words that only the etl service's commands say, and what to do about its errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of files, facts, and rows that were set aside."""

    # Headings
    COUNT = Phrase("Rows", "행 수")
    DATE = Phrase("Day", "생산일")
    DEFECT_TYPE = Phrase("Defect", "불량 유형")
    FIELD = Phrase("Field", "항목")
    ID = Phrase("Id", "ID")
    LINE_NUMBER = Phrase("Line", "행")
    MESSAGE = Phrase("Why", "이유")
    NOTE = Phrase("Note", "메모")
    ROW = Phrase("Row", "행")
    SOURCE = Phrase("Source", "원천")
    VALUE = Phrase("Value", "값")
    WHAT = Phrase("Code", "코드")

    # Columns to group by, and measures, by the names that the contract gives them
    DIMENSION_DATE = Phrase("Day", "생산일")
    DIMENSION_WEEK = Phrase("Week", "주")
    DIMENSION_MONTH = Phrase("Month", "월")
    DIMENSION_LINE = Phrase("Line", "라인")
    DIMENSION_PRODUCT = Phrase("Product", "품목")
    DIMENSION_SHIFT = Phrase("Shift", "근무조")
    MEASURE_TOTAL_QTY = Phrase("Total", "생산량")
    MEASURE_GOOD_QTY = Phrase("Good", "양품")
    MEASURE_DEFECT_QTY = Phrase("Defective", "불량")
    MEASURE_REWORK_QTY = Phrase("Rework", "재작업")
    MEASURE_SCRAP_QTY = Phrase("Scrap", "폐기")
    MEASURE_PLANNED_QTY = Phrase("Planned", "계획량")
    MEASURE_RUNTIME_SECONDS = Phrase("Running, s", "가동(초)")
    MEASURE_DOWNTIME_SECONDS = Phrase("Down, s", "비가동(초)")
    MEASURE_SETUP_SECONDS = Phrase("Setup, s", "준비(초)")
    MEASURE_PLANNED_SECONDS = Phrase("Planned, s", "계획(초)")
    MEASURE_WORK_ORDERS = Phrase("Orders", "작업지시")
    MEASURE_YIELD = Phrase("Yield", "수율")
    MEASURE_DEFECT_RATE = Phrase("Defect rate", "불량률")
    MEASURE_CYCLE_SECONDS = Phrase("Cycle, s", "사이클(초)")
    MEASURE_AVAILABILITY = Phrase("Availability", "시간가동률")
    MEASURE_PERFORMANCE = Phrase("Performance", "성능가동률")
    MEASURE_QUALITY = Phrase("Quality", "양품률")
    MEASURE_OEE = Phrase("OEE", "종합효율")

    # States
    STATE_OPEN = Phrase("open", "미처리")
    STATE_FIXED = Phrase("fixed", "반영됨")
    STATE_IGNORED = Phrase("left out", "제외됨")
    STATE_SUPERSEDED = Phrase("superseded", "대체됨")

    # Sentences
    LANDED = Phrase(
        "{inserted} new, {updated} changed, {unchanged} unchanged, {outdated} outdated, {refused} refused, in {took}",
        "신규 {inserted}, 변경 {updated}, 동일 {unchanged}, 이전 버전 {outdated}, 거부 {refused}, {took}",
    )
    LANDED_BEFORE = Phrase("{n} rows of these had been sent before", "이 중 {n}행은 이전에 전송됨")
    MAPPED = Phrase("row {line} becomes {record}", "{line}행 → {record}")
    MORE_REFUSED = Phrase("… {n} more", "… {n}행 더")
    REDRIVEN = Phrase("{n} rows go through again, days: {days}, run {run}", "{n}행 재처리, 생산일 {days}, 실행 {run}")
    LEFT_OUT = Phrase("{n} rows are left out for good", "{n}행을 제외함")
    WRITTEN = Phrase("written to {path}", "{path}에 저장함")
    REPORT = Phrase("Production {from_date} to {to_date}", "생산 실적 {from_date} ~ {to_date}")
    REPORT_DAY = Phrase("Production of {from_date}", "생산 실적 {from_date}")
    BY_DAY = Phrase("Pieces by day", "일별 생산량")
    BY_LINE = Phrase("OEE by line", "라인별 종합효율")
    BY_SHIFT = Phrase("Pieces by shift", "근무조별 생산량")
    DEFECTS = Phrase("Defects by type", "유형별 불량")
    NO_FACTS = Phrase("there are no facts of these days", "해당 기간의 실적이 없습니다")
    FRESH = Phrase(
        "published up to {date}; missing {missing}, failed {failed}, changed since {dirty}",
        "{date}까지 반영, 누락 {missing}, 실패 {failed}, 이후 변경 {dirty}",
    )

    # What goes wrong before anything is sent
    BAD_MAPPING = Phrase("{path} is no mapping: {cause}.", "{path}은(는) 매핑 파일이 아닙니다: {cause}.")
    OTHER_ENCODING = Phrase(
        "{path} is not in {declared}, but in {found}.", "{path}은(는) {declared}이(가) 아니라 {found} 인코딩입니다."
    )
    MAPPING_NEEDED = Phrase("A CSV file needs --mapping.", "CSV 파일에는 --mapping이 필요합니다.")
    BAD_CORRECTION = Phrase("{text} is no FIELD=VALUE.", "{text}은(는) FIELD=VALUE 형식이 아닙니다.")


class Hint(Advice):
    """What to do about an error of the etl service."""

    BAD_MAPPING = Phrase(
        "See the examples in examples/etl and docs/architecture/etl-files.md.",
        "examples/etl의 예제와 docs/architecture/etl-files.md를 보십시오.",
    )
    OTHER_ENCODING = Phrase(
        "Pass --encoding, or name it in the mapping.", "--encoding으로 지정하거나 매핑 파일에 적으십시오."
    )
    MAPPING_NEEDED = Phrase(
        "Copy one of examples/etl, and name your columns in it.", "examples/etl의 예제를 복사해 컬럼 이름을 적으십시오."
    )
    RECORD_NOT_FOUND = Phrase(
        "See what is open with `millwright etl quarantine list`.",
        "`millwright etl quarantine list`로 미처리 행을 확인하십시오.",
    )
    STREAM_TAKEN_OVER = Phrase(
        "Somebody else lands the same file at this moment; wait for them.",
        "다른 곳에서 같은 파일을 적재하고 있습니다. 끝날 때까지 기다리십시오.",
    )


WORDS = (Term, Hint)
"""What the room's services are connected with."""
