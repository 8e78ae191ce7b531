"""What each reason says to people, in English and Korean, and what they can do about it.

A message may name the problem's `{path}`, `{expected}` and `{found}`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why something is refused or warned of. Clients branch on it: a name never changes its meaning."""

    # The archive as a whole.
    NOT_AN_ARCHIVE = "NOT_AN_ARCHIVE"
    ARCHIVE_TRUNCATED = "ARCHIVE_TRUNCATED"
    ARCHIVE_TOO_LARGE = "ARCHIVE_TOO_LARGE"
    EMPTY_ARCHIVE = "EMPTY_ARCHIVE"
    ARCHIVE_COMMENT = "ARCHIVE_COMMENT"
    LEADING_DATA = "LEADING_DATA"
    TRAILING_DATA = "TRAILING_DATA"
    HIDDEN_DATA = "HIDDEN_DATA"
    ENTRIES_OVERLAP = "ENTRIES_OVERLAP"
    MULTIPLE_DISKS = "MULTIPLE_DISKS"
    ZIP64 = "ZIP64"
    BROKEN_DIRECTORY = "BROKEN_DIRECTORY"
    ENTRY_COUNT_MISMATCH = "ENTRY_COUNT_MISMATCH"
    TOO_MANY_ENTRIES = "TOO_MANY_ENTRIES"
    UNPACKED_TOO_LARGE = "UNPACKED_TOO_LARGE"
    # One entry.
    HEADER_MISMATCH = "HEADER_MISMATCH"
    BROKEN_HEADER = "BROKEN_HEADER"
    FORBIDDEN_EXTRA = "FORBIDDEN_EXTRA"
    FORBIDDEN_FLAG = "FORBIDDEN_FLAG"
    FORBIDDEN_METHOD = "FORBIDDEN_METHOD"
    ENCRYPTED = "ENCRYPTED"
    SPECIAL_FILE = "SPECIAL_FILE"
    SPECIAL_MODE = "SPECIAL_MODE"
    DIRECTORY_WITH_DATA = "DIRECTORY_WITH_DATA"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    RATIO_TOO_HIGH = "RATIO_TOO_HIGH"
    SIZE_MISMATCH = "SIZE_MISMATCH"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    BROKEN_STREAM = "BROKEN_STREAM"
    # Names of entries.
    PATH_TRAVERSAL = "PATH_TRAVERSAL"
    ABSOLUTE_PATH = "ABSOLUTE_PATH"
    PATH_NOT_CANONICAL = "PATH_NOT_CANONICAL"
    NAME_NOT_UTF8 = "NAME_NOT_UTF8"
    NAME_TOO_LONG = "NAME_TOO_LONG"
    PATH_TOO_DEEP = "PATH_TOO_DEEP"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    RESERVED_NAME = "RESERVED_NAME"
    DUPLICATE_ENTRY = "DUPLICATE_ENTRY"
    NAME_COLLISION = "NAME_COLLISION"
    FILE_AND_DIRECTORY = "FILE_AND_DIRECTORY"


class Text(NamedTuple):
    """A sentence in both languages."""

    en: str
    ko: str


MESSAGES = {
    Reason.NOT_AN_ARCHIVE: Text(
        "This is no ZIP archive: it begins with {found}.",
        "ZIP 파일이 아닙니다. 파일이 {found}(으)로 시작합니다.",
    ),
    Reason.ARCHIVE_TRUNCATED: Text(
        "The archive breaks off: its end is missing.",
        "ZIP 파일의 끝부분이 없습니다. 중간에 잘렸습니다.",
    ),
    Reason.ARCHIVE_TOO_LARGE: Text(
        "The archive has {found} bytes; at most {expected} are allowed.",
        "ZIP 파일 크기가 {found}바이트입니다. 최대 {expected}바이트까지 허용됩니다.",
    ),
    Reason.EMPTY_ARCHIVE: Text("The archive has no files.", "ZIP 파일에 파일이 없습니다."),
    Reason.ARCHIVE_COMMENT: Text(
        "The archive's comment is too long, or looks like another archive.",
        "ZIP 파일의 주석이 너무 길거나 다른 ZIP처럼 보입니다.",
    ),
    Reason.LEADING_DATA: Text(
        "{found} bytes lie before the first entry.",
        "첫 항목 앞에 {found}바이트가 있습니다.",
    ),
    Reason.TRAILING_DATA: Text(
        "{found} bytes lie after the end of the archive.",
        "ZIP 파일 끝 뒤에 {found}바이트가 있습니다.",
    ),
    Reason.HIDDEN_DATA: Text(
        "{found} bytes that belong to no entry lie before {path}.",
        "{path} 앞에 어느 항목에도 속하지 않는 {found}바이트가 있습니다.",
    ),
    Reason.ENTRIES_OVERLAP: Text(
        "{path} begins inside another entry, at byte {found}, not {expected}.",
        "{path} 항목이 다른 항목과 겹칩니다. 시작 위치가 {expected}이 아니라 {found}입니다.",
    ),
    Reason.MULTIPLE_DISKS: Text(
        "The archive is a part of several.",
        "여러 개로 나눈 ZIP의 일부입니다.",
    ),
    Reason.ZIP64: Text(
        "The archive uses ZIP64, which packages do not need.",
        "ZIP64 형식입니다. 패키지에는 필요하지 않습니다.",
    ),
    Reason.BROKEN_DIRECTORY: Text(
        "The archive's directory cannot be read: {found}.",
        "ZIP의 목록을 읽을 수 없습니다: {found}.",
    ),
    Reason.ENTRY_COUNT_MISMATCH: Text(
        "The archive says that it has {expected} entries, and has {found}.",
        "ZIP에 {expected}개 항목이 있다고 적혀 있지만 실제로는 {found}개입니다.",
    ),
    Reason.TOO_MANY_ENTRIES: Text(
        "The archive has {found} entries; at most {expected} are allowed.",
        "항목이 {found}개입니다. 최대 {expected}개까지 허용됩니다.",
    ),
    Reason.UNPACKED_TOO_LARGE: Text(
        "Unpacked, the archive has {found} bytes; at most {expected} are allowed.",
        "압축을 풀면 {found}바이트입니다. 최대 {expected}바이트까지 허용됩니다.",
    ),
    Reason.HEADER_MISMATCH: Text(
        "{path} is described in two ways: {expected} in the directory, {found} before its data.",
        "{path}의 정보가 서로 다릅니다. 목록에는 {expected}, 데이터 앞에는 {found}입니다.",
    ),
    Reason.BROKEN_HEADER: Text(
        "The header of {path} cannot be read: {found}.",
        "{path}의 헤더를 읽을 수 없습니다: {found}.",
    ),
    Reason.FORBIDDEN_EXTRA: Text(
        "{path} has an extra field {found}, with which readers see different names or sizes.",
        "{path}에 추가 필드 {found}이(가) 있습니다. 읽는 프로그램마다 이름이나 크기가 달라질 수 있습니다.",
    ),
    Reason.FORBIDDEN_FLAG: Text(
        "{path} has the flags {found}, which packages do not use.",
        "{path}에 패키지에서 쓰지 않는 플래그 {found}이(가) 있습니다.",
    ),
    Reason.FORBIDDEN_METHOD: Text(
        "{path} is compressed by method {found}; {expected} are read.",
        "{path}의 압축 방식은 {found}입니다. {expected}만 읽습니다.",
    ),
    Reason.ENCRYPTED: Text("{path} is encrypted.", "{path}은(는) 암호화되어 있습니다."),
    Reason.SPECIAL_FILE: Text(
        "{path} is a {found}; only files and directories are allowed.",
        "{path}은(는) {found}입니다. 일반 파일과 폴더만 허용됩니다.",
    ),
    Reason.SPECIAL_MODE: Text(
        "{path} has the mode {found}: set-user, set-group and sticky bits are not allowed.",
        "{path}의 권한은 {found}입니다. setuid, setgid, sticky 비트는 허용되지 않습니다.",
    ),
    Reason.DIRECTORY_WITH_DATA: Text(
        "{path} is a directory, and has {found} bytes of data.",
        "{path}은(는) 폴더인데 데이터가 {found}바이트 있습니다.",
    ),
    Reason.FILE_TOO_LARGE: Text(
        "{path} has {found} bytes; at most {expected} are allowed.",
        "{path}의 크기는 {found}바이트입니다. 최대 {expected}바이트까지 허용됩니다.",
    ),
    Reason.RATIO_TOO_HIGH: Text(
        "{path} unpacks to {found} times its size; at most {expected} times is allowed.",
        "{path}은(는) 압축을 풀면 {found}배가 됩니다. 최대 {expected}배까지 허용됩니다.",
    ),
    Reason.SIZE_MISMATCH: Text(
        "{path} should have {expected} bytes, and has {found}.",
        "{path}의 크기는 {expected}바이트여야 하지만 {found}바이트입니다.",
    ),
    Reason.CHECKSUM_MISMATCH: Text(
        "The content of {path} is damaged: its checksum is {found}, not {expected}.",
        "{path}의 내용이 손상되었습니다. 체크섬이 {expected}이 아니라 {found}입니다.",
    ),
    Reason.BROKEN_STREAM: Text(
        "The compressed data of {path} cannot be read: {found}.",
        "{path}의 압축 데이터를 읽을 수 없습니다: {found}.",
    ),
    Reason.PATH_TRAVERSAL: Text(
        "{path} leads out of the package.",
        "{path} 경로가 패키지 밖을 가리킵니다.",
    ),
    Reason.ABSOLUTE_PATH: Text("{path} is an absolute path.", "{path}은(는) 절대 경로입니다."),
    Reason.PATH_NOT_CANONICAL: Text(
        "{path} is not written the one way that a path is written.",
        "{path} 경로의 표기가 표준이 아닙니다.",
    ),
    Reason.NAME_NOT_UTF8: Text(
        "The name {path} is not in UTF-8.",
        "{path} 이름이 UTF-8이 아닙니다.",
    ),
    Reason.NAME_TOO_LONG: Text(
        "The name {path} has {found} bytes; at most {expected} are allowed.",
        "{path} 이름이 {found}바이트입니다. 최대 {expected}바이트까지 허용됩니다.",
    ),
    Reason.PATH_TOO_DEEP: Text(
        "{path} lies {found} levels deep; at most {expected} are allowed.",
        "{path}의 폴더 깊이는 {found}단계입니다. 최대 {expected}단계까지 허용됩니다.",
    ),
    Reason.FORBIDDEN_CHARACTER: Text(
        "{path} has the character {found}, which file names may not have.",
        "{path}에 파일 이름에 쓸 수 없는 문자 {found}이(가) 있습니다.",
    ),
    Reason.RESERVED_NAME: Text(
        "{path} has the part {found}, which Windows cannot store.",
        "{path}의 {found} 부분은 Windows에 저장할 수 없는 이름입니다.",
    ),
    Reason.DUPLICATE_ENTRY: Text("{path} is there twice.", "{path}이(가) 두 번 있습니다."),
    Reason.NAME_COLLISION: Text(
        "{path} and {found} are one name where case or spelling does not count.",
        "대소문자나 유니코드 표기를 구분하지 않으면 {path}와(과) {found}은(는) 같은 이름입니다.",
    ),
    Reason.FILE_AND_DIRECTORY: Text(
        "{path} is a file, and a directory.",
        "{path}은(는) 파일이면서 폴더입니다.",
    ),
}

_REPACK = Text(
    "Pack the module again with `millwright module pack`.",
    "`millwright module pack`으로 모듈을 다시 압축하세요.",
)
_UPLOAD_AGAIN = Text("Upload the package again.", "패키지를 다시 업로드하세요.")
_RENAME = Text("Rename it, and pack the module again.", "이름을 바꾸고 모듈을 다시 압축하세요.")
_SMALLER = Text(
    "Leave out what the module does not need at run time.",
    "모듈 실행에 필요 없는 파일을 빼세요.",
)
_UTF8 = Text(
    "Zip again with names in UTF-8; `millwright module pack` and 7-Zip do so, Windows Explorer may not.",
    "파일 이름을 UTF-8로 다시 압축하세요. `millwright module pack`과 7-Zip은 UTF-8을 씁니다.",
)

HINTS = {
    Reason.NOT_AN_ARCHIVE: _REPACK,
    Reason.ARCHIVE_TRUNCATED: _UPLOAD_AGAIN,
    Reason.ARCHIVE_TOO_LARGE: _SMALLER,
    Reason.UNPACKED_TOO_LARGE: _SMALLER,
    Reason.FILE_TOO_LARGE: _SMALLER,
    Reason.TOO_MANY_ENTRIES: _SMALLER,
    Reason.EMPTY_ARCHIVE: _REPACK,
    Reason.ARCHIVE_COMMENT: _REPACK,
    Reason.LEADING_DATA: _REPACK,
    Reason.TRAILING_DATA: _REPACK,
    Reason.HIDDEN_DATA: _REPACK,
    Reason.ENTRIES_OVERLAP: _REPACK,
    Reason.MULTIPLE_DISKS: _REPACK,
    Reason.ZIP64: _REPACK,
    Reason.BROKEN_DIRECTORY: _UPLOAD_AGAIN,
    Reason.ENTRY_COUNT_MISMATCH: _REPACK,
    Reason.HEADER_MISMATCH: _REPACK,
    Reason.BROKEN_HEADER: _UPLOAD_AGAIN,
    Reason.FORBIDDEN_EXTRA: _REPACK,
    Reason.FORBIDDEN_FLAG: _REPACK,
    Reason.FORBIDDEN_METHOD: _REPACK,
    Reason.ENCRYPTED: Text("Zip it without a password.", "암호 없이 다시 압축하세요."),
    Reason.SPECIAL_FILE: Text(
        "Put the file itself in its place.",
        "링크나 특수 파일 대신 실제 파일을 넣으세요.",
    ),
    Reason.SPECIAL_MODE: _REPACK,
    Reason.DIRECTORY_WITH_DATA: _REPACK,
    Reason.SIZE_MISMATCH: _REPACK,
    Reason.CHECKSUM_MISMATCH: _UPLOAD_AGAIN,
    Reason.BROKEN_STREAM: _UPLOAD_AGAIN,
    Reason.PATH_NOT_CANONICAL: _REPACK,
    Reason.NAME_NOT_UTF8: _UTF8,
    Reason.NAME_TOO_LONG: _RENAME,
    Reason.PATH_TOO_DEEP: _RENAME,
    Reason.FORBIDDEN_CHARACTER: _RENAME,
    Reason.RESERVED_NAME: _RENAME,
    Reason.DUPLICATE_ENTRY: _REPACK,
    Reason.NAME_COLLISION: _RENAME,
    Reason.FILE_AND_DIRECTORY: _REPACK,
}
