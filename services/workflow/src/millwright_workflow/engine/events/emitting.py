"""Carries out `Emit`, and publishes to NATS what was emitted.

An event that a workflow emits is delivered to our own subscribers in the transaction that makes it durable, whether or
not NATS is there, and is noted as taken: when it comes back over NATS, it is known already.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from millwright_runtime.events.outlet import Outlet
from millwright_runtime.events.streams import Message, Stream
from millwright_runtime.json import JsonObject
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_workflow.domain import cloud_events
from millwright_workflow.domain.cloud_events import InvalidEvent
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.effects import Emit, TaskReference
from millwright_workflow.engine.events.intake import Intake
from millwright_workflow.engine.running.driver import Caller
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.writer import Superseded
from millwright_workflow.store import attachments, emissions
from millwright_workflow.store.emissions import Outgoing

EMITTED = "emitted"
"""The signal that events wait to be published."""

_EVENTS: Final = uuid.UUID("7b0d2c0e-3a52-5f57-8a0b-51f1e0c0b8de")
_HEADER_BYTES = 16_384


class Emitting:
    """Emits on behalf of instances."""

    def __init__(self, platform: Platform, holdings: Holdings, intake: Intake) -> None:
        self._platform = platform
        self._holdings = holdings
        self._intake = intake

    async def carry_out(self, caller: Caller, effect: Emit) -> JsonObject:
        """Make an event durable, deliver it here and queue it for NATS; emitted before, give it as it was."""
        tenant, instance = caller.instance.tenant, caller.instance.instance
        reference = str(effect.reference)
        async with self._platform.database.snapshot(tenant) as connection:
            if (earlier := await emissions.find(connection, tenant, instance, reference)) is not None:
                return earlier
        event = complete(effect.event, instance, effect.reference, datetime.now(UTC))
        try:
            cloud_events.check(event)
        except InvalidEvent as fault:
            raise errors.expression(effect.reference.pointer, f"The event cannot be emitted: {fault}.") from None
        matched = await self._intake.match(tenant, [event])
        async with self._platform.database.transaction(tenant) as connection:
            if not await attachments.attach(connection, self._holdings.tenure, tenant, instance):
                raise Superseded
            pointer = effect.reference.pointer
            await emissions.insert(connection, tenant, instance, reference, pointer, event)
            delivered = await self._intake.deliver(connection, tenant, matched)
        self._platform.signals.notify(EMITTED)
        await self._intake.wake(tenant, delivered.addresses)
        return event


class Publisher(Outlet[Outgoing]):
    """Publishes emitted events."""

    name = "publisher"

    def __init__(self, platform: Platform, stream: Stream) -> None:
        super().__init__(platform.database, emissions.OUTGOING)
        self._platform = platform
        self._stream = stream

    async def run(self) -> None:
        """Publish until cancelled."""
        with self._platform.signals.listen(EMITTED) as listener:
            await self.keep_publishing(listener)

    async def drain(self) -> None:
        """Publish what is there; what NATS does not take now waits for another replica."""
        await self.flush()

    async def _oldest(self, connection: Connection, limit: int) -> Sequence[Outgoing]:
        return await emissions.oldest(connection, limit)

    async def _send(self, items: Sequence[Outgoing]) -> None:
        await self._stream.publish([self._message(each.tenant, each.event) for each in items])

    async def _remove(self, connection: Connection, items: Sequence[Outgoing]) -> None:
        await emissions.published(connection, items)

    def _message(self, tenant: str, event: JsonObject) -> Message:
        headers, body = cloud_events.write_message(event)
        headers["Nats-Msg-Id"] = cloud_events.key(event)
        if len(body) + _HEADER_BYTES > self._platform.jetstream.max_payload:
            headers["ce-dataomitted"], body = "true", b""
        return Message(cloud_events.subject(tenant, event), body, headers)


def complete(event: JsonObject, instance: uuid.UUID, reference: TaskReference, now: datetime) -> JsonObject:
    """Give an event with the attributes that its author left to the runtime."""
    whole: JsonObject = {
        "specversion": "1.0",
        "id": str(uuid.uuid5(_EVENTS, f"{instance}{reference}")),
        "time": now.isoformat().replace("+00:00", "Z"),
    }
    if "data" in event:
        whole["datacontenttype"] = "application/json"
    return {**whole, **event}
