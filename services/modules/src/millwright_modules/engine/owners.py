"""Asking the owners of what a module brings: each is asked whether it would take it (`validate_only`)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf import json_format, message_factory
from millwright_runtime import tracing
from millwright_runtime.api import peers
from millwright_runtime.api.identity import Identity
from millwright_runtime.api.peers import Peer
from millwright_runtime.certificates import Certificates
from millwright_runtime.json import JsonObject

from millwright_modules.domain import brought
from millwright_modules.domain.brought import Kind
from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.problem import Problem, shown
from millwright_modules.domain.words import Reason

_SHORTEST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 3.0
_ATTEMPT_SECONDS = 10.0
_MOST_VIOLATIONS = 20
_AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,  # not taken in
    }
)
_REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
    }
)
SIGNING_KEY = "MILLWRIGHT_MODULES_SIGNING_KEY"
"""The environment variable that says who we are to them."""

_ROLE = "admin"
"""That of whoever installs: what they may publish is not refused because we might not."""

Sign: TypeAlias = Callable[[], str]
"""Gives a token to ask with; one a call, since they live for minutes."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A service, and the method that publishes what it owns."""

    kind: Kind
    name: str
    setting: str
    """The environment variable that says where the service is."""
    endpoint: str | None
    contract: str
    """The module of the contract that defines the method."""
    method: str
    """`package.Service/Method`."""
    request: Callable[[str], JsonObject]
    """Makes of a document the request that checks it and changes nothing."""


class _Away(Exception):
    """An owner did not answer, or not as one that owns it does; the message says what it was."""


class Owners:
    """Has documents checked by those who own them."""

    def __init__(
        self, owners: Sequence[Owner], identity: Identity | None, certificates: Certificates | None = None
    ) -> None:
        """Without an identity, nobody can be asked; with certificates, it is done by TLS."""
        self._identity = identity
        self._owners = [(owner, _Line(owner, certificates) if owner.endpoint else None) for owner in owners]

    async def close(self) -> None:
        """Close the connections."""
        for _, line in self._owners:
            if line:
                await line.close()

    async def check(
        self, subject: str, tenant: str, manifest: Manifest, contents: Mapping[str, bytes], seconds: float
    ) -> Sequence[Problem]:
        """Give what the owners would refuse, file by file, as `subject` of the tenant and an administrator.

        Who is not configured is not asked, which is a warning. Who is away is asked again for `seconds`; then that is
        an error, BACKEND_UNAVAILABLE. Documents that are not in `contents` are somebody else's to miss.
        """
        identity = self._identity
        sign = (lambda: identity.token(subject, tenant, _ROLE)) if identity else None
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(
                    _ask(owner, line, sign, {path: contents[path] for path in paths if path in contents}, seconds)
                )
                for owner, line in self._owners
                if (paths := brought.paths(manifest, owner.kind))
            ]
        return [problem for task in asked for problem in task.result()]


async def _ask(
    owner: Owner, line: _Line | None, sign: Sign | None, contents: Mapping[str, bytes], seconds: float
) -> Sequence[Problem]:
    if line is None or sign is None:
        setting = owner.setting if line is None else SIGNING_KEY
        return [Problem(Reason.BACKEND_UNCHECKED, owner.kind.pointer, setting, owner.name).as_warning()]
    found: list[Problem] = []
    try:
        for path, content in contents.items():
            found += [each async for each in line.check(path, content, sign, seconds)]
    except _Away as away:
        found.append(Problem(Reason.BACKEND_UNAVAILABLE, owner.kind.pointer, owner.name, str(away)))
    return found


class _Line:
    """The connection to one owner."""

    def __init__(self, owner: Owner, certificates: Certificates | None) -> None:
        assert owner.endpoint is not None
        kind = peers.method(owner.contract, owner.method)
        self._owner = owner
        self._request_type = message_factory.GetMessageClass(kind.input_type)
        self._peer = Peer(owner.endpoint, certificates, _ATTEMPT_SECONDS)

    async def close(self) -> None:
        await self._peer.close()

    async def check(self, path: str, content: bytes, sign: Sign, seconds: float) -> AsyncIterator[Problem]:
        """Give what is wrong with a document; raise _Away if the owner is for `seconds`."""
        if len(content) > brought.LARGEST_BYTES:
            yield self._problem(path, f"it has more than {brought.LARGEST_BYTES} bytes")
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            yield self._problem(path, "it is not in UTF-8")
            return
        request = json_format.ParseDict(self._owner.request(text), self._request_type())
        try:
            await self._send(request.SerializeToString(), sign, time.monotonic() + seconds)
        except grpc.aio.AioRpcError as error:
            for told in peers.violations(error, _MOST_VIOLATIONS) or [str(error.details())]:
                yield self._problem(path, told)

    async def _send(self, body: bytes, sign: Sign, deadline: float) -> None:
        """Ask until there is an answer; let a refusal through, and raise _Away for everything else."""
        wait_seconds = _SHORTEST_WAIT_SECONDS
        while True:
            left_seconds = deadline - time.monotonic()
            try:
                seconds = min(_ATTEMPT_SECONDS, max(left_seconds, _SHORTEST_WAIT_SECONDS))
                send: Any = self._peer.channel().unary_unary(f"/{self._owner.method}")
                with tracing.calling(self._owner.method) as trace:
                    said = (("authorization", f"Bearer {sign()}"), ("traceparent", trace.traceparent))
                    await send(body, timeout=seconds, metadata=said)
            except grpc.aio.AioRpcError as error:
                if error.code() in _REFUSALS:
                    raise
                if error.code() not in _AGAIN or left_seconds <= wait_seconds:
                    raise _Away(f"{error.code().name}: {error.details()}") from error
                await asyncio.sleep(wait_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - it only spreads load
                wait_seconds = min(_LONGEST_WAIT_SECONDS, 2 * wait_seconds)
            else:
                return

    def _problem(self, path: str, told: str) -> Problem:
        return Problem(Reason.DOCUMENT_REFUSED, path, self._owner.name, shown(told))
