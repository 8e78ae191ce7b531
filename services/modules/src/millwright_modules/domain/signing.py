"""Signatures: Ed25519 over the canonical list of a package's files, each with its size and SHA-256.

The list and the signature lie in `module.signature.json`; with the list, a package that was changed is refused with the
name of the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import jsonschema_rs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from millwright_modules.domain.problem import Problem, shown
from millwright_modules.domain.words import Reason

FILE = "module.signature.json"
LARGEST_BYTES = 8 << 20
"""How large the file with the signature may be: 20,000 files take less."""
_HEADER = b"millwright package files, version 1\n"
_KEY_BYTES = 32
_RULES = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["schema_version", "key", "files", "signature"],
        "additionalProperties": False,
        "properties": {
            "schema_version": {"const": 1},
            "key": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
            "signature": {"type": "string", "maxLength": 100},
            "files": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["bytes", "sha256"],
                    "additionalProperties": False,
                    "properties": {
                        "bytes": {"type": "integer", "minimum": 0},
                        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    },
                },
            },
        },
    }
)


class Policy(StrEnum):
    """What is asked of packages."""

    OFF = "OFF"
    WARN = "WARN"
    ENFORCE = "ENFORCE"


class FileHash(NamedTuple):
    """What a file is."""

    size_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who signed a package, and what is wrong with its signature."""

    signer: str
    """The key's id; empty unless the signature is good and the key is trusted."""
    problems: tuple[Problem, ...]


def is_public_key(key: bytes) -> bool:
    """Tell whether bytes are an Ed25519 public key."""
    return len(key) == _KEY_BYTES


def sign(files: Mapping[str, FileHash], key_id: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Give the content of `module.signature.json` for the files of a package."""
    return {
        "schema_version": 1,
        "key": key_id,
        "files": {
            path: {"bytes": file.size_bytes, "sha256": file.digest.hex()} for path, file in sorted(files.items())
        },
        "signature": base64.b64encode(key.sign(_canonical(files))).decode(),
    }


def verify(
    statement: Any,
    files: Mapping[str, FileHash],
    trusted: Mapping[str, bytes],
    policy: Policy,
    *,
    is_prebuilt: bool = False,
) -> Verdict:
    """Judge a package's signature: `statement` is what its signature file holds, None if it has none.

    `files` are all files of the package but the signature file, `trusted` the public keys by id. Under WARN, what is
    wrong is a warning; under OFF nothing is said. A frontend that was built before needs a good signature under each.
    """
    found = tuple(_faults(statement, files, trusted))
    signer = "" if found else statement["key"]
    if found and is_prebuilt:
        return Verdict(signer, (Problem(Reason.PREBUILT_UNSIGNED, "/frontend/prebuilt"), *found))
    match policy:
        case Policy.OFF:
            return Verdict(signer, ())
        case Policy.WARN:
            return Verdict(signer, tuple(problem.as_warning() for problem in found))
        case Policy.ENFORCE:
            return Verdict(signer, found)


def _faults(statement: Any, files: Mapping[str, FileHash], trusted: Mapping[str, bytes]) -> Iterator[Problem]:
    if statement is None:
        yield Problem(Reason.UNSIGNED, FILE)
        return
    if not _RULES.is_valid(statement):
        yield Problem(Reason.SIGNATURE_MALFORMED, FILE)
        return
    listed = {path: FileHash(file["bytes"], bytes.fromhex(file["sha256"])) for path, file in statement["files"].items()}
    yield from _differences(listed, files)
    key = trusted.get(statement["key"])
    if key is None:
        yield Problem(Reason.SIGNER_UNKNOWN, FILE, ", ".join(sorted(trusted)), statement["key"])
    elif not _is_good(key, statement["signature"], listed):
        yield Problem(Reason.SIGNATURE_INVALID, FILE, found=statement["key"])


def _differences(listed: Mapping[str, FileHash], files: Mapping[str, FileHash]) -> Iterator[Problem]:
    for path in sorted(listed.keys() - files.keys()):
        yield Problem(Reason.SIGNED_FILE_MISSING, shown(path))
    for path in sorted(files.keys() - listed.keys()):
        yield Problem(Reason.FILE_NOT_SIGNED, path)
    for path in sorted(files.keys() & listed.keys()):
        if files[path] != listed[path]:
            yield Problem(Reason.HASH_MISMATCH, path, listed[path].digest.hex(), files[path].digest.hex())


def _is_good(key: bytes, signature: str, listed: Mapping[str, FileHash]) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature, validate=True), _canonical(listed))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _canonical(files: Mapping[str, FileHash]) -> bytes:
    """Give a line a file, by path: the path's length in bytes, the path, size and digest. No two lists are alike."""
    paths = ((path.encode("utf-8", "surrogatepass"), file) for path, file in files.items())
    lines = [
        b"%d:%s %d %s\n" % (len(path), path, file.size_bytes, file.digest.hex().encode())
        for path, file in sorted(paths)
    ]
    return _HEADER + b"".join(lines)
