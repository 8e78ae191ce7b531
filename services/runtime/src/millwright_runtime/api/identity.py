"""Who a service is to the other services of Millwright: it signs the tokens that it calls them with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import OKPAlgorithm

from millwright_runtime.api.keys import thumbprint

_LIFETIME: Final = timedelta(minutes=5)


class Identity:
    """Signs tokens: each says what acts, such as an instance, in its tenant and in which role, for five minutes."""

    def __init__(self, key: Ed25519PrivateKey, issuer: str, audience: str) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._key_id = thumbprint(OKPAlgorithm.to_jwk(key.public_key(), as_dict=True))

    def token(self, subject: str, tenant: str, role: str = "operator") -> str:
        """Give a token that `subject` acts with."""
        now = datetime.now(UTC)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "tenant": tenant,
            "roles": [role],
            "iat": now,
            "exp": now + _LIFETIME,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read an Ed25519 key in PEM; raise ValueError, with what is wrong, for anything else."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, ValueError):
        message = "must be a file that holds a private key in PEM, without a password"
        raise ValueError(message) from None
    if not isinstance(key, Ed25519PrivateKey):
        message = "must hold an Ed25519 key"
        raise ValueError(message)  # noqa: TRY004 - a setting's value is wrong, not a program's
    return key
