"""Requests to other systems by HTTP, within limits: of size, time, connections, redirections and networks.

Owns the only HTTP client of workflows. Certificates are checked, no cookie is kept, and no proxy, netrc or other
setting of our own environment is used. Logs nothing of a request, and no message of its faults holds any part of one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from millwright_workflow.engine.calls.network import AddressDenied, Network

ANSWER_LIMIT_BYTES: Final = 4 * 1024 * 1024
_CONNECT_SECONDS: Final = 5.0
_MOST_REDIRECTIONS: Final = 5
_REDIRECTIONS: Final = frozenset({301, 302, 303, 307, 308})
_CONNECTIONS: Final = 320
_CONNECTIONS_PER_HOST: Final = 32
_CHUNK_BYTES: Final = 64 * 1024
_CREDENTIALS: Final = frozenset({"authorization", "cookie"})
_OF_THE_BODY: Final = frozenset({"content-type", "content-language", "content-location"})


class Trouble(Enum):
    """What kind of thing went wrong; the value is the HTTP status that tells of it."""

    UNREACHABLE = 503
    TOO_SLOW = 504
    UNUSABLE = 502
    DENIED = 403


class WebFault(Exception):
    """No usable answer came; the message is a predicate: `did not answer in time`."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What is sent."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes | None = None
    follow_redirects: bool = False
    digest: tuple[str, str] | None = None
    """A name and a password, for the server's challenge."""
    confidential: frozenset[str] = frozenset()
    """The headers that no other origin is sent. `authorization` and `cookie` always are among them."""
    is_body_confidential: bool = False


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; what came several times has commas between."""
    body: bytes


class Web:
    """The client. Make it inside the event loop."""

    def __init__(self, network: Network, seconds: float) -> None:
        """Let each request, its redirections included, take `seconds`."""
        self._seconds = seconds
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS, limit_per_host=_CONNECTIONS_PER_HOST, socket_factory=network.open_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            headers={"user-agent": "millwright", "accept-encoding": "gzip, deflate"},
            skip_auto_headers=("content-type",),
            requote_redirect_url=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, request: WebRequest, limit_bytes: int = ANSWER_LIMIT_BYTES) -> WebAnswer:
        """Send a request and read its whole answer, whatever its status; raise WebFault."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(request, limit_bytes)
        except TimeoutError:  # aiohttp's own are of this kind too
            raise WebFault(Trouble.TOO_SLOW, "did not answer in time") from None
        except aiohttp.ClientConnectorDNSError:
            raise WebFault(Trouble.UNREACHABLE, "cannot be reached: its name has no address") from None
        except aiohttp.ClientSSLError as error:
            raise WebFault(Trouble.UNREACHABLE, f"cannot be reached: {_tls_reason(error)}") from None
        except aiohttp.ClientConnectorError as error:
            raise _connect_fault(error.os_error) from None
        except aiohttp.ClientPayloadError:
            raise WebFault(Trouble.UNUSABLE, "broke off its answer, or sent one that cannot be decoded") from None
        except aiohttp.ClientResponseError:
            raise WebFault(Trouble.UNUSABLE, "did not answer in HTTP") from None
        except (aiohttp.ClientError, OSError):
            raise WebFault(Trouble.UNREACHABLE, "cannot be reached: the connection broke") from None

    async def _follow(self, request: WebRequest, limit_bytes: int) -> WebAnswer:
        for _ in range(_MOST_REDIRECTIONS + 1):
            answer = await self._exchange(request, limit_bytes)
            location = answer.headers.get("location")
            if not (request.follow_redirects and location and answer.status in _REDIRECTIONS):
                return answer
            request = redirected(request, answer.status, location)
        raise WebFault(Trouble.UNUSABLE, f"redirects more than {_MOST_REDIRECTIONS} times")

    async def _exchange(self, request: WebRequest, limit_bytes: int) -> WebAnswer:
        digest = (aiohttp.DigestAuthMiddleware(*request.digest),) if request.digest else ()
        async with self._session.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            middlewares=digest,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > limit_bytes:
                    response.close()
                    raise WebFault(Trouble.UNUSABLE, f"answered more than {limit_bytes} bytes")
            return WebAnswer(response.status, _merged(response.headers), bytes(body))


def redirected(request: WebRequest, status: int, location: str) -> WebRequest:
    """Give the request that a redirection leads to; raise WebFault where it may not be followed.

    303, and 301 and 302 after a POST, ask by GET without the body (RFC 9110, 15.4). What is confidential stays with
    the origin that it was meant for.
    """
    try:
        url = request.url.join(URL(location))
        is_usable = url.scheme in ("http", "https") and url.host is not None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise WebFault(Trouble.UNUSABLE, "redirects to what is no http or https URI")
    following = replace(request, url=url.with_user(None).with_fragment(None))
    if (status == 303 and request.method != "HEAD") or (status in (301, 302) and request.method == "POST"):
        headers = _without(request.headers, _OF_THE_BODY)
        following = replace(following, method="GET", headers=headers, body=None, is_body_confidential=False)
    if url.origin() == request.url.origin():
        return following
    if following.is_body_confidential:
        raise WebFault(Trouble.DENIED, "redirects to another origin, which a body with secrets is not sent to")
    return replace(following, headers=_without(following.headers, _CREDENTIALS | request.confidential), digest=None)


def _without(headers: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def _merged(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        merged[key] = f"{merged[key]}, {value}" if key in merged else value
    return merged


def _connect_fault(error: OSError) -> WebFault:
    if isinstance(error, AddressDenied):
        return WebFault(Trouble.DENIED, "may not be called: its address is in a denied network")
    reason = "the connection was refused" if isinstance(error, ConnectionRefusedError) else "there is no way there"
    return WebFault(Trouble.UNREACHABLE, f"cannot be reached: {reason}")


def _tls_reason(error: aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    return "TLS could not be agreed upon"
