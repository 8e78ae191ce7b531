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
    # The manifest and the contents.
    MANIFEST_MISSING = "MANIFEST_MISSING"
    MANIFEST_TOO_LARGE = "MANIFEST_TOO_LARGE"
    MANIFEST_TOO_DEEP = "MANIFEST_TOO_DEEP"
    MANIFEST_MALFORMED = "MANIFEST_MALFORMED"
    MANIFEST_INVALID = "MANIFEST_INVALID"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    INVALID_VERSION = "INVALID_VERSION"
    INVALID_RANGE = "INVALID_RANGE"
    INVALID_SETTINGS_SCHEMA = "INVALID_SETTINGS_SCHEMA"
    SCHEMA_TOO_COSTLY = "SCHEMA_TOO_COSTLY"
    SCHEMA_RECURSIVE = "SCHEMA_RECURSIVE"
    INVALID_DEFAULTS = "INVALID_DEFAULTS"
    UNKNOWN_EXTERNAL = "UNKNOWN_EXTERNAL"
    FORBIDDEN_FILE_TYPE = "FORBIDDEN_FILE_TYPE"
    FILE_MISSING = "FILE_MISSING"
    ROUTE_UNKNOWN = "ROUTE_UNKNOWN"
    ROUTE_NOT_PERMITTED = "ROUTE_NOT_PERMITTED"
    ROUTE_TWICE = "ROUTE_TWICE"
    DOCUMENT_REFUSED = "DOCUMENT_REFUSED"
    BACKEND_UNCHECKED = "BACKEND_UNCHECKED"
    # Dependencies.
    PLATFORM_UNSUITABLE = "PLATFORM_UNSUITABLE"
    DEPENDENCY_MISSING = "DEPENDENCY_MISSING"
    DEPENDENCY_DISABLED = "DEPENDENCY_DISABLED"
    DEPENDENCY_VERSION = "DEPENDENCY_VERSION"
    DEPENDENCY_CYCLE = "DEPENDENCY_CYCLE"
    DEPENDENT = "DEPENDENT"
    DEPENDENT_CONFLICT = "DEPENDENT_CONFLICT"
    DEPENDENT_LEFT = "DEPENDENT_LEFT"
    DOWNGRADE = "DOWNGRADE"
    VERSION_TAKEN = "VERSION_TAKEN"
    # Signatures.
    UNSIGNED = "UNSIGNED"
    SIGNATURE_MALFORMED = "SIGNATURE_MALFORMED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    SIGNER_CHANGED = "SIGNER_CHANGED"
    SIGNED_FILE_MISSING = "SIGNED_FILE_MISSING"
    FILE_NOT_SIGNED = "FILE_NOT_SIGNED"
    HASH_MISMATCH = "HASH_MISMATCH"
    PREBUILT_UNSIGNED = "PREBUILT_UNSIGNED"
    # Builds.
    BUILD_UNAVAILABLE = "BUILD_UNAVAILABLE"
    BUILD_FAILED = "BUILD_FAILED"
    BUILD_WARNING = "BUILD_WARNING"
    BUILD_OUT_OF_MEMORY = "BUILD_OUT_OF_MEMORY"
    BUILD_OUT_OF_TIME = "BUILD_OUT_OF_TIME"
    IMPORT_UNRESOLVED = "IMPORT_UNRESOLVED"
    IMPORT_FORBIDDEN = "IMPORT_FORBIDDEN"
    PREBUILT_UNCHECKED = "PREBUILT_UNCHECKED"
    # Installing.
    SETTINGS_UNFIT = "SETTINGS_UNFIT"
    GENERATION_MISMATCH = "GENERATION_MISMATCH"
    PACKAGE_MISSING = "PACKAGE_MISSING"
    UNHEALTHY = "UNHEALTHY"
    LEFT_BY_OTHERS = "LEFT_BY_OTHERS"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    GIVEN_UP = "GIVEN_UP"
    INTERNAL = "INTERNAL"


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
    Reason.MANIFEST_MISSING: Text(
        "The package has no {expected} at its top.",
        "패키지 최상위에 {expected} 파일이 없습니다.",
    ),
    Reason.MANIFEST_TOO_LARGE: Text(
        "{path} has {found} bytes; at most {expected} are allowed.",
        "{path}의 크기가 {found}바이트입니다. 최대 {expected}바이트까지 허용됩니다.",
    ),
    Reason.MANIFEST_TOO_DEEP: Text(
        "{path} is nested deeper than {expected} levels.",
        "{path}의 중첩이 {expected}단계보다 깊습니다.",
    ),
    Reason.MANIFEST_MALFORMED: Text(
        "{path} is not {expected}: {found}.",
        "{path}은(는) {expected} 형식이 아닙니다: {found}.",
    ),
    Reason.MANIFEST_INVALID: Text(
        "{path} in module.json is wrong: {found}",
        "module.json의 {path} 값이 잘못되었습니다: {found}",
    ),
    Reason.DUPLICATE_KEY: Text(
        "{path} has the key {found} twice in one object.",
        "{path}의 한 객체에 {found} 키가 두 번 있습니다.",
    ),
    Reason.UNKNOWN_KEY: Text(
        "{path} in module.json has a key that is not known: {found}",
        "module.json의 {path}에 알 수 없는 키가 있습니다: {found}",
    ),
    Reason.INVALID_VERSION: Text(
        "{path} is {found}, which is no version such as {expected}.",
        "{path} 값 {found}은(는) {expected} 같은 버전이 아닙니다.",
    ),
    Reason.INVALID_RANGE: Text(
        "{path} is {found}, which is no range of versions such as {expected}.",
        "{path} 값 {found}은(는) {expected} 같은 버전 범위가 아닙니다.",
    ),
    Reason.INVALID_SETTINGS_SCHEMA: Text(
        "{path} is not {expected}: {found}",
        "{path}은(는) {expected}가 아닙니다: {found}",
    ),
    Reason.SCHEMA_TOO_COSTLY: Text(
        "Checking settings by {path} would take too long: {found} steps a value; at most {expected} are taken.",
        "{path} 검사가 너무 오래 걸립니다. 값 하나에 {found}단계이며 최대 {expected}단계입니다.",
    ),
    Reason.SCHEMA_RECURSIVE: Text(
        "{path} leads in a circle: it lies within {found}.",
        "{path}의 참조가 순환합니다. {found} 안에 있습니다.",
    ),
    Reason.INVALID_DEFAULTS: Text(
        "{path} does not fit the schema of the settings: {found}",
        "{path} 값이 설정 스키마에 맞지 않습니다: {found}",
    ),
    Reason.UNKNOWN_EXTERNAL: Text(
        "{path} is {found}, which the platform does not bring; it brings {expected}.",
        "{path} 값 {found}은(는) 플랫폼이 제공하지 않습니다. 제공하는 것: {expected}.",
    ),
    Reason.FORBIDDEN_FILE_TYPE: Text(
        "{path} is of a kind that modules may not hold: {found}.",
        "{path}은(는) 모듈에 넣을 수 없는 종류의 파일입니다: {found}.",
    ),
    Reason.FILE_MISSING: Text(
        "{path} names {expected}, which is not in the package.",
        "{path}이(가) 가리키는 {expected} 파일이 패키지에 없습니다.",
    ),
    Reason.ROUTE_UNKNOWN: Text(
        "{path} is {found}, which no service of this platform has.",
        "{path} 값 {found}은(는) 이 플랫폼의 어느 서비스에도 없습니다.",
    ),
    Reason.ROUTE_NOT_PERMITTED: Text(
        "{path} is {found}, for which the module needs the permission {expected}.",
        "{path} 값 {found}을(를) 호출하려면 모듈에 {expected} 권한이 필요합니다.",
    ),
    Reason.ROUTE_TWICE: Text(
        "{path} is {found}, which {expected} has already.",
        "{path} 값 {found}은(는) {expected}에 이미 있습니다.",
    ),
    Reason.DOCUMENT_REFUSED: Text(
        "The {expected} service would not take {path}: {found}",
        "{expected} 서비스가 {path} 파일을 받아들이지 않습니다: {found}",
    ),
    Reason.BACKEND_UNCHECKED: Text(
        "What the module brings under {path} was not checked: without {expected}, the {found} service cannot be asked.",
        "모듈의 {path} 파일은 검사하지 않았습니다. {expected} 설정이 없어 {found} 서비스에 물을 수 없습니다.",
    ),
    Reason.PLATFORM_UNSUITABLE: Text(
        "The module needs a platform {expected}; this one is {found}.",
        "이 모듈은 플랫폼 {expected}이(가) 필요하지만 현재 버전은 {found}입니다.",
    ),
    Reason.DEPENDENCY_MISSING: Text(
        "The module needs {expected}, which is not installed.",
        "이 모듈에 필요한 {expected}이(가) 설치되어 있지 않습니다.",
    ),
    Reason.DEPENDENCY_DISABLED: Text(
        "The module needs {expected}; {found} is disabled.",
        "이 모듈에는 {expected}이(가) 필요하지만 {found}은(는) 비활성 상태입니다.",
    ),
    Reason.DEPENDENCY_VERSION: Text(
        "The module needs {expected}; {found} is live.",
        "이 모듈에는 {expected}이(가) 필요하지만 현재 {found}입니다.",
    ),
    Reason.DEPENDENCY_CYCLE: Text(
        "The dependencies go in a circle: {found}.",
        "의존 관계가 순환합니다: {found}.",
    ),
    Reason.DEPENDENT: Text(
        "{path} needs {found}, and goes with it.",
        "{path}은(는) {found}이(가) 필요하므로 함께 제거됩니다.",
    ),
    Reason.DEPENDENT_CONFLICT: Text(
        "{path} needs this module {expected}, not {found}.",
        "{path}에는 이 모듈의 {expected}이(가) 필요합니다. {found}은(는) 맞지 않습니다.",
    ),
    Reason.DEPENDENT_LEFT: Text(
        "{path} needs this module {expected}, and is left with {found}.",
        "{path}에는 이 모듈의 {expected}이(가) 필요하지만 현재 버전은 {found}입니다.",
    ),
    Reason.DOWNGRADE: Text(
        "{found} is older than the live version {expected}.",
        "{found}은(는) 현재 버전 {expected}보다 오래되었습니다.",
    ),
    Reason.VERSION_TAKEN: Text(
        "Version {path} is installed with other content.",
        "버전 {path}이(가) 다른 내용으로 이미 설치되어 있습니다.",
    ),
    Reason.UNSIGNED: Text(
        "The package is not signed.",
        "패키지에 서명이 없습니다.",
    ),
    Reason.SIGNATURE_MALFORMED: Text(
        "{path} is not what a signature looks like.",
        "{path}의 형식이 올바른 서명이 아닙니다.",
    ),
    Reason.SIGNATURE_INVALID: Text(
        "The signature by {found} is not good.",
        "{found} 키의 서명이 올바르지 않습니다.",
    ),
    Reason.SIGNER_UNKNOWN: Text(
        "The key {found} is not trusted here.",
        "{found} 키는 신뢰 목록에 없습니다.",
    ),
    Reason.SIGNER_CHANGED: Text(
        "The live version is signed by {expected}, this one by {found}.",
        "현재 버전의 서명자는 {expected}, 새 버전의 서명자는 {found}입니다.",
    ),
    Reason.SIGNED_FILE_MISSING: Text(
        "{path} was signed, and is not in the package.",
        "서명된 {path} 파일이 패키지에 없습니다.",
    ),
    Reason.FILE_NOT_SIGNED: Text(
        "{path} is in the package, and was not signed.",
        "{path} 파일은 서명에 포함되지 않았습니다.",
    ),
    Reason.HASH_MISMATCH: Text(
        "{path} was changed after it was signed: {found}, not {expected}.",
        "{path} 파일이 서명 후 변경되었습니다: {expected}이 아니라 {found}.",
    ),
    Reason.PREBUILT_UNSIGNED: Text(
        "{path} is a frontend that was built elsewhere, which goes live only with a good signature by a trusted key.",
        "{path}은(는) 다른 곳에서 빌드한 프런트엔드입니다. 신뢰하는 키의 올바른 서명이 있어야 설치할 수 있습니다.",
    ),
    Reason.BUILD_UNAVAILABLE: Text(
        "Frontends are not built here: the machine lacks {expected}, without which a build could read its secrets.",
        "이 서버에서는 프런트엔드를 빌드하지 않습니다. 빌드를 격리하는 데 필요한 {expected}이(가) 없습니다.",
    ),
    Reason.BUILD_FAILED: Text("{path} does not build: {found}", "{path} 빌드에 실패했습니다: {found}"),
    Reason.BUILD_WARNING: Text("{path} builds, but: {found}", "{path} 빌드 경고: {found}"),
    Reason.BUILD_OUT_OF_MEMORY: Text(
        "Building {path} needs more memory than {expected}.",
        "{path} 빌드에 필요한 메모리가 {expected}를 넘습니다.",
    ),
    Reason.BUILD_OUT_OF_TIME: Text(
        "Building {path} takes more than {expected}.",
        "{path} 빌드 시간이 {expected}를 넘습니다.",
    ),
    Reason.IMPORT_UNRESOLVED: Text(
        "{path} needs {found}, which is neither in the module nor brought by the platform.",
        "{path}에 필요한 {found}이(가) 모듈에도 플랫폼에도 없습니다.",
    ),
    Reason.IMPORT_FORBIDDEN: Text(
        "{path} reaches for {found}, which is outside the module.",
        "{path}이(가) 모듈 밖의 {found}을(를) 읽으려 합니다.",
    ),
    Reason.PREBUILT_UNCHECKED: Text(
        "What {path} loads was not checked: the machine lacks {expected}.",
        "{path} 파일이 불러오는 것을 확인하지 않았습니다. 이 서버에 {expected}이(가) 없습니다.",
    ),
    Reason.SETTINGS_UNFIT: Text(
        "The settings that are saved would not fit this version: {path}: {found}",
        "저장된 설정이 이 버전에 맞지 않습니다: {path}: {found}",
    ),
    Reason.GENERATION_MISMATCH: Text(
        "The module was changed meanwhile: it is at generation {found}, not {expected}.",
        "그 사이에 모듈이 변경되었습니다. 세대가 {expected}이 아니라 {found}입니다.",
    ),
    Reason.PACKAGE_MISSING: Text(
        "The package {path} is not here any more, or is damaged.",
        "패키지 {path}이(가) 없거나 손상되었습니다.",
    ),
    Reason.UNHEALTHY: Text(
        "{path} cannot be served: {found}.",
        "{path} 파일을 제공할 수 없습니다: {found}.",
    ),
    Reason.LEFT_BY_OTHERS: Text(
        "While its health was watched, another change was made: {found} is live.",
        "상태를 확인하는 동안 다른 변경이 있었습니다. 현재 버전: {found}.",
    ),
    Reason.BACKEND_UNAVAILABLE: Text(
        "What it needs did not answer as it should: {found}",
        "필요한 서비스가 정상적으로 응답하지 않았습니다: {found}",
    ),
    Reason.GIVEN_UP: Text(
        "The operation was begun {found} times and never came to an end.",
        "작업을 {found}번 시작했지만 끝내지 못했습니다.",
    ),
    Reason.INTERNAL: Text(
        "Something went wrong here; the log has it under {found}.",
        "내부 오류가 발생했습니다. 로그에서 {found}을(를) 찾으세요.",
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
    Reason.MANIFEST_MISSING: Text(
        "Zip what is in the module's directory, not the directory itself.",
        "모듈 폴더 자체가 아니라 폴더 안의 내용을 압축하세요.",
    ),
    Reason.SCHEMA_TOO_COSTLY: Text(
        "Let fewer parts of the schema refer to one another, and name fewer values and patterns.",
        "스키마 안의 참조와 값, 패턴의 수를 줄이세요.",
    ),
    Reason.SCHEMA_RECURSIVE: Text(
        "Write out as many levels as the settings have.",
        "설정에 필요한 단계만큼 스키마를 펼쳐서 쓰세요.",
    ),
    Reason.FORBIDDEN_FILE_TYPE: _SMALLER,
    Reason.ROUTE_NOT_PERMITTED: Text(
        "Name it under `permissions`, or take the route out.",
        "`permissions`에 권한을 추가하거나 경로를 빼세요.",
    ),
    Reason.DOCUMENT_REFUSED: Text(
        "Mend the file, and pack the module again.", "파일을 고친 뒤 모듈을 다시 압축하세요."
    ),
    Reason.BACKEND_UNCHECKED: Text(
        "Set {expected}, or check the files before you publish them.",
        "{expected}을(를) 설정하거나, 게시하기 전에 파일을 확인하세요.",
    ),
    Reason.DEPENDENCY_MISSING: Text("Install it first.", "먼저 설치하세요."),
    Reason.DEPENDENCY_DISABLED: Text("Enable it first.", "먼저 활성화하세요."),
    Reason.DEPENDENCY_VERSION: Text("Upgrade it first.", "먼저 업그레이드하세요."),
    Reason.DEPENDENT_LEFT: Text(
        "Disable it, or install a version of this module that suits it.",
        "해당 모듈을 비활성화하거나, 이 모듈의 맞는 버전을 설치하세요.",
    ),
    Reason.DOWNGRADE: Text("Allow the downgrade, or roll back.", "다운그레이드를 허용하거나 롤백하세요."),
    Reason.VERSION_TAKEN: Text("Raise the module's version.", "모듈 버전을 올리세요."),
    Reason.UNSIGNED: Text("Sign it with `millwright module sign`.", "`millwright module sign`으로 서명하세요."),
    Reason.SIGNER_UNKNOWN: Text("Add the key, if you trust it.", "신뢰할 수 있는 키라면 등록하세요."),
    Reason.SIGNER_CHANGED: Text(
        "Allow the change, if the publisher confirms it.", "발행자에게 확인한 뒤 변경을 허용하세요."
    ),
    Reason.HASH_MISMATCH: Text("Get the package from its publisher again.", "발행자에게서 패키지를 다시 받으세요."),
    Reason.PREBUILT_UNSIGNED: Text(
        "Sign it by `millwright module sign` with a key trusted here, or bring the source as `frontend.entry`.",
        "이 서버가 신뢰하는 키와 `millwright module sign`으로 서명하거나, 소스를 `frontend.entry`로 넣으세요.",
    ),
    Reason.BUILD_UNAVAILABLE: Text(
        "Build it elsewhere, name the file as `frontend.prebuilt`, and sign the package; or run the service on "
        "Linux 6.7 or newer with Landlock.",
        "다른 곳에서 빌드한 파일을 `frontend.prebuilt`로 지정하고 패키지에 서명하세요. "
        "또는 Landlock을 지원하는 Linux 6.7 이상에서 서비스를 실행하세요.",
    ),
    Reason.BUILD_OUT_OF_MEMORY: _SMALLER,
    Reason.BUILD_OUT_OF_TIME: _SMALLER,
    Reason.IMPORT_UNRESOLVED: Text(
        "Put it into the module, or import what the platform brings: {expected}.",
        "모듈에 직접 넣거나 플랫폼이 제공하는 것을 쓰세요: {expected}.",
    ),
    Reason.IMPORT_FORBIDDEN: Text("Put it into the module.", "모듈 안에 넣으세요."),
    Reason.SETTINGS_UNFIT: Text(
        "Change the settings, or bring a migration of them.", "설정을 변경하거나 설정 마이그레이션을 추가하세요."
    ),
    Reason.GENERATION_MISMATCH: Text("Look at the module, and install again.", "모듈을 확인한 뒤 다시 설치하세요."),
    Reason.PACKAGE_MISSING: Text("Upload it again.", "다시 업로드하세요."),
    Reason.BACKEND_UNAVAILABLE: Text(
        "Install it again once that is back; the package need not be uploaded again.",
        "복구된 뒤 다시 설치하세요. 패키지를 다시 업로드할 필요는 없습니다.",
    ),
}
