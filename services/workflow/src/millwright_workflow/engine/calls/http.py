"""HTTP calls of workflows: one request, whatever the answer's status; a failed transport is a fault.

Owns how a call becomes a request: the form of its body, its proof of who asks, and its seals, which are opened here and
are closed in every fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from millwright_runtime import tracing
from millwright_runtime.concurrency.turns import Turns
from millwright_runtime.json import Json, to_text
from millwright_runtime.tracing import Trace
from yarl import URL

from millwright_workflow.domain.interpreter import CallGrpc, CallHttp, HttpAnswer, WorkflowFault, errors
from millwright_workflow.domain.interpreter.effects import Invoke
from millwright_workflow.engine.calls.credentials import Credentials, Proof
from millwright_workflow.engine.calls.secrets import Keyring, Secrets
from millwright_workflow.engine.calls.tokens import basic
from millwright_workflow.engine.calls.web import Trouble, Web, WebFault, WebRequest
from millwright_workflow.engine.running.driver import Caller

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS: Final = frozenset(
    {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how a message is sent, which is not for an author to say."""
_CALLS_AT_ONCE: Final = 256
_FORM: Final = "application/x-www-form-urlencoded"


class HttpCalls:
    """Sends requests."""

    def __init__(self, web: Web, secrets: Secrets, credentials: Credentials) -> None:
        self._web = web
        self._secrets = secrets
        self._credentials = credentials
        self._turns = Turns(_CALLS_AT_ONCE)

    async def carry_out(self, caller: Caller, call: CallHttp) -> HttpAnswer:
        """Send the request of a task, with a key that is the same however often the task is sent."""
        pointer = call.reference.pointer
        keyring = await self._secrets.keyring(caller)
        proof = await self._credentials.prove(caller.instance.tenant, call.authentication, keyring, pointer)
        try:
            async with self._turns.seat(caller.instance.tenant):
                with tracing.calling(f"HTTP {call.method}") as trace:
                    request = _Draft(call, keyring).request(proof, _own_headers(caller, call, trace))
                    await caller.confirm()
                    answer = await self._web.send(request)
        except WebFault as fault:
            raise web_fault(pointer, describe(call.method, call.uri), fault) from None
        except (ValueError, TypeError, RecursionError):
            raise errors.configuration(pointer, f"{describe(call.method, call.uri)} cannot be sent.") from None
        if answer.status == 401:
            self._credentials.disbelieve(proof)
        return HttpAnswer(answer.status, answer.headers, answer.body)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A call, and what opens its seals."""

    call: CallHttp
    keyring: Keyring

    def request(self, proof: Proof, headers: dict[str, str]) -> WebRequest:
        """Give the request; throw a configuration fault for a call that cannot be sent."""
        call, pointer = self.call, self.call.reference.pointer
        written = {name.lower(): value for name, value in call.headers.items()}
        opened = {name: self.keyring.open_text(value, pointer) for name, value in written.items()}
        confidential = frozenset(name for name, value in opened.items() if value != written[name])
        url = self._url()
        headers |= opened
        body = self._body(headers)
        if proof.authorization:
            headers["authorization"] = proof.authorization
        elif url.user is not None and "authorization" not in headers:
            headers["authorization"] = basic(f"{url.user}:{url.password or ''}")
        for name, value in headers.items():
            if not _NAME.fullmatch(name) or name in _OURS or _UNSENDABLE.search(value):
                raise errors.configuration(pointer, f"The header {name[:60]!r} cannot be sent.")
        return WebRequest(
            call.method,
            url.with_user(None),
            headers,
            body,
            call.follow_redirects,
            proof.digest,
            confidential,
            is_body_confidential=self.keyring.open(call.body, pointer) != call.body,
        )

    def _url(self) -> URL:
        pointer = self.call.reference.pointer
        try:
            url = URL(self.keyring.open_uri(self.call.uri, pointer))
            if url.scheme not in ("http", "https") or not url.host or not url.port:
                raise ValueError(url.scheme)
            query = [
                (self.keyring.open_text(name, pointer), self.keyring.open_text(each, pointer))
                for name, value in self.call.query.items()
                for each in (value if isinstance(value, list) else [value])
            ]
            return url.extend_query(query) if query else url
        except ValueError:
            where = repr(self.call.uri[:200])
            raise errors.configuration(pointer, f"The endpoint must be an http or https URI, not {where}.") from None

    def _body(self, headers: dict[str, str]) -> bytes | None:
        """Give the bytes to send, and their type where the author names none."""
        call, pointer = self.call, self.call.reference.pointer
        is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
        if call.body is None:
            return None
        if isinstance(call.body, str) and "content-type" in headers:
            text = self.keyring.open_form(call.body, pointer) if is_form else self.keyring.open_text(call.body, pointer)
            return text.encode("utf-8", "replace")
        body: Json = self.keyring.open(call.body, pointer)
        if is_form and isinstance(body, dict):
            return urlencode({name: _field(value) for name, value in body.items()}, doseq=True).encode()
        headers.setdefault("content-type", "application/json")
        return to_text(body).encode()


def describe(method: str, uri: str) -> str:
    """Name a request as its author wrote it, seals closed, without what else may be confidential."""
    parts = urlsplit(uri)
    return f"{method} {parts._replace(netloc=parts.netloc.rpartition('@')[2], query='', fragment='').geturl()[:500]}"


def web_fault(pointer: str, what: str, fault: WebFault) -> WorkflowFault:
    """Give the fault of a request that got no usable answer."""
    if fault.trouble is Trouble.DENIED:
        return errors.authorization(pointer, f"{what} {fault}.")
    return errors.communication(pointer, f"{what} {fault}.", fault.trouble.value)


def idempotency_key(caller: Caller, call: CallHttp | CallGrpc | Invoke, *, is_new_each_attempt: bool = False) -> str:
    """Give what a task's call is known by however often it is sent; task names may be in any script."""
    place = call.reference if is_new_each_attempt else call.reference.operation
    return quote(f"{caller.instance.instance}{place}", safe="/@,.:~")


def _own_headers(caller: Caller, call: CallHttp, trace: Trace) -> dict[str, str]:
    return {"idempotency-key": idempotency_key(caller, call), "traceparent": trace.traceparent}


def _field(value: Json) -> str | list[str]:
    if isinstance(value, list):
        return [str(_field(each)) for each in value]
    return value if isinstance(value, str) else "" if value is None else to_text(value)
