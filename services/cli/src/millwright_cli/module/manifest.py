"""What the command itself reads of a manifest. Whether it is right is for the service to say."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from millwright_cli.module.package import MANIFEST, BadPackageError, Files

_CODE = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,64}")


@dataclass(frozen=True)
class Manifest:
    """What a package is called, and the files that it says it brings."""

    code: str
    version: str
    named: tuple[tuple[str, str], ...]
    """By JSON pointer."""


def is_code(text: str) -> bool:
    """Tell whether a text is the code of a module."""
    return _CODE.fullmatch(text) is not None


def read(files: Files) -> Manifest:
    """Read the manifest of a package; raise BadPackageError if it is none, or names a file that is not there."""
    try:
        value = json.loads(files[MANIFEST].decode("utf-8-sig"))
        manifest = Manifest(value["code"], value["version"], tuple(_named(value)))
        is_named = is_code(manifest.code) and _VERSION.fullmatch(manifest.version)
    except json.JSONDecodeError as error:
        raise BadPackageError(MANIFEST, f"{error.msg} (line {error.lineno}, column {error.colno})") from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BadPackageError(MANIFEST, "it is no manifest: it needs a code and a version") from error
    if not is_named:
        raise BadPackageError(MANIFEST, f"{manifest.code!r} is no code, or {manifest.version!r} is no version")
    for pointer, path in manifest.named:
        if path not in files:
            raise BadPackageError(MANIFEST, f"{pointer} names {path}, which is not there")
    return manifest


def _named(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("entry", "prebuilt"):
        if key in value.get("frontend", {}):
            yield f"/frontend/{key}", value["frontend"][key]
    for key in ("rulesets", "workflows"):
        for place, path in enumerate(value.get("backend", {}).get(key, [])):
            yield f"/backend/{key}/{place}", path
