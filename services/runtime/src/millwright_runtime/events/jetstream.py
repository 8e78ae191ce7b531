"""NATS JetStream: the stream of a service's events, published as CloudEvents in the binary mode of the NATS binding."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

_ACK_SECONDS = 5.0
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

    def __init__(self, url: str, service: str, retention_days: int) -> None:
        self._url = url
        self._service = service
        self._retention = timedelta(days=retention_days)
        self._client = Client()
        self._context: JetStreamContext | None = None
        self._on_message: Callable[[str], None] | None = None
        self._connecting: asyncio.Task[None] | None = None

    def start(self, on_event: Callable[[str], None]) -> None:
        """Begin to connect, and again after each loss; `on_event` is given `TENANT/RESOURCE` of every event seen."""
        self._on_message = on_event
        self._connecting = asyncio.create_task(self._connect(), name="nats-connect")

    async def stop(self) -> None:
        """Close the connection."""
        if self._connecting:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client.is_connected:
            await self._client.close()

    @property
    def is_connected(self) -> bool:
        """Tell whether publishing has a chance at the moment."""
        return self._context is not None and self._client.is_connected

    async def publish(self, events: list[Outgoing]) -> None:
        """Publish in order and return once JetStream has acknowledged all; else raise, and the caller tries again.

        JetStream drops what it has seen within two minutes by message id, so trying again does no harm.
        """
        if not self.is_connected or self._context is None:
            raise ConnectionError("NATS is not connected")
        acknowledgements = [
            await self._context.publish_async(self._subject(event), event.data.encode(), headers=self._headers(event))
            for event in events
        ]
        async with asyncio.timeout(_ACK_SECONDS):
            await asyncio.gather(*acknowledgements)

    def _subject(self, event: Outgoing) -> str:
        return f"millwright.{event.tenant}.{self._service}.{event.kind}.{event.resource.partition('/')[2]}"

    def _headers(self, event: Outgoing) -> dict[str, str]:
        source = f"/millwright/{event.tenant}/{self._service}"
        headers = {
            "ce-specversion": "1.0",
            "ce-id": f"{event.resource}/{event.sequence}",
            "ce-source": source,
            "ce-type": event.type,
            "ce-subject": quote(event.resource, safe="/._-"),
            "ce-time": event.event_time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce-datacontenttype": "application/json",
            "Nats-Msg-Id": f"{source}/{event.resource}/{event.sequence}",
        }
        if event.traceparent:
            headers["traceparent"] = event.traceparent
        return headers

    async def _connect(self) -> None:
        while True:
            try:
                await self._client.connect(
                    self._url,
                    name=f"millwright-{self._service}",
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RECONNECT_SECONDS,
                    connect_timeout=2,
                    error_cb=_log_error,
                    reconnected_cb=self._reconnected,
                )
                await self._client.subscribe(f"millwright.*.{self._service}.>", cb=self._received)
                await self._reconnected()
            except (OSError, TimeoutError, NatsError) as error:
                _log.warning("NATS is away", extra={"fault": repr(error)})
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                return

    async def _reconnected(self) -> None:
        """Make sure that the stream is there: the server that came back may have lost it."""
        context = self._client.jetstream(timeout=_ACK_SECONDS)
        try:
            await self._ensure_stream(context)
        except (TimeoutError, APIError, NatsError) as error:
            _log.warning("the stream cannot be made", extra={"fault": repr(error)})
        self._context = context

    async def _ensure_stream(self, context: JetStreamContext) -> None:
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
            await context.stream_info(config.name or "")
        except NotFoundError:
            await context.add_stream(config)

    async def _received(self, message: Msg) -> None:
        if self._on_message:
            tenant = message.subject.split(".", 2)[1]
            self._on_message(f"{tenant}/{(message.headers or {}).get('ce-subject', '')}")


async def _log_error(error: Exception) -> None:
    _log.warning("NATS", extra={"fault": repr(error)})


Publish = Callable[[list[Outgoing]], Awaitable[None]]
