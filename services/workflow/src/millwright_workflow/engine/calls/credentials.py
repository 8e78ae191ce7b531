"""Proof of who a workflow is: what a policy of the DSL adds to a call by HTTP or gRPC.

Owns the schemes. Tokens come from `tokens`; nothing is kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Authentication
from millwright_workflow.engine.calls.secrets import Keyring
from millwright_workflow.engine.calls.tokens import PolicyUnusable, TokenRefused, Tokens, basic


@dataclass(frozen=True, slots=True)
class Proof:
    """What is sent with a call."""

    authorization: str | None = field(default=None, repr=False)
    """The header of that name."""
    digest: tuple[str, str] | None = field(default=None, repr=False)
    """A name and a password, for the server's challenge."""
    token: str | None = field(default=None, repr=False)
    """The token in the header, where it was issued for this."""
    known_as: str = ""
    """What an issued token is forgotten by, once it is not believed any more."""

    @property
    def values(self) -> tuple[str, ...]:
        """Give what must be in no message."""
        parts = (self.authorization, self.token, *(self.digest or ()))
        encoded = self.authorization.partition(" ")[2] if self.authorization else None
        return tuple(part for part in (*parts, encoded) if part)


class Credentials:
    """Makes proofs."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def prove(self, tenant: str, policy: Authentication | None, keyring: Keyring, instance: str) -> Proof:
        """Give the proof of a policy that may be absent.

        Throws an authorization fault for a secret that may not be read, a configuration fault for a policy that lacks
        something, an authentication fault where an issuer gives no token.
        """
        if policy is None:
            return Proof()
        settings: Any
        if policy.secret is not None:
            settings = keyring.policy(policy.secret, instance)
        else:
            settings = keyring.open(policy.settings, instance)
        match policy.scheme:
            case "basic":
                name, password = (_text(settings, key, instance) for key in ("username", "password"))
                return Proof(authorization=basic(f"{name}:{password}"))
            case "digest":
                name, password = (_text(settings, key, instance) for key in ("username", "password"))
                if ":" in name:
                    raise errors.configuration(instance, "The name of a user must not hold a colon.")
                return Proof(digest=(name, password))
            case "bearer":
                return Proof(authorization=f"Bearer {_text(settings, 'token', instance)}")
            case _:
                return await self._issued(tenant, policy.scheme, settings, keyring, instance)

    def disbelieve(self, proof: Proof) -> None:
        """Have no token of `proof` used again: the one it was shown to did not believe it."""
        if proof.known_as:
            self._tokens.forget(proof.known_as)

    async def _issued(self, tenant: str, scheme: str, settings: Any, keyring: Keyring, instance: str) -> Proof:
        try:
            known_as, token = await self._tokens.get(tenant, settings, is_discovered=scheme == "oidc")
        except TokenRefused as refusal:
            raise errors.authentication(instance, keyring.redact(f"No token was issued: {refusal}.")) from None
        except PolicyUnusable as fault:
            raise errors.configuration(instance, f"No token can be asked for: {fault}.") from None
        return Proof(authorization=f"Bearer {token}", token=token, known_as=known_as)


def _text(settings: Any, key: str, instance: str) -> str:
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise errors.configuration(instance, f"The authentication needs {key!r}, as text.")
    return value
