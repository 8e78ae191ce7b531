"""The signing key of the local stack and the tokens it signs. In a plant an identity provider does this."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm
from millwright_runtime.api.keys import thumbprint

ALGORITHM = "EdDSA"
ISSUER = "millwright-local"
AUDIENCE = "millwright"


class Keys:
    """An Ed25519 key in a directory, beside its public half in `jwks.json`. Made on first use, kept afterwards."""

    issuer = ISSUER
    audience = AUDIENCE

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.private_file = directory.resolve() / "signing-key.pem"
        if not self.private_file.exists():
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(self.private_file, pem.decode())
        loaded = load_pem_private_key(self.private_file.read_bytes(), password=None)
        assert isinstance(loaded, Ed25519PrivateKey)
        self._key = loaded
        public: dict[str, Any] = OKPAlgorithm.to_jwk(loaded.public_key(), as_dict=True)
        self.key_id = thumbprint(public)
        self.jwks_file = self.private_file.with_name("jwks.json")
        public_key = {**public, "kid": self.key_id, "alg": ALGORITHM, "use": "sig"}
        write_private(self.jwks_file, json.dumps({"keys": [public_key]}, indent=2))

    def token(
        self,
        *,
        tenant: str = "plant-1",
        roles: Sequence[str] = ("operator",),
        subject: str = "local",
        lifetime: timedelta = timedelta(hours=1),
        **claims: Any,
    ) -> str:
        """Return a signed bearer token. Further claims are added, or take the place of the usual ones."""
        now = datetime.now(UTC)
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "tenant": tenant,
            "roles": list(roles),
            "iat": now,
            "exp": now + lifetime,
        }
        return jwt.encode({**usual, **claims}, self._key, algorithm=ALGORITHM, headers={"kid": self.key_id})


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read. Readers see the old text or the new one, never a part."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)
