"""What a package may hold: kinds of files that a module needs, and all that its manifest names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.problem import Problem
from millwright_modules.domain.words import Reason

SOURCES = frozenset({".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".css", ".json"})
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".csv": "text/csv",
}
_TEXTS = frozenset({".md", ".yaml", ".yml"})
_PLAIN_NAMES = frozenset({"LICENSE", "NOTICE", "README", "CHANGELOG", "AUTHORS", ".gitignore", ".gitattributes"})
_ALLOWED = SOURCES | MEDIA_TYPES.keys() | _TEXTS


def media_type(path: str) -> str:
    """Give the media type that a file is served with."""
    return MEDIA_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def problems(manifest: Manifest, files: Collection[str]) -> Iterator[Problem]:
    """Give what is wrong with a package's files."""
    for path in sorted(files):
        name = PurePosixPath(path)
        if name.suffix.lower() not in _ALLOWED and name.name not in _PLAIN_NAMES:
            yield Problem(Reason.FORBIDDEN_FILE_TYPE, path, found=name.suffix or name.name)
    named = {f"/backend/rulesets/{place}": path for place, path in enumerate(manifest.rulesets)}
    named |= {f"/backend/workflows/{place}": path for place, path in enumerate(manifest.workflows)}
    if manifest.frontend:
        named["/frontend/prebuilt" if manifest.frontend.is_prebuilt else "/frontend/entry"] = manifest.frontend.entry
    for pointer, path in named.items():
        if path not in files:
            yield Problem(Reason.FILE_MISSING, pointer, path, "nothing")
