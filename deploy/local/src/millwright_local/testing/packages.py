"""Packages of modules for tests, signed: where the key is trusted, frontends that were built before are taken."""

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from millwright.modules.v1 import module_service_pb2 as pb
from millwright_cli.module import package, signature

_KEY_ID = "tests"
_KEY = Ed25519PrivateKey.from_private_bytes(b"t" * 32)

TRUST = pb.AddSigningKeyRequest(
    key=pb.SigningKey(name=f"signingKeys/{_KEY_ID}", public_key=_KEY.public_key().public_bytes_raw(), owner="The tests")
)
"""Has a plant trust what is packed here."""


def packed(manifest: Mapping[str, Any], contents: Mapping[str, bytes]) -> bytes:
    """Give a signed package."""
    files = {package.MANIFEST: json.dumps(manifest).encode(), **contents}
    return package.archive(signature.sign(files, _KEY_ID, _KEY))
