"""The words that only `millwright audit` says."""

from millwright_cli.words import Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of entries of an audit log."""

    CALL = Phrase("Call", "호출")
    FROM = Phrase("From", "접속 주소")
    OUTCOME = Phrase("Outcome", "결과")
    RESOURCES = Phrase("About", "대상")
    DONE = Phrase("done", "수행됨")


WORDS = (Term,)
