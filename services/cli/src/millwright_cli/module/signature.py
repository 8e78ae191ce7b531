"""Signatures: Ed25519 over the canonical list of a package's files, each with its size and SHA-256.

The list lies beside the signature in `module.signature.json`, so that a file that was changed can be named.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from millwright_cli.module.package import SIGNATURE, Files

_HEADER = b"millwright package files, version 1\n"
_KEY_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Fault(Enum):
    """What may be wrong with a signature."""

    UNSIGNED = "UNSIGNED"
    MALFORMED = "SIGNATURE_MALFORMED"
    INVALID = "SIGNATURE_INVALID"
    MISSING = "SIGNED_FILE_MISSING"
    ADDED = "FILE_NOT_SIGNED"
    CHANGED = "HASH_MISMATCH"


class Finding(NamedTuple):
    """A fault, and the file that has it."""

    fault: Fault
    path: str


class _File(NamedTuple):
    size_bytes: int
    sha256: str


def is_key_id(text: str) -> bool:
    """Tell whether a text is the id of a key."""
    return _KEY_ID.fullmatch(text) is not None


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """Read a private key; raise ValueError unless it is an Ed25519 key without a passphrase."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:  # a passphrase is needed
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("no Ed25519 key")  # noqa: TRY004 - a key of another kind is a wrong value
    return key


def public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key, also out of a private one; raise ValueError."""
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        return private_key(pem).public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")  # noqa: TRY004 - a key of another kind is a wrong value
    return key


def sign(files: Files, key_id: str, key: Ed25519PrivateKey) -> Files:
    """Give the files with a signature over all of them; one that was there is replaced."""
    listed = _listed(files)
    statement = {
        "schema_version": 1,
        "key": key_id,
        "files": {path: {"bytes": file.size_bytes, "sha256": file.sha256} for path, file in sorted(listed.items())},
        "signature": base64.b64encode(key.sign(_canonical(listed))).decode(),
    }
    text = json.dumps(statement, ensure_ascii=False, indent=2) + "\n"
    return {**files, SIGNATURE: text.encode()}


def signer(files: Files) -> str:
    """Give the id of the key that a package says it is signed with; empty if it does not say."""
    try:
        return _statement(files)[0]
    except (KeyError, ValueError, TypeError, AttributeError):
        return ""


def findings(files: Files, key: Ed25519PublicKey) -> Iterator[Finding]:
    """Give what is wrong with a package's signature, if it was to be made with this key."""
    if SIGNATURE not in files:
        yield Finding(Fault.UNSIGNED, SIGNATURE)
        return
    try:
        _, listed, signature = _statement(files)
    except (KeyError, ValueError, TypeError, AttributeError):
        yield Finding(Fault.MALFORMED, SIGNATURE)
        return
    present = _listed(files)
    for path in sorted(listed.keys() | present.keys()):
        if path not in present:
            yield Finding(Fault.MISSING, path)
        elif path not in listed:
            yield Finding(Fault.ADDED, path)
        elif listed[path] != present[path]:
            yield Finding(Fault.CHANGED, path)
    try:
        key.verify(signature, _canonical(listed))
    except InvalidSignature:
        yield Finding(Fault.INVALID, SIGNATURE)


def _statement(files: Files) -> tuple[str, dict[str, _File], bytes]:
    value: dict[str, Any] = json.loads(files[SIGNATURE])
    listed = {str(path): _File(int(file["bytes"]), str(file["sha256"])) for path, file in value["files"].items()}
    if value["schema_version"] != 1 or not is_key_id(value["key"]):
        raise ValueError("another version, or no key id")
    if not all(_SHA256.fullmatch(file.sha256) for file in listed.values()):
        raise ValueError("a hash is none")
    try:
        return value["key"], listed, base64.b64decode(value["signature"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _listed(files: Files) -> dict[str, _File]:
    return {
        path: _File(len(content), hashlib.sha256(content).hexdigest())
        for path, content in files.items()
        if path != SIGNATURE
    }


def _canonical(listed: dict[str, _File]) -> bytes:
    """Give a line a file, by path: the path's length in bytes, the path, size and digest. No two lists are alike."""
    paths = ((path.encode("utf-8", "surrogatepass"), file) for path, file in listed.items())
    lines = [
        b"%d:%s %d %s\n" % (len(path), path, file.size_bytes, file.sha256.encode()) for path, file in sorted(paths)
    ]
    return _HEADER + b"".join(lines)
