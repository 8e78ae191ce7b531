"""Resource names, as callers write them and as they are taken apart."""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.names import NameForm

from millwright_modules.domain.versions import Version

_MODULE = NameForm("modules/{code}")
_SETTINGS = NameForm("modules/{code}/settings")
_OPERATION = NameForm("operations/{uuid}")
_KEY = NameForm("signingKeys/{id}")
_UPLOAD = re.compile(r"uploads/([0-9a-f]{64})")
_VERSIONS = "/versions/"


class VersionName(NamedTuple):
    """A version's name, taken apart."""

    code: str
    version: str


def module(code: str) -> str:
    """Give the resource name of a module."""
    return f"modules/{code}"


def version(code: str, version: str) -> str:
    """Give the resource name of a version."""
    return f"modules/{code}{_VERSIONS}{version}"


def activation(code: str, generation: int) -> str:
    """Give the resource name of a row of the history."""
    return f"modules/{code}/activations/{generation}"


def settings(code: str) -> str:
    """Give the resource name of a module's settings."""
    return f"modules/{code}/settings"


def operation(operation: uuid.UUID) -> str:
    """Give the resource name of an operation."""
    return f"operations/{operation}"


def upload(digest: bytes) -> str:
    """Give the resource name of an upload."""
    return f"uploads/{digest.hex()}"


def key(key: str) -> str:
    """Give the resource name of a signing key."""
    return f"signingKeys/{key}"


def parse_module(name: str, field: str) -> str:
    """Give the code in a module's name; raise InvalidFields for `field` if it is malformed."""
    return _MODULE.parse(name, field)[0]


def parse_module_or_version(name: str, field: str) -> VersionName:
    """Take the name of a module or a version apart; the version is empty for a module. Raises InvalidFields."""
    module_name, separator, semver = name.partition(_VERSIONS)
    if separator:
        parse_version(semver, field)
    return VersionName(parse_module(module_name, field), semver)


def parse_version(semver: str, field: str) -> str:
    """Give a version such as 1.2.0 as it is; raise InvalidFields for `field` if it is none."""
    try:
        return str(Version.parse(semver))
    except ValueError:
        raise InvalidFields([Violation(field, "MALFORMED_NAME", "must name a version such as 1.2.0")]) from None


def parse_settings(name: str, field: str) -> str:
    """Give the code in the name of a module's settings; raise InvalidFields for `field` if it is malformed."""
    return _SETTINGS.parse(name, field)[0]


def parse_operation(name: str, field: str) -> uuid.UUID:
    """Give the id in an operation's name; raise InvalidFields for `field` if it is malformed."""
    return _OPERATION.parse_uuid(name, field)


def parse_upload(name: str, field: str) -> bytes:
    """Give the digest in an upload's name; raise InvalidFields for `field` if it is malformed."""
    match = _UPLOAD.fullmatch(name)
    if match is None:
        violation = Violation(field, "MALFORMED_NAME", "must have the form uploads/{SHA-256 in hex}")
        raise InvalidFields([violation])
    return bytes.fromhex(match[1])


def parse_key(name: str, field: str) -> str:
    """Give the id in a signing key's name; raise InvalidFields for `field` if it is malformed."""
    return _KEY.parse(name, field)[0]
