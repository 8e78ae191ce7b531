"""The words that only the modules service's commands say, and what to do about its errors."""

from millwright_cli.words import Advice, Phrase, Vocabulary


class Term(Vocabulary):
    """What is said of modules and their packages."""

    # Making packages
    BAD_PACKAGE = Phrase("{path}: {cause}.", "{path}: {cause}.")
    NOT_EMPTY = Phrase("{path} is not empty.", "{path} 폴더가 비어 있지 않습니다.")
    NO_CODE = Phrase("{code} is no code of a module.", "{code}은(는) 모듈 코드가 아닙니다.")
    NO_KEY = Phrase("{path} holds no Ed25519 key: {cause}.", "{path}에 Ed25519 키가 없습니다: {cause}.")
    NO_KEY_ID = Phrase("{id} is no id of a key.", "{id}은(는) 키 ID가 아닙니다.")
    MADE = Phrase("{path}", "{path}")
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
