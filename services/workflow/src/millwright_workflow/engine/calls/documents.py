"""Documents that live elsewhere: OpenAPI documents, JSON Schemas, proto files. Remembered for a minute.

Owns where they may be read from, their limits, and their reading. Knows nothing of what is in them.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from millwright_runtime.concurrency.remembered import Fresh, Remembered
from millwright_runtime.json import Json, from_text, to_text
from yarl import URL

from millwright_workflow.domain import definition
from millwright_workflow.domain.definition import source
from millwright_workflow.domain.interpreter import Authentication, FetchDocument, errors
from millwright_workflow.engine.calls.credentials import Credentials
from millwright_workflow.engine.calls.http import describe, web_fault
from millwright_workflow.engine.calls.secrets import Keyring, Secrets
from millwright_workflow.engine.calls.web import Trouble, Web, WebFault, WebRequest
from millwright_workflow.engine.running.driver import Caller

LIMIT_BYTES: Final = 4 * 1024 * 1024
_ACCEPT: Final = "application/json, application/yaml;q=0.9, */*;q=0.5"
_GOOD_SECONDS: Final = 60.0
_ROOM_BYTES: Final = 64 * 1024 * 1024
_SHORT: Final = 64 * 1024


class _Unreadable(Exception):
    """A document is neither JSON nor YAML; the message says where not."""


class Documents:
    """Reads documents."""

    def __init__(self, web: Web, secrets: Secrets, credentials: Credentials, directory: Path | None) -> None:
        """Read `file:` URIs too if they lead into `directory`."""
        self._web = web
        self._secrets = secrets
        self._credentials = credentials
        self._directory = directory
        self._contents: Remembered[str, bytes] = Remembered(_ROOM_BYTES)
        self._parsed: Remembered[str, Json] = Remembered(_ROOM_BYTES)

    async def close(self) -> None:
        """Stop reading."""
        await self._parsed.close()
        await self._contents.close()

    async def carry_out(self, caller: Caller, effect: FetchDocument) -> Json:
        """Give the content of a document, the same object while it is remembered; throw a communication fault."""
        pointer = effect.reference.pointer
        content = await self.content(caller, pointer, effect.uri, effect.authentication)

        async def parsed() -> Fresh[Json]:
            value = await asyncio.to_thread(parse, content) if len(content) > _SHORT else parse(content)
            return Fresh(value, _GOOD_SECONDS, 8 * len(content) + 1024)

        try:
            return await self._parsed.get(hashlib.sha256(content).hexdigest(), parsed)
        except _Unreadable as fault:
            what = describe("GET", effect.uri)
            raise errors.communication(pointer, f"{what} gave neither JSON nor YAML: {fault}", 502) from None

    async def content(self, caller: Caller, pointer: str, uri: str, policy: Authentication | None) -> bytes:
        """Give the bytes of a document; throw a communication fault, or what proves to be wrong with `policy`."""
        keyring = await self._secrets.keyring(caller)
        opened = keyring.open_uri(uri, pointer)
        if opened.startswith("file:"):
            return await asyncio.to_thread(self._from_file, opened, pointer)
        tenant = caller.instance.tenant
        request = await self._request(tenant, opened, policy, keyring, pointer)
        key = hashlib.sha256(to_text([tenant, opened, _settled(policy, keyring, pointer)]).encode()).hexdigest()

        async def fetch() -> Fresh[bytes]:
            answer = await self._web.send(request, LIMIT_BYTES)
            if not 200 <= answer.status < 300:
                raise WebFault(Trouble.UNUSABLE, f"answered {answer.status}")
            return Fresh(answer.body, _GOOD_SECONDS, len(answer.body) + 1024)

        try:
            return await self._contents.get(key, fetch)
        except WebFault as fault:
            raise web_fault(pointer, describe("GET", uri), fault) from None

    async def _request(
        self, tenant: str, uri: str, policy: Authentication | None, keyring: Keyring, pointer: str
    ) -> WebRequest:
        try:
            url = URL(uri)
            if url.scheme not in ("http", "https") or not url.host or not url.port:
                raise ValueError(url.scheme)
        except ValueError:
            raise errors.configuration(pointer, "Documents are read from http and https URIs.") from None
        proof = await self._credentials.prove(tenant, policy, keyring, pointer)
        headers = {"accept": _ACCEPT}
        if proof.authorization:
            headers["authorization"] = proof.authorization
            url = url.with_user(None)
        return WebRequest("GET", url, headers, follow_redirects=True, digest=proof.digest)

    def _from_file(self, uri: str, pointer: str) -> bytes:
        parts = urlsplit(uri)
        if self._directory is None or parts.netloc not in ("", "localhost"):
            raise errors.configuration(pointer, "Documents are not read from files here.")
        try:
            allowed = self._directory.resolve()
            path = Path(unquote(parts.path)).resolve()
            if path.is_relative_to(allowed) and path.is_file():
                with path.open("rb") as file:
                    content = file.read(LIMIT_BYTES + 1)
                if len(content) <= LIMIT_BYTES:
                    return content
        except (OSError, ValueError):
            pass
        detail = f"There is no document of at most {LIMIT_BYTES} bytes at {describe('file', uri)[5:]}."
        raise errors.communication(pointer, detail, 404)


def parse(content: bytes) -> Json:
    """Read JSON, or YAML as definitions are read; raise _Unreadable."""
    value: Json
    try:
        value = from_text(content)
    except ValueError:
        pass
    else:
        return value
    try:
        reading = source.read(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _Unreadable("it is not in UTF-8.") from None
    except definition.InvalidDefinition as error:
        raise _Unreadable(error.faults[0].message) from None
    if reading.faults:
        raise _Unreadable(reading.faults[0].message)
    return reading.value


def _settled(policy: Authentication | None, keyring: Keyring, pointer: str) -> Any:
    """Give what tells readers apart: nobody is given what was read with the rights of another."""
    if policy is None:
        return None
    return [
        policy.scheme,
        policy.secret and keyring.policy(policy.secret, pointer),
        keyring.open(policy.settings, pointer),
    ]
