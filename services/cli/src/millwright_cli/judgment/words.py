"""The words that only the judgment service's commands say, and what to do about its errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of rulesets, their releases, and what they judged."""

    # Headings
    AFTER = Phrase("After", "변경 후")
    BEFORE = Phrase("Before", "변경 전")
    CHANGE = Phrase("Change", "변경")
    CHANNEL = Phrase("Channel", "채널")
    CONTENT = Phrase("Content", "내용 해시")
    DRAFT = Phrase("Draft", "초안")
    ETAG = Phrase("Etag", "Etag")
    EXAMPLE = Phrase("Example", "예시")
    EXAMPLES = Phrase("Examples", "예제")
    EXECUTIONS = Phrase("Executions", "판정 건수")
    EXPERIMENT = Phrase("Experiment", "실험")
    FIELD = Phrase("Field", "항목")
    FINDING = Phrase("Finding", "발견 사항")
    FROM = Phrase("From", "이전 결과")
    FROZEN = Phrase("Frozen until", "동결 기한")
    LATEST = Phrase("Latest", "최신 버전")
    MOVE = Phrase("Version", "버전 이동")
    OPERATION = Phrase("Operation", "작업")
    PLANNED = Phrase("Planned", "예정")
    REVISION = Phrase("Revision", "리비전")
    RULE = Phrase("Rule", "규칙")
    RULESET = Phrase("Ruleset", "룰셋")
    SEMVER = Phrase("Semver", "문서 버전")
    TABLE = Phrase("Table", "표")
    TO = Phrase("To", "이후 결과")

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
    SAME = Phrase("{before} and {after} judge alike", "{before}, {after}: 차이 없음")


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
    INVALID_RULESET = Phrase(
        "Mend what is listed and try again; the paths are JSON pointers into the document.",
        "나열된 항목을 고친 뒤 다시 시도하십시오. 경로는 문서 안의 JSON 포인터입니다.",
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


WORDS = (Term, Hint)
"""What the room's services are connected with."""
