"""Every word the command says to a person, in English and Korean.

It holds words only: what is said, and when, is decided where it is said. Help texts stay in English, since they are
read before a language is chosen.
"""

from enum import Enum, StrEnum
from typing import Any, NamedTuple


class Language(StrEnum):
    """A language the command speaks."""

    EN = "en"
    KO = "ko"

    @classmethod
    def of_locale(cls, locale: str) -> "Language":
        """Choose by a POSIX locale such as `ko_KR.UTF-8`; English for every other."""
        return cls.KO if locale.lower().startswith("ko") else cls.EN


class Phrase(NamedTuple):
    """One thing said, in each language; `{name}` marks what is put in."""

    en: str
    ko: str


class Vocabulary(Enum):
    """Phrases by name. Each service's room of the command has a vocabulary of its own."""


class Advice(Enum):
    """What to do about an error, by the reason in its ErrorInfo, or by its code where no reason says more."""


class Word(Vocabulary):
    """What every room says."""

    # Headings
    ACTOR = Phrase("By", "수행자")
    CREATED = Phrase("Created", "생성")
    DETAILS = Phrase("Details", "세부 사항")
    ENDED = Phrase("Ended", "종료")
    ERROR = Phrase("Error", "오류")
    INPUT = Phrase("Input", "입력")
    OUTPUT = Phrase("Output", "출력")
    REASON = Phrase("Reason", "사유")
    STARTED = Phrase("Started", "시작")
    STATE = Phrase("State", "상태")
    TITLE = Phrase("Title", "제목")
    TOOK = Phrase("Took", "소요")
    UPDATED = Phrase("Updated", "변경")
    VERSION = Phrase("Version", "버전")
    WHEN = Phrase("When", "시각")

    # Progress
    DONE_OF = Phrase("{done} of {total}", "{total}건 중 {done}건")
    DONE = Phrase("{done} done", "{done}건 완료")
    RATE = Phrase("{rate}/s", "초당 {rate}건")
    LEFT = Phrase("{span} left", "{span} 남음")

    # Spans and moments
    MILLISECONDS = Phrase("{n} ms", "{n} ms")
    SECONDS = Phrase("{n} s", "{n}초")
    MINUTES = Phrase("{n} min", "{n}분")
    HOURS = Phrase("{n} h", "{n}시간")
    DAYS = Phrase("{n} d", "{n}일")
    AGO = Phrase("{span} ago", "{span} 전")
    AHEAD = Phrase("in {span}", "{span} 후")
    JUST_NOW = Phrase("just now", "방금")

    # States, operations and kinds, by the names that the contract gives them
    STATE_GOOD = Phrase("good", "정상")
    STATE_BAD = Phrase("bad", "불량")
    STATE_PENDING = Phrase("pending", "대기")
    STATE_RUNNING = Phrase("running", "실행 중")
    STATE_PAUSED = Phrase("paused", "일시 중지")
    STATE_COMPENSATING = Phrase("being undone", "실행 취소 중")
    STATE_COMPLETED = Phrase("completed", "완료")
    STATE_FAULTED = Phrase("faulted", "실패")
    STATE_CANCELLED = Phrase("cancelled", "취소됨")
    STATE_CANCELLING = Phrase("being cancelled", "취소 중")
    STATE_APPROVED = Phrase("approved", "승인됨")
    STATE_REJECTED = Phrase("rejected", "반려됨")
    STATE_EXPIRED = Phrase("expired", "만료됨")
    STATE_WITHDRAWN = Phrase("withdrawn", "철회됨")
    STATE_HELD = Phrase("held", "보류")
    VERDICT_PASS = Phrase("pass", "통과")
    VERDICT_FAIL = Phrase("fail", "불합격")
    VERDICT_INCONCLUSIVE = Phrase("inconclusive", "판정 보류")

    # Sentences
    DRY_RUN = Phrase(
        "dry run: this is what would happen; nothing changed", "모의 실행: 예상 결과이며, 변경된 것은 없습니다"
    )
    REPLAYED = Phrase("(this had been done already: the first answer again)", "(이미 처리됨: 첫 응답을 다시 표시)")
    NOTHING = Phrase("nothing found", "결과 없음")
    MORE = Phrase(
        "there are more: raise --limit above {limit}", "더 있습니다: --limit 값을 {limit}보다 크게 지정하십시오"
    )
    SIZE = Phrase("Bytes", "바이트")
    RECONNECTING = Phrase(
        "connection lost, going on after event {sequence} …", "연결이 끊겨 이벤트 {sequence} 다음부터 이어받는 중 …"
    )
    CONNECTING = Phrase("not reachable yet, trying again …", "아직 연결할 수 없어 다시 시도하는 중 …")
    WATCH_ENDED = Phrase("The stream ended early.", "스트림이 도중에 끝났습니다.")

    # What goes wrong before anything is sent
    NO_STACK = Phrase(
        "No endpoint is given, and no .millwright/stack.json was found from {directory} upwards.",
        "엔드포인트가 지정되지 않았고, {directory}부터 상위 디렉터리에서 .millwright/stack.json을 찾지 못했습니다.",
    )
    BAD_STACK = Phrase("{path} does not describe a stack.", "{path} 파일이 스택 정보가 아닙니다.")
    BAD_ENDPOINT = Phrase("{endpoint} is no HOST:PORT.", "{endpoint}은(는) HOST:PORT 형식이 아닙니다.")
    BAD_SECURITY = Phrase(
        "--plaintext excludes --ca, --cert and --cert-key.",
        "--plaintext는 --ca, --cert, --cert-key와 함께 쓸 수 없습니다.",
    )
    HALF_CERTIFICATE = Phrase(
        "--cert and --cert-key belong together: one is missing.",
        "--cert와 --cert-key는 함께 지정해야 합니다. 하나가 없습니다.",
    )
    UNREADABLE = Phrase("{path} cannot be read: {cause}.", "{path}을(를) 읽을 수 없습니다: {cause}.")
    BAD_JSON = Phrase(
        "The input is no JSON: {cause} (line {line}, column {column}).",
        "입력이 JSON이 아닙니다: {cause} ({line}행 {column}열).",
    )
    BAD_VALUE = Phrase("The input cannot be sent: {cause}.", "입력을 보낼 수 없습니다: {cause}.")
    INEXACT = Phrase(
        "The number {number} in the input would be rounded on the way.",
        "입력의 숫자 {number}이(가) 전송 중 반올림됩니다.",
    )


class Hint(Advice):
    """What to do about an error that any service may answer, or that comes before anything is sent."""

    BAD_ENDPOINT = Phrase("Write it as 127.0.0.1:50051.", "127.0.0.1:50051처럼 적으십시오.")
    BAD_STACK = Phrase(
        "Run `make up` again, or pass --endpoint.", "`make up`을 다시 실행하거나 --endpoint를 지정하십시오."
    )
    INEXACT_NUMBER = Phrase("Send it as a string.", "문자열로 보내십시오.")
    NO_STACK = Phrase(
        "Run `make up`, or pass --endpoint and --token-file.",
        "`make up`을 실행하거나 --endpoint와 --token-file을 지정하십시오.",
    )
    SEQUENCE_EXPIRED = Phrase("Start the watch again.", "처음부터 다시 지켜보십시오.")
    UNAUTHENTICATED = Phrase(
        "Pass a valid token with --token-file or MILLWRIGHT_TOKEN.",
        "--token-file이나 MILLWRIGHT_TOKEN으로 유효한 토큰을 지정하십시오.",
    )
    PERMISSION_DENIED = Phrase("Use a token whose roles allow this.", "권한이 있는 역할의 토큰을 쓰십시오.")
    DATABASE_UNAVAILABLE = Phrase(
        "The service runs and its Postgres does not answer: see to that, and try again.",
        "서비스는 실행 중이지만 Postgres가 응답하지 않습니다. Postgres를 확인한 뒤 다시 시도하십시오.",
    )
    STARTING = Phrase(
        "Wait a little; if it stays so, run the service's `migrate`.",
        "잠시 기다리십시오. 계속되면 서비스의 `migrate`를 실행하십시오.",
    )
    UNAVAILABLE = Phrase(
        "Check that the service runs (`make up`) and that --endpoint, --ca and --plaintext fit it.",
        "서비스가 실행 중인지(`make up`), --endpoint, --ca, --plaintext가 맞는지 확인하십시오.",
    )
    DEADLINE_EXCEEDED = Phrase(
        "Look whether it happened before you repeat it; --timeout allows more time.",
        "다시 시도하기 전에 처리되었는지 확인하십시오. --timeout으로 시간을 늘릴 수 있습니다.",
    )
    RESOURCE_EXHAUSTED = Phrase("Wait a little and try again.", "잠시 뒤 다시 시도하십시오.")
    INTERNAL = Phrase(
        "Report it with the error id: the service's log has the details.",
        "오류 ID와 함께 알려 주십시오. 자세한 내용은 서비스 로그에 있습니다.",
    )
    UNREADABLE = Phrase("Check the path and its permissions.", "경로와 권한을 확인하십시오.")


class Words:
    """Says phrases in one language. What a name means is asked of the room first that the command belongs to."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._room: tuple[type[Enum], ...] = ()

    @property
    def language(self) -> str:
        """The language, as a tag such as `en`."""
        return self._language.value

    def enter(self, room: tuple[type[Enum], ...]) -> None:
        """Prefer a room's words and advice: another room may have the same names for other things."""
        self._room = room

    def of(self, room: tuple[type[Enum], ...]) -> "Words":
        """Give what says phrases in the same language, and prefers another room's."""
        words = Words(self._language)
        words.enter(room)
        return words

    def __call__(self, word: Vocabulary, **values: object) -> str:
        """Say a word, with the values put in."""
        return self._spoken(word.value).format(**values)

    def named(self, name: str, **values: object) -> str:
        """Say the word of an enum value of the contract; one that is not known yet says its own name.

        An event that has no word of its own is said as the state it leads to.
        """
        own = name.partition("_")[2]
        word = self._find(Vocabulary, name) or self._find(Vocabulary, f"STATE_{own}")
        return self(word, **values) if word else own.lower().replace("_", " ")

    def hint(self, reason: str, code: str) -> str | None:
        """Say what to do about an error, by its reason, else by its code."""
        found = self._find(Advice, reason) or self._find(Advice, code)
        return self._spoken(found.value) if found else None

    def _spoken(self, phrase: Phrase) -> str:
        return phrase.ko if self._language is Language.KO else phrase.en

    def _find(self, kind: type[Enum], name: str) -> Any:
        """Find a member by its name: in the room, else in whichever has it."""
        places = (*(each for each in self._room if issubclass(each, kind)), *kind.__subclasses__())
        return next((each.__members__[name] for each in places if name in each.__members__), None)
