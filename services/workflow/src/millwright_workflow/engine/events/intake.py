"""Intake: CloudEvents come in, from callers, from workflows and over NATS, and go to whoever listens for them.

Owns the one way in. An event counts once by its source and id, however it comes and however often. Where events are
kept for those who listen late, they are stored before it is looked up who listens, and a subscription is stored before
kept events are looked through: so one of the two sees the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from millwright_runtime.events.inbox import Inbox
from millwright_runtime.events.streams import Stream
from millwright_runtime.json import JsonObject
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from millwright_workflow.commands import delivering
from millwright_workflow.commands.delivering import Delivered, Matched
from millwright_workflow.domain import cloud_events, names, subscribing
from millwright_workflow.domain.interpreter.subscription import Subscription
from millwright_workflow.engine.events.matching import Matching
from millwright_workflow.store import kept_events
from millwright_workflow.store.subscriptions import Address

TRIGGERED = "triggered"
"""The signal that a schedule may have events."""

REMEMBERED = timedelta(hours=25)
"""How long it is known that an event was taken, counted from when it came."""

_DURABLE = "millwright-workflow"
_FETCH = 256
_FETCH_SECONDS = 5.0
_AWAY_SECONDS = 1.0
_FORGET_BATCH = 5000
_LATE_LIMIT = 10_000
_log = logging.getLogger(__name__)


def inbox_signal(tenant: str, address: Address) -> str:
    """Give the name of the signal that something has come into the inboxes of an instance."""
    return f"{tenant}/{names.instance(address.instance)}/inbox"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of events."""

    accepted: int
    deliveries: int


class Intake:
    """Takes events in."""

    def __init__(self, platform: Platform, inbox: Inbox, matching: Matching, kept: timedelta) -> None:
        self._platform = platform
        self._inbox = inbox
        self._matching = matching
        self._kept = kept

    async def take(self, tenant: str, events: Sequence[JsonObject]) -> Taken:
        """Take events that were checked: they are durable when this returns, and sent again they do nothing."""
        matched = await self.match(tenant, _once(events))
        async with self._platform.database.transaction(tenant) as connection:
            delivered = await self.deliver(connection, tenant, matched)
        await self.wake(tenant, delivered.addresses)
        return Taken(delivered.accepted, len(delivered.addresses))

    async def match(self, tenant: str, events: Sequence[JsonObject]) -> list[Matched]:
        """Find out who wants events, keeping them first if events are kept."""
        if self._kept:
            async with self._platform.database.transaction(tenant) as connection:
                await kept_events.insert(connection, tenant, [(e, subscribing.routes(e)) for e in events])
        return await self._matching.match(tenant, events)

    async def deliver(self, connection: Connection, tenant: str, matched: Sequence[Matched]) -> Delivered:
        """Deliver matched events in the caller's transaction, who then has to `wake`."""
        return await delivering.deliver(connection, self._inbox, tenant, matched, datetime.now(UTC))

    async def wake(self, tenant: str, addresses: Iterable[Address]) -> None:
        """Wake the owners of inboxes, wherever they run."""
        signals = {TRIGGERED if a.reference.startswith("/schedule/") else inbox_signal(tenant, a) for a in addresses}
        await self._platform.wake(*signals)

    async def look_back(self, tenant: str, address: Address, subscription: Subscription) -> None:
        """Deliver to a new subscription what came shortly before it, if events are kept."""
        if not self._kept:
            return
        routes = {filed.topic.route for filed in subscribing.topics(subscription)}
        async with self._platform.database.snapshot(tenant) as connection:
            events = await kept_events.find(connection, routes, self._kept, _LATE_LIMIT)
        matched = [
            Matched(event, [(address, delivery)])
            for event in events
            if (delivery := await self._matching.matches(subscription, event)) is not None
        ]
        async with self._platform.database.transaction(tenant) as connection:
            await delivering.deliver_late(connection, tenant, matched, datetime.now(UTC))

    async def forget(self, connection: Connection) -> int:
        """Forget a batch of what was taken long ago, whichever way it came; give how much."""
        count = await self._inbox.forget(connection, REMEMBERED, _FORGET_BATCH)
        return count + await kept_events.forget(connection, self._kept, _FORGET_BATCH)


class Reception:
    """Receives events over NATS: each is acknowledged once it is durable, and comes again until then."""

    def __init__(self, name: str, intake: Intake, stream: Stream) -> None:
        """Receive under the `name` of a loop what comes by `stream`."""
        self.name = name
        self._intake = intake
        self._stream = stream
        self._is_draining = False

    async def run(self) -> None:
        """Receive until cancelled."""
        while not self._is_draining:
            try:
                await self.run_once()
            except (NatsError, JetStreamError, OSError) as error:
                _log.debug("events wait in NATS", extra={"fault": repr(error)})
                await asyncio.sleep(_AWAY_SECONDS)

    async def drain(self) -> None:
        """Take nothing more; what is in hand and not acknowledged comes to another replica."""
        self._is_draining = True

    async def run_once(self, seconds: float = _FETCH_SECONDS) -> int:
        """Receive what there is, waiting `seconds` for the first; give how many messages it was."""
        messages = await self._stream.fetch(_DURABLE, _FETCH, seconds)
        batches: defaultdict[str, list[tuple[Msg, JsonObject]]] = defaultdict(list)
        for message in messages:
            try:
                event = cloud_events.read_message(message.headers or {}, message.data)
            except (ValueError, RecursionError) as error:
                _log.warning("a message is no event", extra={"subject": message.subject, "fault": str(error)})
                await message.term()
            else:
                batches[message.subject.split(".", 2)[1]].append((message, event))
        for tenant, batch in batches.items():
            await self._intake.take(tenant, [event for _, event in batch])
            for message, _ in batch:
                await message.ack()
        return len(messages)


def _once(events: Sequence[JsonObject]) -> list[JsonObject]:
    """Leave out events that are there twice."""
    return list({cloud_events.key(event): event for event in reversed(events)}.values())[::-1]
