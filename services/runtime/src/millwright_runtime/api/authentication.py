"""Who is calling: bearer tokens (JWT) checked against a key set that may rotate. There is no switch to turn it off."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import jwt

from millwright_runtime.api.calls import Principal
from millwright_runtime.api.keys import KeySet
from millwright_runtime.errors import Unauthenticated

_ALGORITHMS = ["EdDSA", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256"]
_ROLES = frozenset({"viewer", "operator", "admin", "worker"})
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REMEMBERED_TOKENS = 4096


class TokenMissing(Unauthenticated):
    """The call has no token. Send `authorization: Bearer TOKEN` in its metadata."""


class TokenExpired(Unauthenticated):
    """The token has expired. Get a new one."""


class TokenInvalid(Unauthenticated):
    """The token is not accepted: {fault}."""


class Authenticator:
    """Verifies tokens. Signatures are checked once a token; what was verified is remembered until it expires."""

    def __init__(
        self,
        jwks: str,
        issuer: str,
        audience: str,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take keys from `jwks`, a file or an http(s) URL; `now` ages tokens, `clock` ages keys."""
        self._keys = KeySet(jwks, self._forget, clock)
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._verified: dict[str, tuple[Principal, int]] = {}

    async def authenticate(self, authorization: str | None) -> Principal:
        """Give the principal of an `authorization` header.

        Raises an Unauthenticated that says what is wrong, or KeysUnavailable.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenMissing
        self._keys.refresh()
        principal, expiry = self._verified.get(token) or await self._verify(token)
        if self._now() >= expiry:
            self._verified.pop(token, None)
            raise TokenExpired
        return principal

    async def _verify(self, token: str) -> tuple[Principal, int]:
        try:
            key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise TokenInvalid(fault="it is signed with a key that this service does not know")
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
            raise TokenInvalid(fault=_fault(error)) from None
        verified = _principal(claims), int(claims["exp"])
        if len(self._verified) >= _REMEMBERED_TOKENS:
            self._forget()
        self._verified[token] = verified
        return verified

    def _forget(self) -> None:
        self._verified.clear()


def _principal(claims: dict[str, Any]) -> Principal:
    if not claims["sub"]:
        raise TokenInvalid(fault="its `sub` claim is empty")
    tenant = claims.get("tenant")
    if not (isinstance(tenant, str) and _TENANT.fullmatch(tenant)):
        raise TokenInvalid(fault="its `tenant` claim is missing or is not 1 to 63 of a-z, 0-9 and dashes")
    roles = claims.get("roles")
    if not (isinstance(roles, list) and _ROLES.issuperset(map(str, roles))):
        raise TokenInvalid(
            fault=f"its `roles` claim is missing or holds something else than {', '.join(sorted(_ROLES))}"
        )
    return Principal(subject=claims["sub"], tenant=tenant, roles=frozenset(map(str, roles)))


def _fault(error: jwt.PyJWTError) -> str:
    """Say in our words what the library found."""
    match error:
        case jwt.MissingRequiredClaimError():
            return f"it lacks the claim `{error.claim}`"
        case jwt.InvalidAudienceError():
            return "it is meant for another audience"
        case jwt.InvalidIssuerError():
            return "it comes from another issuer"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet"
        case jwt.InvalidAlgorithmError():
            return "it is signed by an algorithm that is not accepted"
        case jwt.InvalidSignatureError():
            return "its signature does not match"
    return "it is not a well-formed token"
