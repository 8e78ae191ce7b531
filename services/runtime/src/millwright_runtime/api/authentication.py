"""Who is calling: bearer tokens (JWT) checked against a key set that may rotate. There is no switch to turn it off."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import jwt

from millwright_runtime.api.calls import Principal
from millwright_runtime.errors import Unauthenticated

_ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256"]
_ROLES = frozenset({"viewer", "operator", "admin", "worker"})
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REMEMBERED_TOKENS = 4096
_KEYS_FRESH_SECONDS = 300.0
_KEYS_RETRY_SECONDS = 5.0
_FETCH_SECONDS = 5.0


class TokenMissing(Unauthenticated):
    """The call has no token. Send `authorization: Bearer TOKEN` in its metadata."""


class TokenExpired(Unauthenticated):
    """The token has expired. Get a new one."""


class TokenInvalid(Unauthenticated):
    """The token is not accepted: {fault}."""


class Authenticator:
    """Verifies tokens. Signatures are checked once a token; what was verified is remembered until it expires."""

    def __init__(self, jwks: str, issuer: str, audience: str) -> None:
        """Take keys from `jwks`, a file or an http(s) URL; they are read at the first token."""
        self._jwks = jwks
        self._issuer = issuer
        self._audience = audience
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._keys_time = float("-inf")
        self._loading = asyncio.Lock()
        self._verified: dict[str, tuple[Principal, float]] = {}

    async def authenticate(self, authorization: str | None) -> Principal:
        """Give the principal of an `authorization` header; raise an Unauthenticated that says what is wrong."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenMissing
        if known := self._verified.get(token):
            principal, expiry = known
            if time.time() < expiry and self._keys_are_fresh():
                return principal
            del self._verified[token]
            if time.time() >= expiry:
                raise TokenExpired
        principal, expiry = await self._verify(token)
        if len(self._verified) >= _REMEMBERED_TOKENS:
            self._verified.clear()
        self._verified[token] = principal, expiry
        return principal

    async def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["sub", "exp"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except jwt.PyJWTError as error:
            raise TokenInvalid(fault=str(error) or type(error).__name__) from None
        return _principal(claims), float(claims["exp"])

    async def _key(self, kid: str | None) -> jwt.PyJWK:
        """Find a key by its id; an unknown id makes us look whether the set has rotated, though not at every call."""
        if not self._keys_are_fresh() or (kid not in self._keys and self._keys_age() > _KEYS_RETRY_SECONDS):
            async with self._loading:
                if not self._keys_are_fresh() or kid not in self._keys:
                    await self._load_keys()
        if kid in self._keys:
            return self._keys[kid]
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        raise TokenInvalid(fault="it is signed with a key that this service does not know")

    async def _load_keys(self) -> None:
        try:
            text = await asyncio.to_thread(_read, self._jwks)
            keys = jwt.PyJWKSet.from_json(text).keys
        except (OSError, ValueError, jwt.PyJWTError):
            if not self._keys:
                raise
            return  # keep what is known: an unreachable issuer must not lock the plant out
        self._keys = {key.key_id: key for key in keys}
        self._keys_time = time.monotonic()
        self._verified.clear()

    def _keys_age(self) -> float:
        return time.monotonic() - self._keys_time

    def _keys_are_fresh(self) -> bool:
        return self._keys_age() < _KEYS_FRESH_SECONDS


def _read(jwks: str) -> str:
    if jwks.startswith(("http://", "https://")):
        with urllib.request.urlopen(jwks, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the scheme is checked
            return str(answer.read().decode())
    return Path(jwks).read_text()


def _principal(claims: dict[str, Any]) -> Principal:
    tenant = claims.get("tenant")
    if not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
        raise TokenInvalid(fault="its `tenant` claim is missing or is not 1 to 63 of a-z, 0-9 and dashes")
    roles = claims.get("roles")
    if not (isinstance(roles, list) and _ROLES.issuperset(map(str, roles))):
        raise TokenInvalid(
            fault=f"its `roles` claim is missing or holds something else than {', '.join(sorted(_ROLES))}"
        )
    return Principal(subject=str(claims["sub"]), tenant=tenant, roles=frozenset(map(str, roles)))
