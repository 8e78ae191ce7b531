"""Streams that many write to and read from, such as that of the tenants' events: published to, fetched by a durable.

Knows nothing of what the messages say. A stream or a consumer that is gone, as after NATS was wiped, is made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from millwright_runtime.events.jetstream import JetStream

_ACK_SECONDS = 5.0
_ACK_WAIT_SECONDS = 30
_MOST_UNACKNOWLEDGED = 4096


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way out."""

    subject: str
    body: bytes
    headers: dict[str, str]
    """With `Nats-Msg-Id`, a message that is sent twice within two minutes is kept once."""


class Stream:
    """The stream `name` of everything under `subject`, in files and for `retention`.

    Without a retention the stream is another service's: it is waited for and never made here, and `subject` is the part
    of it that is fetched, by a new consumer from now on.
    """

    def __init__(self, jetstream: JetStream, name: str, subject: str, retention: timedelta | None) -> None:
        self._jetstream = jetstream
        self._is_own = retention is not None
        self._config = StreamConfig(
            name=name,
            subjects=[subject],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            max_age=retention.total_seconds() if retention else None,
            allow_direct=True,
        )
        self._begin = datetime.now(UTC)
        self._is_there = False
        self._pull: JetStreamContext.PullSubscription | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order and return once JetStream has acknowledged all; else raise, and the caller tries again."""
        await self._ensure()
        context = self._jetstream.context
        try:
            sent = [await context.publish_async(m.subject, m.body, headers=m.headers) for m in messages]
            async with asyncio.timeout(_ACK_SECONDS):
                await asyncio.gather(*sent)
        except BaseException:
            self._is_there = False
            raise

    async def fetch(self, durable: str, count: int, seconds: float) -> list[Msg]:
        """Give at most `count` messages for the consumer `durable`, which replicas share; none after `seconds`.

        What is not acknowledged within 30 s comes again. Raises what NATS raises; the next call begins anew.
        """
        try:
            if self._pull is None:
                self._pull = await self._subscribe(durable)
            begin, messages = datetime.now(UTC), list[Msg]()
            try:
                messages = await self._pull.fetch(count, timeout=seconds)
            except (NatsTimeoutError, TimeoutError):
                await self._pull.consumer_info()  # raises if it is gone: then nothing would ever come
        except BaseException:
            await self._forget()
            raise
        self._begin = begin  # a consumer that is made anew goes on from here
        return messages

    async def _subscribe(self, durable: str) -> JetStreamContext.PullSubscription:
        await self._ensure()
        config = ConsumerConfig(
            durable_name=durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_SECONDS,
            max_ack_pending=_MOST_UNACKNOWLEDGED,
        )
        if not self._is_own:  # which is made by its first message: that one is after our beginning, too
            config.deliver_policy, config.opt_start_time = DeliverPolicy.BY_START_TIME, self._begin
        subjects = self._config.subjects or []
        return await self._jetstream.context.pull_subscribe(
            subjects[0], durable=durable, stream=self._config.name, config=config
        )

    async def _forget(self) -> None:
        pull, self._pull, self._is_there = self._pull, None, False
        if pull is not None and self._jetstream.is_connected:
            await pull.unsubscribe()

    async def _ensure(self) -> None:
        """Make the stream if it is not there; raise NotFoundError if that is another's task."""
        if not self._jetstream.is_connected:
            raise ConnectionError("NATS is not connected")
        if self._is_there:
            return
        try:
            await self._jetstream.context.stream_info(self._config.name or "")
        except NotFoundError:
            if not self._is_own:
                raise
            await self._jetstream.context.add_stream(self._config)
        self._is_there = True
