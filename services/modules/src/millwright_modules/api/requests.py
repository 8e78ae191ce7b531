"""What callers send, checked: every wrong field at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from millwright.modules.v1 import module_service_pb2 as pb
from millwright_runtime.api import calls, fields
from millwright_runtime.errors import InvalidFields, Violation

from millwright_modules.domain.module import Actor
from millwright_modules.domain.operation import MOST_HEALTH_TIME, USUAL_HEALTH_TIME, Options
from millwright_modules.domain.signing import Policy, is_public_key

_DIGEST_BYTES = 32
_MOST_PIECE_BYTES = 1 << 20
_MOST_FILE_NAME = 255
_MOST_OWNER = 200


class Announcement(NamedTuple):
    """A package that will come."""

    digest: bytes
    total_bytes: int
    file_name: str


class Wish(NamedTuple):
    """How to install, and over what."""

    options: Options
    expected_generation: int | None


def announcement(request: pb.CreateUploadRequest) -> Announcement:
    """Read what is announced."""
    faults = list(_digest_faults(request.digest, "digest"))
    if request.total_bytes < 1:
        faults.append(Violation("total_bytes", "OUT_OF_RANGE", "must be at least 1"))
    if faults:
        raise InvalidFields(faults)
    return Announcement(
        request.digest, request.total_bytes, fields.text(request.file_name, "file_name", _MOST_FILE_NAME)
    )


def piece(data: bytes) -> bytes:
    """Give a piece of a package as it is."""
    if len(data) > _MOST_PIECE_BYTES:
        raise InvalidFields([Violation("data", "TOO_LONG", f"must be at most {_MOST_PIECE_BYTES} bytes")])
    return data


def wish(options: pb.InstallOptions) -> Wish:
    """Read how to install."""
    health_time = USUAL_HEALTH_TIME
    if options.HasField("health_time"):
        health_time = fields.duration(options.health_time, "options.health_time")
    if not 0 <= health_time.total_seconds() <= MOST_HEALTH_TIME.total_seconds():
        raise InvalidFields([Violation("options.health_time", "OUT_OF_RANGE", "must be from 0 to 10 minutes")])
    read = Options(
        skip_activation=options.skip_activation,
        allow_downgrade=options.allow_downgrade,
        allow_signer_change=options.allow_signer_change,
        health_time=health_time,
        reason=fields.reason(options.reason),
    )
    return Wish(read, generation(options, "options.expected_generation"))


def generation(request: object, field: str = "expected_generation") -> int | None:
    """Give the generation that a caller has seen; None if it does not matter."""
    if not request.HasField("expected_generation"):  # type: ignore[attr-defined]
        return None
    expected: int = request.expected_generation  # type: ignore[attr-defined]
    if expected < 0:
        raise InvalidFields([Violation(field, "OUT_OF_RANGE", "must not be negative")])
    return expected


def actor(reason: str, *, required: bool) -> Actor:
    """Give who is calling, with the reason they give."""
    return Actor(calls.current().principal.subject, fields.reason(reason, required=required))


def known_digest(digest: bytes) -> bytes:
    """Give the digest of what a client has; empty for none."""
    if digest:
        check_digest(digest, "known_digest")
    return digest


def check_digest(digest: bytes, field: str) -> None:
    """Raise InvalidFields unless it is a SHA-256."""
    if faults := list(_digest_faults(digest, field)):
        raise InvalidFields(faults)


def public_key(key: bytes) -> bytes:
    """Give an Ed25519 public key as it is."""
    if not is_public_key(key):
        raise InvalidFields([Violation("key.public_key", "MALFORMED_KEY", "must be the 32 bytes of an Ed25519 key")])
    return key


def owner(text: str) -> str:
    """Give whose a key is."""
    return fields.text(text, "key.owner", _MOST_OWNER)


def policy(value: int) -> Policy:
    """Give what is asked of packages."""
    name = pb.SignaturePolicy.Name(value) if value in pb.SignaturePolicy.values() else ""  # type: ignore[arg-type]
    try:
        return Policy(name.removeprefix("SIGNATURE_POLICY_"))
    except ValueError:
        raise InvalidFields([Violation("policy", "REQUIRED", "must be OFF, WARN or ENFORCE")]) from None


def _digest_faults(digest: bytes, field: str) -> Iterator[Violation]:
    if len(digest) != _DIGEST_BYTES:
        yield Violation(field, "MALFORMED_DIGEST", f"must be a SHA-256, {_DIGEST_BYTES} bytes")
