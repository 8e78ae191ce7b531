"""Delivering: events that were matched come into the inboxes of whoever wants them, each event once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.events.inbox import Inbox
from millwright_runtime.json import JsonObject
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import cloud_events
from millwright_workflow.domain.interpreter.subscription import Delivery
from millwright_workflow.store import subscriptions
from millwright_workflow.store.subscriptions import Address, Posted


@dataclass(frozen=True, slots=True)
class Matched:
    """An event, and who wants it."""

    event: JsonObject
    deliveries: Sequence[tuple[Address, Delivery]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of events."""

    accepted: int
    """How many were new."""
    addresses: Sequence[Address]
    """The inbox of each delivery that was made."""


async def deliver(
    connection: Connection, inbox: Inbox, tenant: str, matched: Sequence[Matched], now: datetime
) -> Delivered:
    """Put events into inboxes, in order; one that was taken before, by its source and id, is passed over."""
    keyed = [(cloud_events.key(entry.event), entry) for entry in matched]
    new = await inbox.take_all(connection, [f"{tenant}:{key}" for key, _ in keyed])
    posted = [
        Posted(address, key, delivery)
        for key, entry in keyed
        if f"{tenant}:{key}" in new
        for address, delivery in entry.deliveries
    ]
    return Delivered(len(new), await subscriptions.post(connection, tenant, posted, now))


async def deliver_late(
    connection: Connection, tenant: str, matched: Sequence[Matched], now: datetime
) -> Sequence[Address]:
    """Put events that were taken before into inboxes that did not have them yet; give the inbox of each delivery."""
    posted = [
        Posted(address, cloud_events.key(entry.event), delivery)
        for entry in matched
        for address, delivery in entry.deliveries
    ]
    return await subscriptions.post(connection, tenant, posted, now)
