"""Names of entries: each is read in one way by every reader on every system, or it is refused.

After this check a path is relative, canonical, NFKC-stable UTF-8 made of letters, digits and harmless signs, and no two
paths of a package are one where case or spelling does not count. Letters that macOS has taken apart are put together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from millwright_modules.archive.limits import Limits
from millwright_modules.domain.problem import refusal, shown
from millwright_modules.domain.words import Reason

UTF8_FLAG = 1 << 11
_UTF8_HOSTS = frozenset({3, 19})
"""Unix and macOS, whose tools write names in UTF-8 and do not always say so."""
_PLAIN = re.compile(r"[A-Za-z0-9 !#$%&'()+,\-./=@\[\]^_{}~]*")
_LETTERS = frozenset({"Ll", "Lu", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd"})
"""Unicode's categories of letters, marks and digits."""
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"}
)
_LEFTOVERS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def read(raw: bytes, flags: int, host: int, limits: Limits) -> str:
    """Give the path of an entry of the system `host`, with a trailing slash for a directory; raise Refused."""
    if not raw:
        raise refusal(Reason.PATH_NOT_CANONICAL, found="an empty name")
    if len(raw) > limits.path_bytes:
        raise refusal(Reason.NAME_TOO_LONG, shown(raw), limits.path_bytes, len(raw))
    path = unicodedata.normalize("NFC", _decoded(raw, flags, host))
    _check_characters(path)
    parts = path.removesuffix("/").split("/")
    _check_parts(path, parts, limits)
    return path


def is_leftover(path: str) -> bool:
    """Tell whether a path is what a desktop leaves behind, which is checked, and not unpacked."""
    parts = path.removesuffix("/").split("/")
    return parts[0] == "__MACOSX" or parts[-1] in _LEFTOVERS or parts[-1].startswith("._")


def check_tree(paths: Iterable[str]) -> None:
    """Hold that the paths make one tree on every file system; raise Refused."""
    files: set[str] = set()
    directories: set[str] = set()
    spelled: dict[str, str] = {}
    for path in paths:
        plain = path.removesuffix("/")
        own = directories if path.endswith("/") else files
        if plain in own:
            raise refusal(Reason.DUPLICATE_ENTRY, path)
        own.add(plain)
    implied = {parent for path in files | directories for parent in _parents(path)}
    if both := sorted(files & (directories | implied)):
        raise refusal(Reason.FILE_AND_DIRECTORY, both[0])
    for path in sorted(files | directories | implied):
        other = spelled.setdefault(_folded(path), path)
        if other != path:
            raise refusal(Reason.NAME_COLLISION, path, found=other)


def _decoded(raw: bytes, flags: int, host: int) -> str:
    """Decode a name; other encodings, such as CP949, are no valid UTF-8 but by the rarest chance."""
    if raw.isascii():
        return raw.decode("ascii")
    if not flags & UTF8_FLAG and host not in _UTF8_HOSTS:
        raise refusal(Reason.NAME_NOT_UTF8, shown(raw), "the UTF-8 flag", "none")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise refusal(Reason.NAME_NOT_UTF8, shown(raw), "UTF-8", "other bytes") from None


def _check_characters(path: str) -> None:
    if path.startswith(("/", "\\\\")) or _DRIVE.match(path):
        raise refusal(Reason.ABSOLUTE_PATH, path)
    if _PLAIN.fullmatch(path):
        return
    for letter in path:
        if not (_PLAIN.fullmatch(letter) or unicodedata.category(letter) in _LETTERS):
            raise refusal(Reason.FORBIDDEN_CHARACTER, path, found=f"U+{ord(letter):04X}")
    if unicodedata.normalize("NFKC", path) != path:
        raise refusal(Reason.PATH_NOT_CANONICAL, path, unicodedata.normalize("NFKC", path), path)


def _check_parts(path: str, parts: list[str], limits: Limits) -> None:
    if ".." in parts:
        raise refusal(Reason.PATH_TRAVERSAL, path)
    if "." in parts or "" in parts:
        raise refusal(Reason.PATH_NOT_CANONICAL, path, "/".join(part for part in parts if part not in {"", "."}), path)
    if len(parts) > limits.depth:
        raise refusal(Reason.PATH_TOO_DEEP, path, limits.depth, len(parts))
    for part in parts:
        if len(part.encode()) > limits.part_bytes:
            raise refusal(Reason.NAME_TOO_LONG, path, limits.part_bytes, len(part.encode()))
        if part[-1] in " ." or part[0] == " " or part.split(".")[0].strip().casefold() in _DEVICES:
            raise refusal(Reason.RESERVED_NAME, path, found=part)


def _parents(path: str) -> Iterable[str]:
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


def _folded(path: str) -> str:
    return path.lower() if path.isascii() else unicodedata.normalize("NFKC", path.casefold())
