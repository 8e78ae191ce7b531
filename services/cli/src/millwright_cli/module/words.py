"""The words that only the modules service's commands say, and what to do about its errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of modules and their packages."""

    # Headings
    BUILT = Phrase("Built", "빌드 파일")
    CATEGORY = Phrase("Category", "분류")
    ETAG = Phrase("Etag", "Etag")
    FINGERPRINT = Phrase("SHA-256", "SHA-256")
    FROM = Phrase("From", "이전 버전")
    GENERATION = Phrase("Generation", "세대")
    MODULE = Phrase("Module", "모듈")
    OPERATION = Phrase("Operation", "작업")
    OWNER = Phrase("Owner", "소유자")
    PROGRESS = Phrase("Progress", "진행률")
    PUBLISHER = Phrase("Publisher", "발행자")
    SIGNER = Phrase("Signed by", "서명 키")
    STAGE = Phrase("Stage", "단계")
    TO = Phrase("To", "이후 버전")
    WHAT = Phrase("What", "내용")

    # States, stages and kinds, by the names that the contract gives them
    STATE_INSTALLING = Phrase("being installed", "설치 중")
    STATE_ENABLED = Phrase("enabled", "사용 중")
    STATE_DISABLED = Phrase("disabled", "사용 안 함")
    STATE_UNINSTALLED = Phrase("uninstalled", "제거됨")
    STAGE_UPLOADED = Phrase("uploaded", "업로드됨")
    STAGE_EXTRACTING = Phrase("unpacking", "압축 풀기")
    STAGE_VALIDATING = Phrase("checking", "검증")
    STAGE_BUILDING = Phrase("building", "빌드")
    STAGE_ACTIVATING = Phrase("going live", "활성화")
    STAGE_COMPLETED = Phrase("completed", "완료")
    STAGE_FAILED = Phrase("failed", "실패")
    STAGE_CANCELLED = Phrase("cancelled", "취소됨")
    STAGE_ROLLED_BACK = Phrase("rolled back: it was not healthy", "상태 이상으로 되돌림")
    KIND_INSTALL = Phrase("install", "설치")
    KIND_UPGRADE = Phrase("upgrade", "업그레이드")
    KIND_ROLLBACK = Phrase("rollback", "롤백")
    KIND_ENABLE = Phrase("enable", "사용")
    KIND_DISABLE = Phrase("disable", "사용 중지")
    KIND_UNINSTALL = Phrase("uninstall", "제거")
    CATEGORY_CORE = Phrase("core", "핵심")
    CATEGORY_FEATURE = Phrase("feature", "기능")
    CATEGORY_INDUSTRY = Phrase("industry", "산업")
    CATEGORY_INTEGRATION = Phrase("integration", "연동")

    SIGNATURE_POLICY_OFF = Phrase("packages need no signature", "패키지에 서명이 없어도 됩니다")
    SIGNATURE_POLICY_WARN = Phrase(
        "a package that no trusted key has signed is installed with a warning",
        "신뢰하는 키의 서명이 없는 패키지는 경고와 함께 설치됩니다",
    )
    SIGNATURE_POLICY_ENFORCE = Phrase(
        "a package that no trusted key has signed is refused", "신뢰하는 키의 서명이 없는 패키지는 거부됩니다"
    )
    KEY_REMOVED = Phrase("{key} is trusted no more", "{key} 키는 더 이상 신뢰하지 않습니다")

    # Installing
    UPLOADING = Phrase("sending", "업로드")
    UPLOAD_BROKE = Phrase(
        "connection lost, sending on from where the service is …", "연결이 끊겨 이어서 업로드하는 중 …"
    )
    STUCK = Phrase("The service takes no more of the package.", "서비스가 패키지를 더 받지 않습니다.")
    JOINED = Phrase("it is under way already: {operation}", "이미 진행 중입니다: {operation}")
    GOES_ON = Phrase(
        "The operation goes on without you: `millwright module watch {operation}`",
        "작업은 계속 진행됩니다: `millwright module watch {operation}`",
    )
    BYTES_OF = Phrase("{done} of {total}", "{done} / {total}")
    FILES_OF = Phrase("{done} of {total} files", "파일 {done} / {total}")
    STEPS_OF = Phrase("step {done} of {total}", "{total}단계 중 {done}단계")
    PLACE = Phrase("number {place} in the queue", "대기 순서 {place}번")
    LEFT = Phrase("{span} left", "{span} 남음")
    RATE = Phrase("{bytes}/s", "{bytes}/초")
    CHANGED = Phrase(
        "{module}: {kind}, {from_version} → {to_version}, in {took}",
        "{module}: {kind}, {from_version} → {to_version}, {took}",
    )
    UNCHANGED = Phrase("{module}: nothing changed; {state}", "{module}: 변경 없음, {state}")
    GONE = Phrase("{module}: {state}, in {took}", "{module}: {state}, {took}")
    LIVE = Phrase(
        "{module} {version}: {state}, generation {generation}", "{module} {version}: {state}, 세대 {generation}"
    )
    NOTHING_IN_THE_WAY = Phrase("nothing stands in its way", "막는 문제가 없습니다")
    PLAN_TOKEN = Phrase("plan token, good for 15 minutes: {token}", "계획 토큰(15분간 유효): {token}")
    AUTOMATIC = Phrase("by itself", "자동")
    NOT_A_MODULE = Phrase("{path}: {cause}.", "{path}: {cause}.")

    # Making packages
    BAD_PACKAGE = Phrase("{path}: {cause}.", "{path}: {cause}.")
    NOT_EMPTY = Phrase("{path} is not empty.", "{path} 폴더가 비어 있지 않습니다.")
    NO_CODE = Phrase("{code} is no code of a module.", "{code}은(는) 모듈 코드가 아닙니다.")
    NO_KEY = Phrase("{path} holds no Ed25519 key: {cause}.", "{path}에 Ed25519 키가 없습니다: {cause}.")
    NO_KEY_ID = Phrase("{id} is no id of a key.", "{id}은(는) 키 ID가 아닙니다.")
    PACKED = Phrase(
        "{path}: {code} {version}, {files} files, {bytes} bytes",
        "{path}: {code} {version}, 파일 {files}개, {bytes}바이트",
    )
    SIGNED = Phrase("{path}: signed by {key}", "{path}: {key} 키로 서명함")
    VERIFIED = Phrase("{path}: signed by {key}, and unchanged", "{path}: {key} 키의 서명이며, 변경되지 않았습니다")
    NOT_VERIFIED = Phrase("{path} is not what was signed.", "{path}은(는) 서명된 내용과 다릅니다.")
    UNSIGNED = Phrase("it has no signature", "서명이 없습니다")
    SIGNATURE_MALFORMED = Phrase("it is not what a signature looks like", "올바른 서명 형식이 아닙니다")
    SIGNATURE_INVALID = Phrase("the signature is not by this key", "이 키로 만든 서명이 아닙니다")
    SIGNED_FILE_MISSING = Phrase("it was signed, and is not there", "서명되었지만 파일이 없습니다")
    FILE_NOT_SIGNED = Phrase("it was added after signing", "서명 뒤에 추가되었습니다")
    HASH_MISMATCH = Phrase("it was changed after signing", "서명 뒤에 변경되었습니다")


class Hint(Advice):
    """What to do about an error of the modules service's commands."""

    DEPENDENTS = Phrase(
        "See what would go with it: `millwright module plan uninstall MODULE`; then pass its token with --plan.",
        "`millwright module plan uninstall MODULE`로 함께 제거될 모듈을 확인한 뒤 토큰을 --plan으로 지정하십시오.",
    )
    ETAG_MISMATCH = Phrase(
        "Someone changed them: look at `millwright module settings get MODULE`, then pass its --etag.",
        "다른 사람이 설정을 변경했습니다. `millwright module settings get MODULE`로 확인한 뒤 --etag를 지정하십시오.",
    )
    GENERATION_MISMATCH = Phrase(
        "Someone changed the module: look at `millwright module history MODULE`, then decide anew.",
        "다른 사람이 모듈을 변경했습니다. `millwright module history MODULE`을 보고 다시 결정하십시오.",
    )
    MODULE_NOT_FOUND = Phrase(
        "See the modules with `millwright module list`.", "`millwright module list`로 확인하십시오."
    )
    NO_ROLLBACK_TARGET = Phrase("Name a version with --to.", "--to로 버전을 지정하십시오.")
    OPERATION_PAST_CANCEL = Phrase(
        "It goes live this moment: roll it back with `millwright module rollback MODULE`.",
        "이미 활성화되는 중입니다. `millwright module rollback MODULE`로 되돌리십시오.",
    )
    OPERATION_UNDER_WAY = Phrase(
        "Watch it with `millwright module watch OPERATION`, or stop it with `millwright module cancel OPERATION`.",
        "`millwright module watch OPERATION`으로 지켜보거나 `millwright module cancel OPERATION`으로 중단하십시오.",
    )
    PLAN_OUTDATED = Phrase("Make the plan again.", "계획을 다시 만드십시오.")
    UPLOADS_TOO_LARGE = Phrase(
        "Install what is uploaded, or wait: what is not touched for a day goes.",
        "업로드한 패키지를 설치하거나 기다리십시오. 하루 동안 쓰지 않은 업로드는 삭제됩니다.",
    )
    VERSION_NOT_FOUND = Phrase(
        "See the versions with `millwright module info MODULE`.",
        "`millwright module info MODULE`로 버전을 확인하십시오.",
    )
    BAD_PACKAGE = Phrase("Mend it and pack the module again.", "고친 뒤 모듈을 다시 압축하십시오.")
    NOT_EMPTY = Phrase("Name a new directory.", "새 폴더를 지정하십시오.")
    NO_CODE = Phrase(
        "Pass --code with 3 to 63 of a-z, 0-9 and dashes, beginning with a letter.",
        "--code에 영문 소문자로 시작하는 소문자, 숫자, 하이픈 3~63자를 지정하십시오.",
    )
    NO_KEY = Phrase(
        "Make one with `openssl genpkey -algorithm ed25519 -out KEY.pem`.",
        "`openssl genpkey -algorithm ed25519 -out KEY.pem`으로 만들 수 있습니다.",
    )
    NO_KEY_ID = Phrase(
        "Pass --key-id with 1 to 63 of a-z, 0-9 and dashes: the id that the plant trusts it by.",
        "--key-id에 소문자, 숫자, 하이픈 1~63자를 지정하십시오. 공장에서 신뢰하는 키 ID입니다.",
    )
    NOT_VERIFIED = Phrase("Get the package from its publisher again.", "발행자에게서 패키지를 다시 받으십시오.")


WORDS = (Term, Hint)
"""What the room's services are connected with."""
