"""HTTP calls of workflows: one request, whatever the answer's status; a failed transport is a fault."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx

from millwright_workflow.domain.interpreter import CallHttp, HttpAnswer, errors

_RESPONSE_LIMIT_BYTES = 4 * 1024 * 1024
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CALL_SECONDS = 120.0
"""For the whole of a call: the limits above are for each of its parts, and an answer may come drop by drop."""
_CONNECTIONS = httpx.Limits(max_connections=256, max_keepalive_connections=64)


class HttpCalls:
    """Sends requests. Certificates are checked, and no proxy of our own environment is used."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT,
            limits=_CONNECTIONS,
            max_redirects=5,
            trust_env=False,
            headers={"user-agent": "millwright"},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, call: CallHttp, idempotency_key: str) -> HttpAnswer:
        """Send the request of a task; throw a communication or configuration fault if nothing usable came back.

        `idempotency_key` is the same each time this task is sent, so that a receiver can tell a repetition.
        """
        pointer = call.reference.pointer
        try:
            request = self._request(call, idempotency_key)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, TypeError) as error:
            raise errors.configuration(pointer, f"The request cannot be made: {error}") from None
        if request.url.scheme not in ("http", "https") or not request.url.host:
            raise errors.configuration(pointer, f"The endpoint must be an http or https URI, not {call.uri[:200]!r}.")
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await self._exchange(request, call)
        except (httpx.TimeoutException, TimeoutError):
            raise errors.communication(pointer, f"{_where(request)} did not answer in time.", 504) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ExceptionGroup) as error:
            # The last two are what Python's sockets make of a host or a port that cannot be.
            raise errors.communication(pointer, f"{_where(request)} cannot be reached: {error}", 503) from None

    def _request(self, call: CallHttp, idempotency_key: str) -> httpx.Request:
        key = quote(idempotency_key, safe="/@,.:~")  # it holds names of tasks, which may be in any script
        headers = {"idempotency-key": key, **{name.lower(): value for name, value in call.headers.items()}}
        body: dict[str, Any] = {}
        if isinstance(call.body, str) and "content-type" in headers:
            body["content"] = call.body
        elif call.body is not None:
            body["json"] = call.body
        url = httpx.URL(call.uri)
        if call.query:
            url = url.copy_merge_params(call.query)
        return self._client.build_request(call.method, url, headers=headers, **body)

    async def _exchange(self, request: httpx.Request, call: CallHttp) -> HttpAnswer:
        response = await self._client.send(request, stream=True, follow_redirects=call.follow_redirects)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _RESPONSE_LIMIT_BYTES:
                    detail = f"{_where(request)} answered more than {_RESPONSE_LIMIT_BYTES} bytes."
                    raise errors.communication(call.reference.pointer, detail, 502)
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(response.status_code, headers, bytes(body))


def _where(request: httpx.Request) -> str:
    """Name a request without its query, which may hold secrets."""
    return f"{request.method} {request.url.copy_with(query=None, fragment=None, userinfo=b'')}"
