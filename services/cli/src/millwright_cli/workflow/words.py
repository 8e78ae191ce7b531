"""The words that only the workflow service's commands say, and what to do about its errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of workflows, their releases and their instances."""

    # Headings
    APPROVAL = Phrase("Approval", "승인")
    CHANNEL = Phrase("Channel", "채널")
    CHANNELS = Phrase("Channels", "채널")
    COMMENT = Phrase("Comment", "의견")
    CONTENT = Phrase("Content", "내용 해시")
    DECIDED = Phrase("Decided", "결정")
    DECIDER = Phrase("Decided by", "결정자")
    ESCALATES = Phrase("Escalates", "상위 이관")
    EXPIRES = Phrase("Expires", "만료")
    FROZEN = Phrase("Frozen until", "동결 기한")
    IN_FORCE = Phrase("In force since", "적용 시작")
    INSTANCE = Phrase("Instance", "인스턴스")
    LAST_RUN = Phrase("Last start", "지난 시작")
    LATEST = Phrase("Latest", "최신 버전")
    MOVE = Phrase("Version", "버전 이동")
    NEXT_RUN = Phrase("Next start", "다음 시작")
    OPERATION = Phrase("Operation", "작업")
    POLICY = Phrase("Run policy", "실행 정책")
    RELEASE = Phrase("Release", "릴리스")
    SUCCESSOR = Phrase("Successor", "후속 인스턴스")
    REVISION = Phrase("Revision", "리비전")
    SCHEDULE = Phrase("Schedule", "일정")
    ROLE = Phrase("Role", "역할")
    SEMVER = Phrase("Semver", "문서 버전")
    TASK = Phrase("Task", "태스크")
    COMPENSATION = Phrase("Undoing", "되돌리기")
    UNDONE = Phrase("Undone", "되돌린 태스크")
    UNDONE_FOR = Phrase("Undone for", "되돌린 사유")
    UNDO_REQUESTED = Phrase("asked for", "요청됨")
    UNDO_RUNNING = Phrase("under way", "진행 중")
    UNDO_STOPPING = Phrase("being stopped", "중단 중")
    UNDO_STOPPED = Phrase(
        "stopped: `millwright instance retry` undoes the rest", "중단됨: `millwright instance retry`로 계속"
    )
    UNDO_COMPLETED = Phrase("done", "완료")
    TASKS = Phrase("Tasks", "완료 태스크")
    WORKFLOW = Phrase("Workflow", "워크플로")
    NO_SCHEDULE = Phrase(
        "{workflow} starts by itself at no time: the version that prod points to has no schedule",
        "{workflow}: prod가 가리키는 버전에 일정이 없어 스스로 시작하지 않습니다",
    )
    ON_EVENT = Phrase("when an event or the end of the last instance says so", "이벤트 또는 지난 인스턴스 종료 시")

    # States, operations and kinds, by the names that the contract gives them
    STATE_WAITING = Phrase("waiting", "결정 대기")
    OPERATION_PUBLISH = Phrase("publish", "게시")
    OPERATION_PROMOTE = Phrase("promote", "승격")
    OPERATION_ROLLBACK = Phrase("rollback", "롤백")
    OPERATION_MARK_BAD = Phrase("mark bad", "불량 표시")
    OPERATION_MARK_GOOD = Phrase("mark good", "정상 표시")
    OPERATION_CANARY_START = Phrase("canary start", "카나리 시작")
    OPERATION_CANARY_STEP = Phrase("canary step", "카나리 확대")
    OPERATION_CANARY_ABORT = Phrase("canary abort", "카나리 중단")
    GATE_MIN_SUCCESS_RATE = Phrase("success rate at least {bound}", "성공률 {bound} 이상")
    GATE_MAX_SUCCESS_RATE_DROP = Phrase(
        "success rate at most {bound} below the stable version's", "안정 버전 대비 성공률 하락 {bound} 이하"
    )
    GATE_MAX_P95_DURATION = Phrase("95 of 100 within {bound}", "95백분위 소요 {bound} 이하")
    GATE_MAX_P95_RATIO = Phrase(
        "95 of 100 within {bound} of the stable version's time", "95백분위 소요, 안정 버전의 {bound} 이하"
    )
    KIND_CREATED = Phrase("accepted", "접수됨")
    KIND_STARTED = Phrase("started on version {version}", "버전 {version}(으)로 시작")
    KIND_TASK_COMPLETED = Phrase("task done", "태스크 완료")
    KIND_TASK_RETRIED = Phrase("task failed, trying again", "태스크 실패, 재시도")
    KIND_TASK_PROGRESS = Phrase("task {percent:.0f} % done", "태스크 {percent:.0f} % 진행")
    KIND_CORRELATION_STARTED = Phrase("listens for events", "이벤트 대기")
    KIND_CORRELATION_COMPLETED = Phrase("has the events", "이벤트 수신 완료")
    KIND_RESUMED = Phrase("goes on", "재개")
    KIND_COMPENSATION_STARTED = Phrase("what it did is being undone", "완료한 작업을 되돌리는 중")
    KIND_TASK_UNDONE = Phrase("task undone", "태스크 되돌림")
    POLICY_DRAIN = Phrase("they run to their end", "끝까지 실행")
    POLICY_PAUSE = Phrase("they pause", "일시 중지")
    POLICY_CANCEL = Phrase("they are cancelled", "취소")
    POLICY_CANCEL_COMPENSATE = Phrase("they are cancelled and undone", "취소 후 되돌림")
    POLICY_MIGRATE_COMPATIBLE = Phrase("they migrate where compatible", "호환되면 이전")
    POLICY_FORK_FROM_COMMON = Phrase("they fork from the last common point", "공통 지점에서 분기")

    # Sentences
    PUBLISHED = Phrase(
        "{workflow} {semver}: published as version {version}, in {took}",
        "{workflow} {semver}: 버전 {version} 게시, {took}",
    )
    PUBLISHED_BEFORE = Phrase(
        "{workflow} {semver}: the same content exists as version {version}, in {took}",
        "{workflow} {semver}: 같은 내용이 버전 {version}에 있음, {took}",
    )
    MOVED = Phrase(
        "{channel}: {before} → {after}, revision {revision}, in {took}",
        "{channel}: {before} → {after}, 리비전 {revision}, {took}",
    )
    POINTS = Phrase(
        "{channel} is on version {version}, revision {revision}", "{channel}: 버전 {version}, 리비전 {revision}"
    )
    UNMOVED = Phrase(
        "{channel}: on version {version} already, nothing changed", "{channel}: 이미 버전 {version}, 변경 없음"
    )
    JOB_MIGRATED = Phrase("migrated", "이전됨")
    JOB_FORKED = Phrase("forked", "분기됨")
    JOB_ENDED = Phrase("ended by themselves", "스스로 종료")
    JOB_FAILED = Phrase("failed", "실패")
    JOB_DONE = Phrase("{done} of {total}", "{total}개 중 {done}개")
    JOB_FOLLOW = Phrase("follow it: millwright workflow job watch {id}", "지켜보기: millwright workflow job watch {id}")
    CANARY_TAKES = Phrase(
        "{channel}: {share} begin on version {version}, the others on {stable}, revision {revision}, in {took}",
        "{channel}: {share}는 버전 {version}, 나머지는 {stable}, 리비전 {revision}, {took}",
    )
    CANARY_ENDED = Phrase(
        "{channel}: version {version} is taken back, all begin on {stable}, revision {revision}, in {took}",
        "{channel}: 버전 {version} 카나리 중단, 모두 버전 {stable}, 리비전 {revision}, {took}",
    )
    CANARY_STANDS = Phrase(
        "{channel}: version {version} on {share}, step {step} of {steps}",
        "{channel}: 버전 {version} {share}, {steps}단계 중 {step}단계",
    )
    CANARY_SINCE = Phrase("this step began {time}", "이 단계 시작 {time}")
    GATE_SAMPLE = Phrase(
        "{canary} on the canary, {stable} on the stable version", "카나리 {canary}개, 안정 버전 {stable}개"
    )
    NO_CANARY = Phrase("{channel} has no canary", "{channel}: 카나리 없음")
    LEFT_BAD = Phrase("version {version} is marked bad", "버전 {version} 불량 표시")
    IMPACT = Phrase(
        "{running} running and {paused} paused on version {version}: {policy}",
        "버전 {version} 실행 중 {running}개, 일시 중지 {paused}개: {policy}",
    )
    FREEZE = Phrase("automatic promotions are refused until {time}", "{time}까지 자동 승격 거부")
    MARKED = Phrase("version {version} is {state}, in {took}", "버전 {version}: {state}, {took}")
    MARKED_BEFORE = Phrase(
        "version {version} is {state} already, nothing changed", "버전 {version}: 이미 {state}, 변경 없음"
    )
    SAME = Phrase("versions {before} and {after} do not differ", "버전 {before}, {after}: 차이 없음")
    DIFFERENCES = Phrase(
        "{before} → {after}: {added} added, {removed} removed, {changed} changed, {moved} moved",
        "{before} → {after}: 추가 {added}, 삭제 {removed}, 변경 {changed}, 이동 {moved}",
    )
    MOVED_FROM = Phrase("from {pointer}", "이전 위치 {pointer}")
    ACCEPTED = Phrase(
        "{instance} accepted for {workflow}, {target}, in {took}", "{instance} 접수: {workflow}, {target}, {took}"
    )
    ON_CHANNEL = Phrase("channel {channel}", "채널 {channel}")
    ON_VERSION = Phrase("version {version}", "버전 {version}")
    CANCELLED_NOW = Phrase("{instance} is cancelled", "{instance} 취소됨")
    CANCEL_ASKED = Phrase("{instance} is being cancelled", "{instance} 취소 중")
    UNDO_ASKED = Phrase("what {instance} did is being undone", "{instance} 완료한 작업을 되돌리는 중")
    RESUMED = Phrase("{instance} goes on", "{instance} 재개")
    PAUSE_ASKED = Phrase("{instance} pauses before its next task", "{instance} 다음 태스크 전에 일시 중지")
    RETRIED = Phrase("{instance} goes on at the task that failed", "{instance} 실패한 태스크부터 재개")
    FORKED = Phrase("{instance} goes on with {n} finished tasks", "{instance} 완료 태스크 {n}개로 계속")
    FORK_CHECKED = Phrase("it would go on with {n} finished tasks", "완료 태스크 {n}개로 계속 가능")
    CHECKPOINT = Phrase("Checkpoint", "체크포인트")
    DECISION_MADE = Phrase("{approval} is {state}: its workflow goes on", "{approval} {state}: 워크플로 계속")
    FOLLOW = Phrase("follow it: millwright instance watch {id}", "지켜보기: millwright instance watch {id}")
    TASK_COUNT = Phrase("tasks done: {n}", "완료 태스크 {n}개")
    TASK_SHARE = Phrase(
        "tasks done: {n} of {total}, {percent:.0f} %", "완료 태스크 {total}개 중 {n}개, {percent:.0f} %"
    )
    TASK_PENDING = Phrase("to come", "예정")
    TASK_RUNNING = Phrase("running", "실행 중")
    TASK_WAITING = Phrase("waiting", "대기")
    TASK_DONE = Phrase("done", "완료")
    TASK_SKIPPED = Phrase("skipped", "건너뜀")
    TASK_FAILED = Phrase("failed", "실패")
    TASK_STOPPED = Phrase("stopped", "중단")
    TASKS_INSIDE = Phrase("tasks inside: {n}", "내부 태스크 {n}개")
    ROUND = Phrase("round {n}", "{n}회차")
    ROUNDS = Phrase("rounds: {n}", "{n}회 반복")
    ATTEMPT = Phrase("attempt {n}", "{n}번째 시도")
    FOLDED = Phrase("… {n} more {state}", "… {state} {n}개 더")

    # What goes wrong before anything is sent
    TWO_TARGETS = Phrase("--channel and --version exclude each other.", "--channel과 --version은 함께 쓸 수 없습니다.")
    VERSION_ALONE = Phrase("--version needs --workflow.", "--version에는 --workflow가 필요합니다.")


class Hint(Advice):
    """What to do about an error of the workflow service."""

    CANARY_IS_STABLE = Phrase("Choose another version.", "다른 버전을 고르십시오.")
    CANARY_UNDER_WAY = Phrase(
        "See it with `millwright workflow canary show NAME`; step it to its end, or abort it.",
        "`millwright workflow canary show NAME`으로 확인하고, 끝까지 진행하거나 중단하십시오.",
    )
    NO_CANARY = Phrase(
        "Begin one with `millwright workflow canary start`.", "`millwright workflow canary start`로 시작하십시오."
    )
    APPROVAL_CLOSED = Phrase(
        "See what became of it with `millwright approval get ID`.",
        "`millwright approval get ID`로 결과를 확인하십시오.",
    )
    APPROVAL_NOT_FOUND = Phrase(
        "See what waits with `millwright approval list`.", "`millwright approval list`로 확인하십시오."
    )
    APPROVER_ROLE_MISSING = Phrase("Somebody with that role must decide.", "해당 역할이 있는 사람이 결정해야 합니다.")
    CHANNEL_FROZEN = Phrase("Wait until then, or promote by hand.", "동결 기한까지 기다리거나 직접 승격하십시오.")
    CHANNEL_NOT_FOUND = Phrase(
        "See the channels with `millwright workflow get NAME`; a channel is made by its first promotion.",
        "`millwright workflow get NAME`으로 채널을 확인하십시오. 채널은 처음 승격할 때 생깁니다.",
    )
    INPUT_TOO_LARGE = Phrase(
        "Send a reference to the data instead, such as a URL.", "데이터 대신 URL 같은 참조를 보내십시오."
    )
    INSTANCE_ENDED = Phrase("There is nothing left to cancel.", "취소할 것이 남아 있지 않습니다.")
    INSTANCE_EXISTS = Phrase("Choose another --id, or leave it out.", "다른 --id를 쓰거나 생략하십시오.")
    INSTANCE_NOT_FOUND = Phrase(
        "See the instances with `millwright instance list`.", "`millwright instance list`로 확인하십시오."
    )
    CHECKPOINT_NOT_FOUND = Phrase(
        "See them with `millwright instance checkpoints ID`.", "`millwright instance checkpoints ID`로 확인하십시오."
    )
    INSTANCE_COMPENSATED = Phrase(
        "See what is undone with `millwright instance get ID`.",
        "`millwright instance get ID`로 되돌린 태스크를 확인하십시오.",
    )
    INSTANCE_NOT_FAULTED = Phrase(
        "Only what has faulted or was cancelled can be retried.", "실패했거나 취소된 것만 재시도할 수 있습니다."
    )
    INSTANCE_NOT_RUNNING = Phrase(
        "See its state with `millwright instance get ID`.", "`millwright instance get ID`로 상태를 확인하십시오."
    )
    NOT_COMPATIBLE = Phrase(
        "Fork from an earlier checkpoint with --from.", "--from으로 더 앞선 체크포인트에서 분기하십시오."
    )
    INSTANCE_NOT_PAUSED = Phrase(
        "See its state with `millwright instance get ID`.", "`millwright instance get ID`로 상태를 확인하십시오."
    )
    INVALID_DEFINITION = Phrase(
        "Mend what is listed and publish again; the paths are JSON pointers into the definition.",
        "나열된 항목을 고친 뒤 다시 게시하십시오. 경로는 정의 안의 JSON 포인터입니다.",
    )
    NO_ROLLBACK_TARGET = Phrase("Name a version with --to.", "--to로 버전을 지정하십시오.")
    REVISION_MISMATCH = Phrase(
        "Someone moved the channel: look at `millwright workflow releases NAME`, then decide anew.",
        "다른 사람이 채널을 옮겼습니다. `millwright workflow releases NAME`을 보고 다시 결정하십시오.",
    )
    RUN_JOB_NOT_FOUND = Phrase(
        "Its id is in the answer of the rollback and in `millwright workflow releases NAME -o json`.",
        "롤백 응답과 `millwright workflow releases NAME -o json`에 작업 ID가 있습니다.",
    )
    SEMVER_TAKEN = Phrase("Raise document.version in the definition.", "정의의 document.version을 올리십시오.")
    VERSION_BAD = Phrase(
        "Choose a good version, take the mark back with `millwright workflow mark-good`, or, in a rollback, "
        "pass --allow-bad-target.",
        "정상 버전을 고르거나 `millwright workflow mark-good`으로 표시를 거두십시오. "
        "롤백이면 --allow-bad-target을 쓸 수 있습니다.",
    )
    VERSION_IN_USE = Phrase(
        "Roll that channel back instead: a rollback marks the version it leaves.",
        "대신 그 채널을 롤백하십시오. 롤백하면 떠난 버전에 불량 표시가 붙습니다.",
    )
    VERSION_NOT_FOUND = Phrase(
        "See the versions with `millwright workflow versions NAME`.",
        "`millwright workflow versions NAME`으로 버전을 확인하십시오.",
    )
    WORKFLOW_NOT_FOUND = Phrase(
        "See the workflows with `millwright workflow list`.", "`millwright workflow list`로 확인하십시오."
    )


WORDS = (Term, Hint)
"""What the room's services are connected with."""
