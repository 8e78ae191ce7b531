"""The keys that callers' tokens are signed with: read from a file or a URL, and again when they may have rotated."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import jwt

from millwright_runtime import metrics
from millwright_runtime.errors import Unavailable

_FRESH_SECONDS = 300.0
_RETRY_SECONDS = 5.0
_FETCH_SECONDS = 5.0
_MAX_BYTES = 1024 * 1024
_log = logging.getLogger(__name__)


class KeysUnavailable(Unavailable):
    """The keys that tokens are verified with cannot be read at the moment. Try again."""


class KeySet:
    """A JSON Web Key Set, read anew every five minutes and when a token names a key that is not in it.

    It is read at most every five seconds, whoever asks. While it cannot be read, what is known stays in force: an
    issuer that is away must not lock the plant out.
    """

    def __init__(
        self, jwks: str, on_change: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take keys from `jwks`, a file or an http(s) URL; `on_change` is called when others are there than before."""
        self._jwks = jwks
        self._on_change = on_change
        self._clock = clock
        self._text = ""
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._attempt_time = self._success_time = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def refresh(self) -> None:
        """Have the keys read anew, in the background, if that is due."""
        if self._clock() - self._success_time >= _FRESH_SECONDS:
            self._read_soon()

    async def find(self, kid: str | None) -> jwt.PyJWK | None:
        """Give the key with the id `kid`, None if there is none; raise KeysUnavailable if no key is known at all.

        Without a `kid` it is the only key.
        """
        self.refresh()
        key = self._pick(kid)
        if key is None:
            self._read_soon()
            if self._reading:
                await asyncio.shield(self._reading)
            key = self._pick(kid)
        if not self._keys:
            raise KeysUnavailable
        return key

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _read_soon(self) -> None:
        if self._reading is None and self._clock() - self._attempt_time >= _RETRY_SECONDS:
            self._attempt_time = self._clock()
            self._reading = asyncio.create_task(self._read())  # ends by itself: reading has a timeout

    async def _read(self) -> None:
        try:
            text = await asyncio.to_thread(_fetch, self._jwks)
            keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys if key.key_type != "oct"}
            if not keys:
                raise ValueError("none of its keys is a public one")
        except (OSError, HTTPException, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            # whoever answers may speak no HTTP, and JSON may be of any shape
            metrics.KEY_SET_FAILURES.inc()
            _log.warning("the keys cannot be read", extra={"jwks": self._jwks, "fault": repr(error)})
        else:
            self._success_time = self._clock()
            if text != self._text:
                self._text, self._keys = text, keys
                self._on_change()
        finally:
            self._reading = None


def _fetch(jwks: str) -> str:
    if jwks.startswith(("http://", "https://")):
        with urllib.request.urlopen(jwks, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the scheme is checked
            return str(answer.read(_MAX_BYTES).decode())
    return Path(jwks).read_text()


def thumbprint(public: Mapping[str, Any]) -> str:
    """Give the id of an Ed25519 key (RFC 7638): the SHA-256 of its JWK's required members, sorted, without spaces."""
    required = json.dumps({name: public[name] for name in ("crv", "kty", "x")}, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(required.encode()).digest()).rstrip(b"=").decode()
