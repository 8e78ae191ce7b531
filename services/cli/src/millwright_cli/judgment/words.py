"""The words that only the judgment service's commands say, and what to do about its errors."""

from millwright_cli.judgment.trial_words import Trial
from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of rulesets, their releases, and what they judged."""

    # Headings
    ACTIONS = Phrase("Recommended", "권장 조치")
    AFTER = Phrase("After", "변경 후")
    ASKS_FOR = Phrase("Asks for", "조건")
    BEFORE = Phrase("Before", "변경 전")
    CHANGE = Phrase("Change", "변경")
    CHANNEL = Phrase("Channel", "채널")
    CONDITIONS = Phrase("Conditions (margin)", "조건 (여유)")
    CONFIDENCE = Phrase("confidence", "신뢰도")
    CONTENT = Phrase("Content", "내용 해시")
    DRAFT = Phrase("Draft", "초안")
    ETAG = Phrase("Etag", "Etag")
    EXAMPLE = Phrase("Example", "예시")
    EXAMPLES = Phrase("Examples", "예제")
    EXECUTION = Phrase("Execution", "판정 기록")
    EXECUTIONS = Phrase("Executions", "판정 건수")
    EXPERIMENT = Phrase("Experiment", "실험")
    FIELD = Phrase("Field", "항목")
    FINDING = Phrase("Finding", "발견 사항")
    FROM = Phrase("From", "이전 결과")
    FROZEN = Phrase("Frozen until", "동결 기한")
    HAPPENED = Phrase("Happened", "발생")
    INSTEAD = Phrase("Instead", "바뀐 값")
    JUDGED = Phrase("Judged", "판정 시각")
    JUDGED_WITH = Phrase("Judged with", "판정 버전")
    LATEST = Phrase("Latest", "최신 버전")
    MATCHED = Phrase("Matched", "일치한 규칙")
    MISSED_BY = Phrase("Missed by", "차이")
    MOVE = Phrase("Version", "버전 이동")
    OPERATION = Phrase("Operation", "작업")
    OUTCOME = Phrase("Outcome", "결과")
    PLANNED = Phrase("Planned", "예정")
    PROBLEMS = Phrase("Problems", "문제")
    REVISION = Phrase("Revision", "리비전")
    RULE = Phrase("Rule", "규칙")
    RULESET = Phrase("Ruleset", "룰셋")
    SEGMENT = Phrase("Made", "생산")
    SEMVER = Phrase("Semver", "문서 버전")
    SHARE = Phrase("Share", "비율")
    STEPS = Phrase("Steps", "단계 수")
    TABLE = Phrase("Table", "표")
    TO = Phrase("To", "이후 결과")
    VALUE = Phrase("Value", "값")
    WHY = Phrase("Why", "이유")

    # States, operations and kinds, by the names that the contract gives them
    STATE_DRAFT = Phrase("draft", "초안")
    STATE_VALIDATED = Phrase("validated", "검증됨")
    STATE_PUBLISHED = Phrase("published", "게시됨")
    STATE_RETIRED = Phrase("retired", "폐기됨")
    OPERATION_PUBLISH = Phrase("publish", "게시")
    OPERATION_PROMOTE = Phrase("promote", "승격")
    OPERATION_ROLLBACK = Phrase("rollback", "롤백")
    OPERATION_MARK_BAD = Phrase("mark bad", "불량 표시")
    OPERATION_MARK_GOOD = Phrase("mark good", "정상 표시")
    OPERATION_RETIRE = Phrase("retire", "폐기")
    OPERATION_PLAN = Phrase("plan", "승격 예정")
    OPERATION_UNPLAN = Phrase("unplan", "예정 취소")
    OPERATION_EXPERIMENT_START = Phrase("experiment start", "실험 시작")
    OPERATION_EXPERIMENT_STEP = Phrase("experiment step", "실험 확대")
    OPERATION_EXPERIMENT_STOP = Phrase("experiment stop", "실험 중단")
    EDIT_CONDITION_TIGHTENED = Phrase("condition tightened", "조건 강화")
    EDIT_CONDITION_LOOSENED = Phrase("condition loosened", "조건 완화")
    EDIT_CONDITION_SHIFTED = Phrase("condition shifted", "조건 이동")
    EDIT_OUTPUT_CHANGED = Phrase("output changed", "출력 변경")
    EDIT_RULE_ADDED = Phrase("rule added", "규칙 추가")
    EDIT_RULE_REMOVED = Phrase("rule removed", "규칙 삭제")
    EDIT_ORDER_CHANGED = Phrase("order changed", "순서 변경")
    EDIT_SCHEMA_CHANGED = Phrase("input schema changed", "입력 스키마 변경")
    EDIT_TABLE_CHANGED = Phrase("table changed", "표 변경")
    EDIT_SETTING_CHANGED = Phrase("setting changed", "설정 변경")
    STATUS_DECIDED = Phrase("decided", "판정됨")
    STATUS_INDETERMINATE = Phrase("INDETERMINATE", "판정 불가")
    STATUS_NO_MATCH = Phrase("NO_MATCH", "일치 규칙 없음")
    SEVERITY_ERROR = Phrase("blocks", "게시 불가")
    SEVERITY_WARNING = Phrase("warning", "경고")

    # Sentences
    PUBLISHED = Phrase(
        "{ruleset} {semver}: published as version {version}, in {took}",
        "{ruleset} {semver}: 버전 {version} 게시, {took}",
    )
    PUBLISHED_BEFORE = Phrase(
        "{ruleset} {semver}: the same content exists as version {version}, in {took}",
        "{ruleset} {semver}: 같은 내용이 버전 {version}에 있음, {took}",
    )
    GATE_PASSED = Phrase("it passes the gate", "게시 관문 통과")
    GATE_BLOCKED = Phrase("it does not pass the gate: findings that block: {n}", "게시 관문 불합격: 게시 불가 {n}건")
    EXAMPLES_HELD = Phrase("{passed} of {total} give what they say", "{total}개 중 {passed}개 일치")
    GATE_REPLAYED = Phrase(
        "{n} judgments judged again, compared with version {version}: {outcomes} change their outcome, {details} "
        "something else",
        "판정 {n}건 재판정, 버전 {version} 대비 결과 변경 {outcomes}건, 기타 변경 {details}건",
    )
    GATE_REFUSED = Phrase("{n} inputs would be refused", "입력 {n}건 거부")
    NOT_REPRODUCED = Phrase(
        "{n} did not come out as recorded, and were not compared", "기록대로 재현되지 않아 비교에서 제외: {n}건"
    )
    IMPORTED = Phrase("look at this before you publish it:", "게시 전에 확인할 사항:")
    DRAFT_SAVED = Phrase("{draft} is saved, in {took}: etag {etag}", "{draft} 저장, {took}: etag {etag}")
    DRAFT_REMOVED = Phrase("{draft} is removed", "{draft} 삭제됨")
    MOVED = Phrase(
        "{channel}: {before} → {after}, revision {revision}, in {took}",
        "{channel}: {before} → {after}, 리비전 {revision}, {took}",
    )
    PLANNED_FOR = Phrase(
        "{channel}: version {version} from {time}, revision {revision}",
        "{channel}: {time}부터 버전 {version}, 리비전 {revision}",
    )
    POINTS = Phrase(
        "{channel} is on version {version}, revision {revision}", "{channel}: 버전 {version}, 리비전 {revision}"
    )
    UNMOVED = Phrase(
        "{channel}: on version {version} already, nothing changed", "{channel}: 이미 버전 {version}, 변경 없음"
    )
    LEFT_BAD = Phrase("version {version} is marked bad", "버전 {version} 불량 표시")
    FREEZE = Phrase("automatic promotions are refused until {time}", "{time}까지 자동 승격 거부")
    MARKED = Phrase("version {version} is {state}, in {took}", "버전 {version}: {state}, {took}")
    MARKED_BEFORE = Phrase(
        "version {version} is {state} already, nothing changed", "버전 {version}: 이미 {state}, 변경 없음"
    )
    BY_RULE = Phrase("by rule {rule}", "규칙 {rule}")
    BY_DEFAULT = Phrase("by default", "기본값")
    ON_VERSION = Phrase("version {version}", "버전 {version}")
    RULES = Phrase("What each rule said", "규칙별 결과")
    NEAR_MISSES = Phrase("What missed by one condition", "조건 하나로 어긋난 규칙")
    COUNTERFACTUALS = Phrase("What would change it", "결과가 바뀌는 값")
    WON = Phrase("decided", "결정")
    NOT_AGAIN = Phrase(
        "As recorded: judging its input again does not give this, so that nothing explains it.",
        "기록된 그대로입니다. 입력을 다시 판정해도 이 결과가 나오지 않아 설명할 수 없습니다.",
    )
    RULE_MATCHED = Phrase("matched", "일치")
    RULE_MISSED = Phrase("did not match", "불일치")
    FILE_JUDGED = Phrase(
        "{judged} judged, {refused} refused, in {took}, {rate}/s: run {run}",
        "판정 {judged}건, 거부 {refused}건, {took}, 초당 {rate}건: 실행 {run}",
    )
    FILE_REPLAYED = Phrase("{n} had been judged in this run before", "이 실행에서 이미 판정됨: {n}건")
    ROW = Phrase("row {n}", "{n}행")
    MORE_REFUSED = Phrase(
        "… {n} more were refused: --results writes them all", "… 거부 {n}건 더: --results로 모두 기록"
    )
    GO_ON_WITH = Phrase(
        "what was judged is kept; go on with --run {run}", "판정된 것은 남습니다. 이어서 하기: --run {run}"
    )
    SAME = Phrase("{before} and {after} judge alike", "{before}, {after}: 차이 없음")

    # What goes wrong before anything is sent
    BAD_ASSIGNMENT = Phrase("{text!r} is no FIELD=VALUE.", "{text!r}은(는) FIELD=VALUE 형식이 아닙니다.")
    BAD_CSV = Phrase("The file is no CSV: {cause} (line {line}).", "파일이 CSV가 아닙니다: {cause} ({line}행).")
    BAD_LINE = Phrase(
        "it is no JSON object of numbers, texts, true, false and null",
        "숫자, 텍스트, true, false, null로 된 JSON 객체가 아닙니다",
    )
    BAD_ROW_LENGTH = Phrase("it has {n} cells, the header has {expected}", "칸 {n}개, 머리글은 {expected}개")
    BAD_TIME = Phrase("_time: {text!r} is no time such as 2026-07-01T08:00", "_time: {text!r}은(는) 시각이 아닙니다")
    FILE_ALONE = Phrase(
        "--file takes neither FIELD=VALUE nor --input, --explain or --dry-run.",
        "--file은 FIELD=VALUE, --input, --explain, --dry-run과 함께 쓸 수 없습니다.",
    )
    NO_OBJECT = Phrase("The input is no JSON object.", "입력이 JSON 객체가 아닙니다.")
    NO_SCALAR = Phrase(
        "{field} is a list or an object: a field holds a number, a text, true or false.",
        "{field}: 목록이나 객체입니다. 항목 값은 숫자, 텍스트, true, false입니다.",
    )
    TWO_TARGETS = Phrase("--channel and --version exclude each other.", "--channel과 --version은 함께 쓸 수 없습니다.")
    UNKNOWN_COLUMN = Phrase("No field of the ruleset: {columns}.", "룰셋에 없는 항목: {columns}.")
    VERSION_ALONE = Phrase("--version needs the ruleset's NAME.", "--version에는 룰셋 NAME이 필요합니다.")


class Hint(Advice):
    """What to do about an error of the judgment service."""

    CHANNEL_FROZEN = Phrase("Wait until then, or promote by hand.", "동결 기한까지 기다리거나 직접 승격하십시오.")
    CHANNEL_NOT_FOUND = Phrase(
        "See the channels with `millwright ruleset get NAME`; a channel is made by its first promotion.",
        "`millwright ruleset get NAME`으로 채널을 확인하십시오. 채널은 처음 승격할 때 생깁니다.",
    )
    DRAFT_NOT_FOUND = Phrase(
        "See the drafts with `millwright ruleset draft list`.", "`millwright ruleset draft list`로 확인하십시오."
    )
    ETAG_MISMATCH = Phrase(
        "Look at it with `millwright ruleset draft get NAME DRAFT`, then pass its --etag, or --overwrite.",
        "`millwright ruleset draft get NAME DRAFT`로 확인한 뒤 --etag 또는 --overwrite를 지정하십시오.",
    )
    EXPERIMENT_UNDER_WAY = Phrase(
        "See it with `millwright experiment list NAME`; stop it, or promote its arm.",
        "`millwright experiment list NAME`으로 확인하고, 중단하거나 실험군을 승격하십시오.",
    )
    BAD_ASSIGNMENT = Phrase("Write it as defect_rate=0.07.", "defect_rate=0.07처럼 적으십시오.")
    ARM_IS_CONTROL = Phrase("Choose another version.", "다른 버전을 고르십시오.")
    ARM_NOT_FOUND = Phrase(
        "See the arms with `millwright experiment get ID`.", "`millwright experiment get ID`로 확인하십시오."
    )
    DATASET_NOT_FOUND = Phrase(
        "See the data sets with `millwright replay dataset list`; they are kept for 30 days.",
        "`millwright replay dataset list`로 확인하십시오. 30일간 보관됩니다.",
    )
    EXPERIMENT_ENDED = Phrase(
        "See how with `millwright experiment get ID`.", "`millwright experiment get ID`로 확인하십시오."
    )
    EXPERIMENT_EXISTS = Phrase("Choose another --id.", "다른 --id를 쓰십시오.")
    EXPERIMENT_NOT_FOUND = Phrase(
        "See the experiments with `millwright experiment list`.", "`millwright experiment list`로 확인하십시오."
    )
    LAST_STEP = Phrase(
        "Promote it with `millwright experiment promote ID ARM`.",
        "`millwright experiment promote ID ARM`으로 승격하십시오.",
    )
    NOTHING_SELECTED = Phrase(
        "Look with `millwright execution list` what the filters let through.",
        "`millwright execution list`로 필터에 맞는 판정을 확인하십시오.",
    )
    REPLAY_NOT_COMPLETED = Phrase(
        "Follow it with `millwright replay watch ID`.", "`millwright replay watch ID`로 지켜보십시오."
    )
    REPLAY_NOT_FOUND = Phrase(
        "See the replays with `millwright replay list`; they are kept for 30 days.",
        "`millwright replay list`로 확인하십시오. 30일간 보관됩니다.",
    )
    TOO_MANY_REPLAYS = Phrase(
        "Wait for one to end, or cancel one: `millwright replay list`.",
        "하나가 끝나기를 기다리거나 취소하십시오: `millwright replay list`.",
    )
    EXECUTION_NOT_FOUND = Phrase(
        "See them with `millwright execution list`; what is older than the retention is gone.",
        "`millwright execution list`로 확인하십시오. 보존 기간이 지난 것은 없습니다.",
    )
    INVALID_INPUT = Phrase(
        "Mend the fields listed; `millwright ruleset show NAME VERSION` has the input schema.",
        "나열된 항목을 고치십시오. 입력 스키마는 `millwright ruleset show NAME VERSION`에 있습니다.",
    )
    STORE_BUSY = Phrase(
        "Wait a little and try again: nothing was judged.", "잠시 뒤 다시 시도하십시오. 판정된 것은 없습니다."
    )
    UNKNOWN_COLUMN = Phrase(
        "Leave the columns out, or pass --ignore-unknown; columns about the row begin with _.",
        "열을 빼거나 --ignore-unknown을 지정하십시오. 행에 관한 열은 _로 시작합니다.",
    )
    INVALID_RULESET = Phrase(
        "Mend what is listed and try again; the paths are JSON pointers into the document.",
        "나열된 항목을 고친 뒤 다시 시도하십시오. 경로는 문서 안의 JSON 포인터입니다.",
    )
    NOT_REPRODUCIBLE = Phrase(
        "See what was recorded with `millwright execution get ID`.",
        "기록된 내용은 `millwright execution get ID`로 확인하십시오.",
    )
    NO_ROLLBACK_TARGET = Phrase("Name a version with --to.", "--to로 버전을 지정하십시오.")
    REVISION_MISMATCH = Phrase(
        "Someone moved the channel: look at `millwright ruleset releases NAME`, then decide anew.",
        "다른 사람이 채널을 옮겼습니다. `millwright ruleset releases NAME`을 보고 다시 결정하십시오.",
    )
    RULESET_NOT_FOUND = Phrase(
        "See the rulesets with `millwright ruleset list`.", "`millwright ruleset list`로 확인하십시오."
    )
    SEMVER_TAKEN = Phrase("Raise `version` in the document.", "문서의 `version`을 올리십시오.")
    VERSION_BAD = Phrase(
        "Choose a good version, take the mark back with `millwright ruleset mark-good`, or, in a rollback, "
        "pass --allow-bad-target.",
        "정상 버전을 고르거나 `millwright ruleset mark-good`으로 표시를 거두십시오. "
        "롤백이면 --allow-bad-target을 쓸 수 있습니다.",
    )
    VERSION_IN_USE = Phrase(
        "Roll that channel back instead: a rollback marks the version it leaves.",
        "대신 그 채널을 롤백하십시오. 롤백하면 떠난 버전에 불량 표시가 붙습니다.",
    )
    VERSION_NOT_FOUND = Phrase(
        "See the versions with `millwright ruleset versions NAME`.",
        "`millwright ruleset versions NAME`으로 버전을 확인하십시오.",
    )
    VERSION_RETIRED = Phrase(
        "Choose another version; this one can only be replayed.",
        "다른 버전을 고르십시오. 이 버전은 리플레이만 할 수 있습니다.",
    )


WORDS = (Term, Trial, Hint)
"""What the room's services are connected with."""
