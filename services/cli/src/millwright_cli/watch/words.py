"""What the view over all services says."""

from millwright_cli.words import Phrase, Vocabulary


class Term(Vocabulary):
    """Words of the view."""

    QUIET = Phrase("nothing is under way", "진행 중인 작업이 없습니다")
    MORE = Phrase("and {n} more", "외 {n}건")
    AWAY = Phrase("not reachable: {reason}", "연결할 수 없음: {reason}")
    BACK = Phrase("reachable again", "다시 연결됨")
