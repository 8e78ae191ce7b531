"""Secrets: what `use.secrets` may name, read from files and the environment, and opened in what is sent alone.

Owns their values. They are in no effect, no result and no message: data holds seals, and a call's keyring opens them at
the last moment. Writes nothing anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote, quote_plus

from millwright_runtime.concurrency.remembered import Fresh, Remembered
from millwright_runtime.json import Json, JsonObject, to_text

from millwright_workflow.domain.instances import Instance
from millwright_workflow.domain.interpreter import errors, secrets
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.running.driver import Caller

LIMIT_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PORTABLE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_GOOD_SECONDS: Final = 5.0
_REMEMBERED_BYTES: Final = 8 * 1024 * 1024
_REMEMBERED_NONCES: Final = 10_000
_LEAD: Final = re.compile(r"\.~[A-Za-z0-9]+~[0-9a-f]+~\.")
_REDACTED: Final = "[secret]"


class SecretSource:
    """Where secrets are: a directory of a tenant with one file a secret, then the environment."""

    def __init__(self, directory: Path | None, prefix: str, environment: Mapping[str, str]) -> None:
        """Look in `directory`/tenant, then for variables that begin with `prefix`, unless that is empty.

        The variable of secret `erp-token` of tenant `plant-a` is `<prefix>PLANT_A__ERP_TOKEN`. Tenants and secrets
        whose names are not lower case with single hyphens have none: two could share it.
        """
        self._directory = directory
        self._prefix = prefix
        self._environment = {name: value for name, value in environment.items() if prefix and name.startswith(prefix)}
        self._known: Remembered[tuple[str, str], Json] = Remembered(_REMEMBERED_BYTES)

    async def read(self, tenant: str, names: Sequence[str]) -> dict[str, Json]:
        """Give those of the secrets that there are. Text is text; a JSON object is an object with its parts."""
        found = {name: await self._known.get((tenant, name), partial(self._read, tenant, name)) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    async def _read(self, tenant: str, name: str) -> Fresh[Json]:
        text = await asyncio.to_thread(self._from_file, tenant, name)
        if text is None and _PORTABLE.fullmatch(tenant) and _PORTABLE.fullmatch(name):
            text = self._environment.get(f"{self._prefix}{tenant}__{name}".replace("-", "_").upper())
        return Fresh(None if text is None else parse(text), _GOOD_SECONDS, len(text or "") + 256)

    def _from_file(self, tenant: str, name: str) -> str | None:
        if self._directory is None or not _NAME.fullmatch(name):
            return None
        try:
            with (self._directory / tenant / name).open("rb") as file:
                content = file.read(LIMIT_BYTES + 1)
            return content.decode() if len(content) <= LIMIT_BYTES else None
        except (OSError, UnicodeDecodeError):
            return None


@dataclass(frozen=True, slots=True)
class Keyring:
    """What the calls of one instance may open."""

    values: Mapping[str, Json] = field(default_factory=dict, repr=False)
    nonce: str = ""

    def open(self, value: Json, instance: str) -> Json:
        """Give `value` with its seals opened; throw an authorization fault for a seal that may not be."""
        return secrets.open_seals(value, self.values, self.nonce, instance) if self.nonce else value

    def open_text(self, text: str, instance: str) -> str:
        """Give a text with its seals opened, as text."""
        opened = self.open(text, instance)
        return opened if isinstance(opened, str) else to_text(opened)

    def open_uri(self, uri: str, instance: str) -> str:
        """Give a URI with its seals opened: one at its beginning as it is, any other percent-encoded."""
        if not self.nonce:
            return uri
        lead = _LEAD.match(uri)
        first, rest = (uri[: lead.end()], uri[lead.end() :]) if lead else ("", uri)
        encoded = cast("dict[str, Json]", _each_leaf(dict(self.values), lambda text: quote(text, safe="")))
        tail = secrets.open_seals(rest, encoded, self.nonce, instance)
        return self.open_text(first, instance) + (tail if isinstance(tail, str) else to_text(tail))

    def open_form(self, text: str, instance: str) -> str:
        """Give the text of a form with its seals opened and encoded as a form has it."""
        if not self.nonce:
            return text
        encoded = cast("dict[str, Json]", _each_leaf(dict(self.values), quote_plus))
        opened = secrets.open_seals(text, encoded, self.nonce, instance)
        return opened if isinstance(opened, str) else to_text(opened)

    def policy(self, name: str, instance: str) -> JsonObject:
        """Give a secret that is a whole policy; throw an authorization fault where there is none."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise errors.authorization(instance, f"The workflow may not read the secret {name!r}, or it is no object.")
        return value

    def redact(self, text: str, *others: str) -> str:
        """Give a text of another system without the values that it may have been sent, in their usual spellings."""
        leaves = {leaf for value in self.values.values() for leaf in _leaves(value)} | set(others)
        spelt = {spelling for leaf in leaves if leaf for spelling in _spellings(leaf)}
        for spelling in sorted(spelt, key=len, reverse=True):
            text = text.replace(spelling, _REDACTED)
        return text


class Secrets:
    """Seals what workflows see, and gives their calls what opens it."""

    def __init__(
        self, source: SecretSource, definitions: Definitions, read_nonce: Callable[[str, uuid.UUID], Awaitable[str]]
    ) -> None:
        """Ask `read_nonce` what the seals of an instance are known by: the same for good, and nobody else knows it."""
        self._source = source
        self._definitions = definitions
        self._read_nonce = read_nonce
        self._nonces: Remembered[uuid.UUID, str] = Remembered(_REMEMBERED_NONCES)

    async def sealed(self, instance: Instance) -> JsonObject:
        """Give `$secrets` of an instance. A secret that there is not is sealed too: opening it is what fails."""
        names = await self._names(instance)
        if not names:
            return {}
        found = await self._source.read(instance.tenant, names)
        return secrets.seal({name: found.get(name, "") for name in names}, await self._nonce(instance))

    async def keyring(self, caller: Caller) -> Keyring:
        """Give what the calls of an instance may open."""
        instance = caller.instance
        names = await self._names(instance)
        if not names:
            return Keyring()
        return Keyring(await self._source.read(instance.tenant, names), await self._nonce(instance))

    async def _names(self, instance: Instance) -> Sequence[str]:
        assert instance.version is not None
        return (await self._definitions.plan(instance.tenant, instance.workflow, instance.version)).secrets

    async def _nonce(self, instance: Instance) -> str:
        async def read() -> Fresh[str]:
            return Fresh(await self._read_nonce(instance.tenant, instance.instance), float("inf"))

        return await self._nonces.get(instance.instance, read)


def parse(text: str) -> Json:
    """Read a secret: a JSON object, or else text without the line ends that editors put after it."""
    if text.lstrip().startswith("{"):
        try:
            value: Json = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return value
    return text.rstrip("\r\n")


def _each_leaf(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, dict):
        return {name: _each_leaf(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [_each_leaf(part, change) for part in value]
    return change(value if isinstance(value, str) else to_text(value))


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif value is not None and not isinstance(value, bool):
        yield value if isinstance(value, str) else to_text(value)


def _spellings(text: str) -> Iterator[str]:
    yield from (text, quote(text), quote(text, safe=""), quote_plus(text), to_text(text)[1:-1])
    yield json.dumps(text)[1:-1]
    if len(text) >= 3:
        yield base64.b64encode(text.encode()).decode().rstrip("=")
        yield base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
