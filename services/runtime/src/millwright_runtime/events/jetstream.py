"""NATS JetStream: the stream of a service's events, published as CloudEvents in the binary mode of the NATS binding."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, PubAck, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from millwright_runtime.certificates import CertificateUnusable

_ACK_SECONDS = 5.0
_HEADER_BYTES = 8192
_SAFE = "/._-"
_RECONNECT_SECONDS = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event on its way out."""

    tenant: str
    resource: str
    sequence: int
    kind: str
    type: str
    data: str
    traceparent: str | None
    event_time: datetime


class JetStream:
    """A connection that is there when NATS is there, and says so when it is not."""

    def __init__(
        self, url: str, service: str, retention_days: int, secure: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        """Take the `url` of a server, or of several with commas; `retention_days` counts when the stream is made.

        `secure` gives what TLS is done with, also anew for each connection after the first; without it, the system's.
        """
        self._servers = url.split(",")
        self._secure = secure
        self._context_of_tls = secure() if secure else None
        self._service = service
        self._retention = timedelta(days=retention_days)
        self._client = Client()
        self._context = self._client.jetstream(timeout=_ACK_SECONDS)
        self._has_stream = False
        self._is_away = False
        self._wake_subject = f"millwright-wake.{service}"
        self._on_event: Callable[[str], None] | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self, on_event: Callable[[str], None]) -> None:
        """Begin to connect, and again after each loss; `on_event` is given `TENANT/RESOURCE` of every event seen."""
        self._on_event = on_event
        self._connecting = asyncio.create_task(self._keep_connected(), name="nats-connect")

    async def stop(self) -> None:
        """Close the connection."""
        if self._connecting:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client.is_connected or self._client.is_connecting or self._client.is_reconnecting:
            with suppress(OSError):  # it was lost, and cannot say any more what was kept for later
                await self._client.close()

    @property
    def is_connected(self) -> bool:
        """Tell whether publishing has a chance at the moment."""
        return self._client.is_connected

    @property
    def context(self) -> JetStreamContext:
        """Give the way to streams that are not this service's alone; see `streams.Stream`."""
        return self._context

    @property
    def max_payload(self) -> int:
        """Give how many bytes a message may have, its headers included."""
        return int(self._client.max_payload)

    async def wake(self, names: Iterable[str]) -> None:
        """Wake whoever listens for a signal of these names on other replicas, if NATS is there: it may be lost."""
        if not self.is_connected:
            return
        with suppress(NatsError, OSError):
            for name in names:
                await self._client.publish(self._wake_subject, name.encode())

    async def publish(self, events: list[Outgoing]) -> None:
        """Publish in order and return once JetStream has acknowledged all; else raise, and the caller tries again.

        JetStream drops what it has seen within two minutes by message id, so trying again does no harm. The body of
        an event that is larger than NATS takes is left out, and `ce-dataomitted` says so.
        """
        if not self.is_connected:
            raise ConnectionError("NATS is not connected")
        if not self._has_stream:
            await self._ensure_stream()
        try:
            acknowledgements = [await self._send(event) for event in events]
            self._tell(events)
            async with asyncio.timeout(_ACK_SECONDS):
                await asyncio.gather(*acknowledgements)
        except Exception:
            self._has_stream = False  # it may have been removed: look before the next attempt
            raise

    def _tell(self, events: list[Outgoing]) -> None:
        if self._on_event:
            for name in {f"{event.tenant}/{event.resource}" for event in events}:
                self._on_event(name)

    async def _send(self, event: Outgoing) -> asyncio.Future[PubAck]:
        headers, body = self._headers(event), event.data.encode()
        if len(body) + _HEADER_BYTES > self._client.max_payload:
            headers["ce-dataomitted"], body = "true", b""
        return await self._context.publish_async(self._subject(event), body, headers=headers)

    def _subject(self, event: Outgoing) -> str:
        resource_id = event.resource.partition("/")[2]
        return f"millwright.{event.tenant}.{self._service}.{event.kind}.{quote(resource_id, safe=_SAFE)}"

    def _headers(self, event: Outgoing) -> dict[str, str]:
        source = f"/millwright/{event.tenant}/{self._service}"
        resource = quote(event.resource, safe=_SAFE)
        headers = {
            "ce-specversion": "1.0",
            "ce-id": f"{resource}/{event.sequence}",
            "ce-source": source,
            "ce-type": event.type,
            "ce-subject": resource,
            "ce-time": event.event_time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce-datacontenttype": "application/json",
            "Nats-Msg-Id": f"{source}/{resource}/{event.sequence}",
        }
        if event.traceparent:
            headers["traceparent"] = event.traceparent
        return headers

    async def _keep_connected(self) -> None:
        """Connect, and begin anew where NATS ended a connection for good: with who may no longer be there, say.

        What was lost otherwise, the client itself connects again.
        """
        while True:
            try:
                await self._connect()
                while not self._client.is_closed:  # noqa: ASYNC110 - its callback does not tell of every end
                    await asyncio.sleep(_RECONNECT_SECONDS)
                _log.warning("NATS has ended the connection", extra={"fault": repr(self._client.last_error)})
            except (NatsError, OSError) as error:
                await self._failed(error)
                with suppress(NatsError, OSError):
                    await self._client.close()
            await asyncio.sleep(_RECONNECT_SECONDS)
            self._client = Client()
            self._context = self._client.jetstream(timeout=_ACK_SECONDS)
            self._has_stream = False

    async def _connect(self) -> None:
        await self._client.connect(  # tries until it succeeds
            self._servers,
            name=f"millwright-{self._service}",
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_SECONDS,
            connect_timeout=2,
            no_echo=True,  # what is published here is told of here, without a journey
            tls=self._context_of_tls,
            disconnected_cb=self._disconnected,
            error_cb=self._failed,
            reconnected_cb=self._reconnected,
        )
        await self._client.subscribe(f"millwright.*.{self._service}.>", cb=self._received)
        await self._client.subscribe(self._wake_subject, cb=self._woken)
        self._is_away = False

    async def _disconnected(self) -> None:
        """Have the next connection made with what the files hold by then."""
        if self._secure is None:
            return
        try:
            self._client.options["tls"] = self._secure()
        except CertificateUnusable as error:
            _log.error("new certificates are not used: the old ones stay", extra={"use": "nats", "fault": str(error)})

    async def _reconnected(self) -> None:
        self._has_stream = False  # the server that came back may have lost it
        self._is_away = False
        _log.info("NATS is back")

    async def _failed(self, error: Exception) -> None:
        if not self._is_away and not self.is_connected:
            self._is_away = True
            _log.warning("NATS is away", extra={"fault": repr(error)})

    async def _ensure_stream(self) -> None:
        """Make the stream if it is not there; one that is there is its operator's."""
        config = StreamConfig(
            name=f"MILLWRIGHT_{self._service.upper()}",
            subjects=[f"millwright.*.{self._service}.>"],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            max_age=self._retention.total_seconds(),
            allow_direct=True,
        )
        try:
            await self._context.stream_info(config.name or "")
        except NotFoundError:
            await self._context.add_stream(config)
        self._has_stream = True

    async def _received(self, message: Msg) -> None:
        if self._on_event:
            tenant = message.subject.split(".", 2)[1]
            self._on_event(f"{tenant}/{unquote((message.headers or {}).get('ce-subject', ''))}")

    async def _woken(self, message: Msg) -> None:
        if self._on_event:
            self._on_event(message.data.decode("utf-8", "replace"))


Publish = Callable[[list[Outgoing]], Awaitable[None]]
