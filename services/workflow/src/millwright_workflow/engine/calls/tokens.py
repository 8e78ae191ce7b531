"""Access tokens: asked for by OAuth 2 (RFC 6749) and OpenID Connect, kept until shortly before they end.

Owns the tokens of this process. They are in memory alone, by tenant and by all that they were asked with, and one
request asks for a token however many calls wait for it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import jwt
from millwright_runtime.concurrency.remembered import Fresh, Remembered
from millwright_runtime.json import from_text, to_text
from yarl import URL

from millwright_workflow.engine.calls.web import Web, WebAnswer, WebFault, WebRequest

_REMEMBERED: Final = 4096
_LIMIT_BYTES: Final = 256 * 1024
_DISCOVERED_SECONDS: Final = 600.0
_UNSTATED_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 24 * 3600.0
_MARGIN_SECONDS: Final = 30.0
_ASSERTION_SECONDS: Final = 60
_ERROR: Final = re.compile(r"[a-z_]{1,40}")
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"


class TokenRefused(Exception):
    """An issuer gave no token of use; the message says why, and holds nothing that was sent."""


class PolicyUnusable(Exception):
    """A policy lacks what a token is asked for with; the message says what."""


@dataclass(frozen=True, slots=True)
class _Issue:
    """What an issuer gave."""

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    seconds: float


class Tokens:
    """Asks for tokens."""

    def __init__(self, web: Web, clock: Callable[[], float] = time.monotonic) -> None:
        self._web = web
        self._tokens: Remembered[str, str] = Remembered(_REMEMBERED, clock)
        self._refresh_tokens: OrderedDict[str, str] = OrderedDict()
        self._endpoints: Remembered[str, str] = Remembered(_REMEMBERED)

    async def close(self) -> None:
        """Stop asking."""
        await self._tokens.close()
        await self._endpoints.close()

    async def get(self, tenant: str, policy: Mapping[str, Any], *, is_discovered: bool) -> tuple[str, str]:
        """Give what the token of a policy is known by, and the token.

        Raises TokenRefused; PolicyUnusable for a policy that nothing can be asked with.
        """
        written = to_text([tenant, is_discovered, policy])
        key = hashlib.sha256(written.encode()).hexdigest()

        async def issue() -> Fresh[str]:
            issued = await self._issue(key, policy, is_discovered=is_discovered)
            _check_issuer(policy, issued.token)
            if issued.refresh_token:
                self._refresh_tokens[key] = issued.refresh_token
                if len(self._refresh_tokens) > _REMEMBERED:
                    self._refresh_tokens.popitem(last=False)
            return Fresh(issued.token, issued.seconds)

        return key, await self._tokens.get(key, issue)

    def forget(self, key: str) -> None:
        """Ask anew next time."""
        self._tokens.forget(key)

    async def _issue(self, key: str, policy: Mapping[str, Any], *, is_discovered: bool) -> _Issue:
        fields = _grant(policy)
        endpoint = await self._endpoint(policy, is_discovered=is_discovered)
        refresh_token = self._refresh_tokens.pop(key, None)
        if refresh_token is not None and fields["grant_type"] != "refresh_token":
            again = {"grant_type": "refresh_token", "refresh_token": refresh_token}
            try:
                return await self._ask(endpoint, policy, again)
            except TokenRefused:
                pass  # it has been used up or withdrawn: ask as the first time
        return await self._ask(endpoint, policy, fields)

    async def _endpoint(self, policy: Mapping[str, Any], *, is_discovered: bool) -> URL:
        authority = str(policy.get("authority") or "").rstrip("/")
        if not authority.startswith(("http://", "https://")):
            raise PolicyUnusable("the authority must be an http or https URI")
        if is_discovered:
            return _url(await self._endpoints.get(authority, lambda: self._discover(authority)))
        path = str((policy.get("endpoints") or {}).get("token") or "/oauth2/token")
        return _url(path if path.startswith(("http://", "https://")) else f"{authority}/{path.lstrip('/')}")

    async def _discover(self, authority: str) -> Fresh[str]:
        """Find the token endpoint (OpenID Connect Discovery 1.0, section 4)."""
        answer = await self._send(WebRequest("GET", _url(f"{authority}/.well-known/openid-configuration")))
        described = _object(answer) if answer.status == 200 else {}
        endpoint = described.get("token_endpoint")
        if str(described.get("issuer")).rstrip("/") != authority or not isinstance(endpoint, str):
            raise TokenRefused("the authority does not describe itself as OpenID Connect has it")
        return Fresh(endpoint, _DISCOVERED_SECONDS)

    async def _ask(self, endpoint: URL, policy: Mapping[str, Any], fields: Mapping[str, str | list[str]]) -> _Issue:
        headers = {"accept": _JSON}
        form = {**fields, **_client(policy.get("client") or {}, str(endpoint), headers)}
        encoding = (policy.get("request") or {}).get("encoding") or _FORM
        headers["content-type"] = encoding
        body = to_text(form) if encoding == _JSON else urlencode(form, doseq=True)
        answer = await self._send(WebRequest("POST", endpoint, headers, body.encode(), is_body_confidential=True))
        return _read(answer)

    async def _send(self, request: WebRequest) -> WebAnswer:
        try:
            return await self._web.send(request, _LIMIT_BYTES)
        except WebFault as fault:
            raise TokenRefused(f"the issuer {fault}") from None
        except ValueError:
            raise TokenRefused("the issuer cannot be asked: its URI is none") from None


def _url(text: str) -> URL:
    try:
        return URL(text)
    except ValueError:
        raise PolicyUnusable("the authority must be an http or https URI") from None


def _grant(policy: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Give what a policy asks with."""
    grant = policy.get("grant") or "client_credentials"
    fields: dict[str, str | list[str]] = {"grant_type": grant}
    match grant:
        case "client_credentials":
            pass
        case "password":
            fields |= {"username": _needed(policy, "username"), "password": _needed(policy, "password")}
        case "refresh_token":
            fields["refresh_token"] = _needed(policy.get("subject") or {}, "token")
        case _ if grant == _EXCHANGE:
            for role in ("subject", "actor"):
                if role == "subject" or policy.get(role):
                    fields[f"{role}_token"] = _needed(policy.get(role) or {}, "token")
                    fields[f"{role}_token_type"] = _needed(policy.get(role) or {}, "type")
        case _:
            raise PolicyUnusable(f"the grant {str(grant)[:60]!r} needs a person")
    if policy.get("scopes"):
        fields["scope"] = " ".join(policy["scopes"])
    if policy.get("audiences"):
        fields["audience"] = list(policy["audiences"])
    return fields


def _client(client: Mapping[str, Any], audience: str, headers: dict[str, str]) -> dict[str, str]:
    """Give what says who asks, apart from what goes into `headers`."""
    method = client.get("authentication") or "client_secret_post"
    name = client.get("id")
    secret = client.get("secret") or ""
    identity = {"client_id": name} if name else {}
    match method:
        case "client_secret_basic":
            pair = f"{quote_plus(name or '')}:{quote_plus(secret)}"  # RFC 6749, 2.3.1: encoded before it is joined
            headers["authorization"] = basic(pair)
            return {}
        case "client_secret_post":
            return {**identity, "client_secret": secret} if secret else identity
        case "client_secret_jwt":
            assertion = client.get("assertion") or _assert(_needed(client, "id"), _needed(client, "secret"), audience)
            return {**identity, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        case "private_key_jwt":
            assertion = _needed(client, "assertion")
            return {**identity, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}
        case _:
            return identity


def _assert(name: str, secret: str, audience: str) -> str:
    """Give a client's own statement of who it is (RFC 7523, section 3)."""
    now = int(time.time())
    claims = {"iss": name, "sub": name, "aud": audience, "jti": str(uuid.uuid4())}
    try:
        return jwt.encode({**claims, "iat": now, "exp": now + _ASSERTION_SECONDS}, secret, algorithm="HS256")
    except jwt.PyJWTError:
        raise PolicyUnusable("the client's secret is none that a JWT can be signed with") from None


def _read(answer: WebAnswer) -> _Issue:
    """Read what an issuer answered. Of a refusal only its code is told: the text may repeat what was sent."""
    described = _object(answer)
    if answer.status != 200:
        code = described.get("error")
        reason = f", {code}" if isinstance(code, str) and _ERROR.fullmatch(code) else ""
        raise TokenRefused(f"the issuer answered {answer.status}{reason}")
    token, refresh_token = described.get("access_token"), described.get("refresh_token")
    if not (isinstance(token, str) and token and token.isascii() and token.isprintable()):
        raise TokenRefused("the issuer answered without a token")
    if str(described.get("token_type") or "bearer").lower() != "bearer":
        raise TokenRefused("the issuer gave a token that is no bearer token")
    return _Issue(token, refresh_token if isinstance(refresh_token, str) else None, _good_for(described))


def _good_for(described: Mapping[str, Any]) -> float:
    """Give for how long a token is used: until shortly before its end, and not long where it does not say."""
    try:
        seconds = float(described["expires_in"])
    except (KeyError, TypeError, ValueError):
        return _UNSTATED_SECONDS
    return min(seconds - min(_MARGIN_SECONDS, seconds / 5), _LONGEST_SECONDS)


def _check_issuer(policy: Mapping[str, Any], token: str) -> None:
    """Hold a token to the issuers that the policy names, if it names any."""
    issuers = policy.get("issuers")
    if not issuers:
        return
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        issuer = None
    if issuer not in issuers:
        raise TokenRefused("the token is of an issuer that the policy does not name")


def _object(answer: WebAnswer) -> Mapping[str, Any]:
    try:
        described = from_text(answer.body)
    except ValueError:
        described = None
    return described if isinstance(described, dict) else {}


def _needed(settings: Mapping[str, Any], key: str) -> str:
    value = settings.get(key)
    if not isinstance(value, str) or not value:
        raise PolicyUnusable(f"the policy needs {key!r}, as text")
    return value


def basic(pair: str) -> str:
    """Give the header for a name and a password with a colon between (RFC 7617)."""
    return "Basic " + base64.b64encode(pair.encode()).decode()
