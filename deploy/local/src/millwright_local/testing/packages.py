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


def manifest(code: str, version: str, title: str, **more: Any) -> Mapping[str, Any]:
    """Give the manifest of a module whose page was built before as `dist/page.js`; `more` are other keys of it."""
    return {
        "schema_version": 1,
        "code": code,
        "version": version,
        "titles": {"en": title},
        "category": "feature",
        "publisher": "Millwright",
        "platform": "*",
        "frontend": {"prebuilt": "dist/page.js"},
        **more,
    }


def packed(described: Mapping[str, Any], contents: Mapping[str, bytes]) -> bytes:
    """Give a signed package of what a manifest describes."""
    files = {package.MANIFEST: json.dumps(described).encode(), **contents}
    return package.archive(signature.sign(files, _KEY_ID, _KEY))
