"""The words of replays and experiments."""

from millwright_cli.words import Phrase, Vocabulary


class Trial(Vocabulary):
    """What is said of versions that are compared."""

    # Headings
    ARM = Phrase("Arm", "실험군")
    ARM_RATE = Phrase("Of the arm", "실험군 비율")
    BASELINE = Phrase("Compared with", "비교 기준")
    BEFORE_AFTER = Phrase("before ↓  after →", "이전 ↓  이후 →")
    CAUSE = Phrase("Cause", "원인")
    CAUSES = Phrase("Causes", "원인")
    CHANGED = Phrase("Changed", "변경")
    CHANGE_RATE = Phrase("Changed outcomes", "결과 변경률")
    CONFIDENCE = Phrase("Confidence", "신뢰도")
    CONTROL_RATE = Phrase("Of the control", "대조군 비율")
    COLUMN = Phrase("Column", "열")
    DATASET = Phrase("Data set", "데이터 세트")
    EXPECTED_FOUND = Phrase("expected ↓  judged →", "기대 ↓  판정 →")
    FIRST_ROWS = Phrase("First rows", "처음 행")
    REASON = Phrase("Reason", "사유")
    REJECTED_ROWS = Phrase("Left out", "제외")
    ROWS = Phrase("Rows", "행")
    CUMULATIVE = Phrase("Cumulative", "누적")
    DIFFERENCE = Phrase("Difference", "차이")
    DIFFERENCES = Phrase("Beside the control, at any look", "대조군과의 차이(언제 보아도 유효)")
    EDITS = Phrase("Edits", "변경 내용")
    ENROLMENT = Phrase("Take part", "참여 비율")
    EXAMPLES = Phrase("Examples", "예시")
    GUARDRAIL = Phrase("Guardrail", "가드레일")
    INTERVAL = Phrase("Interval", "구간")
    MODE = Phrase("Mode", "방식")
    MOVES = Phrase("From → to", "이전 → 이후")
    P_VALUE = Phrase("p", "p")
    REPLAY = Phrase("Replay", "리플레이")
    SEGMENTS = Phrase("By line, product and shift", "라인·제품·교대별")
    SELECTION = Phrase("Replayed", "대상")
    STEP = Phrase("Step", "단계")
    TARGET = Phrase("Version", "버전")
    TARGETS = Phrase("Judged with", "판정 버전")
    UNITS = Phrase("Units", "단위 수")
    WEIGHT = Phrase("Weight", "가중치")
    WHAT_IF = Phrase("What if", "가정")

    # States and kinds, by the names that the contract gives them
    STATE_FAILED = Phrase("failed", "실패")
    STATE_NOT_REPRODUCIBLE = Phrase("not reproducible", "재현 불가")
    STATE_STOPPED = Phrase("stopped", "중단됨")
    STATE_ROLLED_BACK = Phrase("rolled back", "롤백됨")
    STATE_PROMOTED = Phrase("promoted", "승격됨")
    MODE_AB = Phrase("A/B", "A/B")
    MODE_CANARY = Phrase("canary", "카나리")
    MODE_SHADOW = Phrase("shadow", "섀도")
    VERDICT_HOLDS = Phrase("holds", "유지")
    VERDICT_BROKEN = Phrase("broken", "위반")
    VERDICT_HIGHER = Phrase("higher", "높음")
    VERDICT_LOWER = Phrase("lower", "낮음")
    VERDICT_OPEN = Phrase("open", "판단 보류")
    CHANGE_NONE = Phrase("none", "변경 없음")
    CHANGE_RULE = Phrase("another rule", "규칙만 변경")
    CHANGE_DETAIL = Phrase("details", "세부 변경")
    CHANGE_OUTCOME = Phrase("outcome", "결과 변경")
    CHANGE_ERROR = Phrase("cannot be judged", "판정 오류")
    CHANGE_NOT_REPRODUCIBLE = Phrase("not reproducible", "재현 불가")
    CAUSE_OUTPUT_CHANGED = Phrase("output changed", "출력 변경")
    CAUSE_RULE_STOPPED_MATCHING = Phrase("rule stopped matching", "규칙 불일치로 바뀜")
    CAUSE_RULE_STARTED_MATCHING = Phrase("rule started matching", "규칙 일치로 바뀜")
    CAUSE_RULE_ADDED = Phrase("rule added", "규칙 추가")
    CAUSE_RULE_REMOVED = Phrase("rule removed", "규칙 삭제")
    CAUSE_PRIORITY_CHANGED = Phrase("order changed", "순서 변경")
    CAUSE_INTERACTION = Phrase("several edits together", "여러 변경의 조합")
    CAUSE_INPUT_CHANGED = Phrase("input changed", "입력 변경")
    CAUSE_SCHEMA_CHANGED = Phrase("input schema changed", "입력 스키마 변경")
    SEGMENT_LINE = Phrase("line", "라인")
    SEGMENT_PRODUCT = Phrase("product", "제품")
    SEGMENT_SHIFT = Phrase("shift", "교대")
    MEASURE_ERROR_RATE = Phrase("ERROR", "오류")
    MEASURE_INDETERMINATE_RATE = Phrase("INDETERMINATE", "판정 불가")
    MEASURE_NO_MATCH_RATE = Phrase("NO_MATCH", "일치 규칙 없음")
    MEASURE_TOP_OUTCOME_RATE = Phrase("most severe outcome", "가장 심한 결과")

    # Sentences
    RECORDED = Phrase("recorded", "기록")
    REPLAY_CREATED = Phrase(
        "replay {replay} waits: {n} executions, in {took}", "리플레이 {replay} 대기: 판정 {n}건, {took}"
    )
    REPLAY_CHECKED = Phrase("{n} executions would be replayed, in {took}", "리플레이 대상: 판정 {n}건, {took}")
    REPLAY_FOLLOW = Phrase("follow it: millwright replay watch {id}", "지켜보기: millwright replay watch {id}")
    CHANGED_SO_FAR = Phrase("{n} changed", "변경 {n}건")
    REFUSED_SO_FAR = Phrase("{n} cannot be judged", "판정 오류 {n}건")
    OTHERS = Phrase("others", "그 외")
    REFUSED = Phrase("Errors", "오류")
    NAMED = Phrase("{n} executions by name", "지정한 판정 {n}건")
    SAMPLE = Phrase("sample of {share}, seed {seed}", "표본 {share}, 시드 {seed}")
    AT_MOST = Phrase("at most {n}", "최대 {n}건")
    UPLOADED = Phrase(
        "data set {dataset}: {rows} rows, {bytes} bytes", "데이터 세트 {dataset}: {rows}행, {bytes}바이트"
    )
    REJECTED = Phrase(
        "{n} rows of the file do not fit and were left out", "파일의 {n}행은 스키마에 맞지 않아 제외했습니다"
    )
    KNOWN_FILE = Phrase("the same file was known: nothing was stored anew", "같은 파일이 이미 있어 새로 저장하지 않음")
    READING_FILE = Phrase("sent; the service reads it", "전송 완료, 서비스가 읽는 중")
    DATASET_REMOVED = Phrase("{dataset} is removed", "{dataset} 삭제됨")
    AS_EXPECTED = Phrase(
        "{met} of {n} rows as expected, {before} before", "{n}행 중 {met}행 기대와 일치, 이전 {before}행"
    )
    IGNORED = Phrase("columns left out, no field of the ruleset: {columns}", "룰셋에 없어 제외한 열: {columns}")
    PAGE_WRITTEN = Phrase("the page is in {path}", "페이지: {path}")
    REPORT_SELECTED = Phrase(
        "{replay}: {n} selected; {reproduced} came out again as recorded",
        "{replay}: 대상 {n}건, 기록대로 재현됨 {reproduced}건",
    )
    CHANGE_TOLD = Phrase("{n} of {judged} change their outcome", "{judged}건 중 {n}건 결과 변경")
    ERRORS_TOLD = Phrase("{n} of {compared} cannot be judged", "{compared}건 중 {n}건 판정 오류")
    ESCALATED = Phrase("escalated", "상향")
    RELAXED = Phrase("relaxed", "하향")
    DETAILS_CHANGED = Phrase("details only", "세부만 변경")
    RULES_CHANGED = Phrase("another rule only", "규칙만 변경")
    ERRORS = Phrase("cannot be judged", "판정 오류")
    BY_EFFECT = Phrase(", design effect {effect}", ", 설계 효과 {effect}")
    EXPERIMENT_BEGAN = Phrase(
        "{experiment} runs on {channel}: {arms}, in {took}", "{experiment} 실행: {channel}, {arms}, {took}"
    )
    EXPERIMENT_STANDS = Phrase("{experiment} on {channel}: {arms}", "{experiment} ({channel}): {arms}")
    EXPERIMENT_AT = Phrase("step {step} of {steps}", "{steps}단계 중 {step}단계")
    EXPERIMENT_MOVED = Phrase("{experiment} is at {share}, in {took}", "{experiment} 현재 {share}, {took}")
    EXPERIMENT_STOPPED = Phrase("{experiment} is stopped, in {took}", "{experiment} 중단, {took}")
    EXPERIMENT_OVER = Phrase("{experiment} had ended already, nothing changed", "{experiment} 이미 종료, 변경 없음")
    ARM_PROMOTED = Phrase(
        "{channel} is on version {version}, revision {revision}, in {took}",
        "{channel}: 버전 {version}, 리비전 {revision}, {took}",
    )
    EXPERIMENT_FOLLOW = Phrase(
        "follow it: millwright experiment watch {id}", "지켜보기: millwright experiment watch {id}"
    )
    ARM_ON = Phrase("{arm} (version {version})", "{arm}(버전 {version})")
    AT_MOST_MORE = Phrase("at most {n} above the control", "대조군 대비 +{n} 이하")
    AT_MOST_LESS = Phrase("at most {n} below", "대조군 대비 −{n} 이하")
    OF_EXECUTIONS = Phrase("{arm} of the arm, {control} of the control", "실험군 {arm}건, 대조군 {control}건")
    SHARES_DIFFER = Phrase(
        "the arms' shares of units are not as planned (p {p}): do not trust the rates",
        "실험군별 비율이 계획과 다릅니다(p {p}). 비율을 신뢰하지 마십시오",
    )
    PAIRED = Phrase("The same inputs, judged by both", "같은 입력의 두 판정 비교")

    # What goes wrong before anything is sent
    TWO_SELECTIONS = Phrase(
        "--execution, --dataset and filters exclude each other.", "--execution, --dataset, 필터는 함께 쓸 수 없습니다."
    )
