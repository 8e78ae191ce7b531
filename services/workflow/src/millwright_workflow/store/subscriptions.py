"""Subscriptions, what they are found by, and the inbox of each, in Postgres.

Rows of one subscription are changed under its lock. Whoever locks several locks them in the order of their keys.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.domain import subscribing
from millwright_workflow.domain.interpreter.subscription import Delivery, Subscription
from millwright_workflow.domain.subscribing import Filed, Topic


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Whose inbox it is."""

    instance: uuid.UUID
    """The instance; of a schedule, what `schedules.owner` gives."""
    reference: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subscription that may want what is found under a topic."""

    topic: Topic
    address: Address
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Posted:
    """A delivery on its way into an inbox."""

    address: Address
    event_key: str
    delivery: Delivery


async def insert(
    connection: Connection,
    tenant: str,
    address: Address,
    pointer: str,
    subscription: Subscription,
    now: datetime,
) -> bool:
    """Keep a subscription; False, and nothing changes, if it is there."""
    text = subscribing.write(subscription)
    if not await connection.fetchval(_INSERT, tenant, address.instance, address.reference, pointer, text, now):
        return False
    filed = subscribing.topics(subscription)
    await connection.execute(
        _INSERT_TOPICS,
        tenant,
        address.instance,
        address.reference,
        [entry.topic.route for entry in filed],
        [entry.topic.template for entry in filed],
        [entry.topic.value for entry in filed],
        [entry.template_text for entry in filed],
    )
    return True


async def remove(connection: Connection, tenant: str, address: Address) -> None:
    """Remove a subscription with its inbox."""
    await connection.execute(_REMOVE, tenant, address.instance, address.reference)


async def templates(connection: Connection, routes: Collection[bytes]) -> list[Filed]:
    """Give the expressions that the subscriptions under `routes` are told apart by, each once a route."""
    rows = await connection.fetch(_TEMPLATES, list(routes))
    return [Filed(Topic(row["route"], row["template"]), row["template_text"]) for row in rows]


async def find(connection: Connection, topics: Collection[Topic]) -> list[Candidate]:
    """Give the subscriptions that are found under any of `topics`."""
    rows = await connection.fetch(
        _FIND, [t.route for t in topics], [t.template for t in topics], [t.value for t in topics]
    )
    read: dict[Address, Subscription] = {}
    candidates = []
    for row in rows:
        address = Address(row["instance"], row["reference"])
        if address not in read:
            read[address] = subscribing.read(row["subscription"])
        candidates.append(Candidate(Topic(row["route"], row["template"], row["value"]), address, read[address]))
    return candidates


async def post(connection: Connection, tenant: str, posted: Sequence[Posted], now: datetime) -> list[Address]:
    """Append deliveries, in order, to the inboxes that are still there; give the inbox of each that is new.

    An event that an inbox has is not appended again. The places in an inbox are dense.
    """
    if not posted:
        return []
    addresses = sorted({entry.address for entry in posted})
    await connection.execute(_LOCK, tenant, [a.instance for a in addresses], [a.reference for a in addresses])
    rows = await connection.fetch(
        _POST,
        tenant,
        [entry.address.instance for entry in posted],
        [entry.address.reference for entry in posted],
        [entry.event_key for entry in posted],
        [subscribing.write_delivery(entry.delivery) for entry in posted],
        now,
    )
    return [Address(row["instance"], row["reference"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an inbox."""

    tenant: str
    address: Address
    position: int


async def read(connection: Connection, places: Sequence[Place]) -> Mapping[Place, Delivery]:
    """Give what lies at those of `places` where something does."""
    rows = await connection.fetch(
        _READ,
        [place.tenant for place in places],
        [place.address.instance for place in places],
        [place.address.reference for place in places],
        [place.position for place in places],
    )
    return {
        Place(row["tenant"], Address(row["instance"], row["reference"]), row["position"]): subscribing.read_delivery(
            row["delivery"]
        )
        for row in rows
    }


async def read_from(
    connection: Connection, tenant: str, address: Address, position: int, limit: int
) -> list[tuple[int, Delivery]]:
    """Give at most `limit` deliveries of an inbox from `position` on, in order."""
    rows = await connection.fetch(_READ_FROM, tenant, address.instance, address.reference, position, limit)
    return [(row["position"], subscribing.read_delivery(row["delivery"])) for row in rows]


async def discard(connection: Connection, tenant: str, address: Address, before: int) -> None:
    """Remove what an inbox has below the position `before`."""
    await connection.execute(_DISCARD, tenant, address.instance, address.reference, before)


_INSERT = """
INSERT INTO workflow.subscription (tenant, instance, reference, pointer, subscription, create_time)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true
"""
_INSERT_TOPICS = """
INSERT INTO workflow.topic (tenant, instance, reference, route, template, value, template_text)
SELECT $1, $2, $3, * FROM unnest($4::bytea[], $5::bytea[], $6::bytea[], $7::text[])
"""
_REMOVE = "DELETE FROM workflow.subscription WHERE tenant = $1 AND instance = $2 AND reference = $3"
# Steps from one expression to the next in the index, however many subscriptions share one.
_TEMPLATES = f"""
WITH RECURSIVE found (route, template) AS (
    SELECT route, (
        SELECT topic.template FROM workflow.topic AS topic
        WHERE topic.tenant = {TENANT} AND topic.route = wanted.route ORDER BY topic.template LIMIT 1
    )
    FROM unnest($1::bytea[]) AS wanted (route)
    UNION ALL
    SELECT route, (
        SELECT topic.template FROM workflow.topic AS topic
        WHERE topic.tenant = {TENANT} AND topic.route = found.route AND topic.template > found.template
        ORDER BY topic.template LIMIT 1
    )
    FROM found WHERE template IS NOT NULL
)
SELECT route, template, (
    SELECT template_text FROM workflow.topic AS topic
    WHERE topic.tenant = {TENANT} AND topic.route = found.route AND topic.template = found.template LIMIT 1
) AS template_text
FROM found WHERE template IS NOT NULL
"""
_FIND = f"""
SELECT route, template, value, instance, reference, subscription
FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS wanted (route, template, value)
JOIN workflow.topic USING (route, template, value)
JOIN workflow.subscription USING (tenant, instance, reference)
WHERE topic.tenant = {TENANT}
"""
_LOCK = """
SELECT FROM workflow.subscription
WHERE tenant = $1 AND (instance, reference) IN (SELECT * FROM unnest($2::uuid[], $3::text[]))
ORDER BY tenant, instance, reference FOR UPDATE
"""
_POST = """
WITH incoming AS (
    SELECT sent.*, received - 1 + row_number() OVER (
        PARTITION BY instance, reference ORDER BY place
    ) AS position
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
        AS sent (instance, reference, event_key, delivery, place)
    JOIN workflow.subscription AS subscription USING (instance, reference)
    WHERE subscription.tenant = $1 AND NOT EXISTS (
        SELECT FROM workflow.delivery
        WHERE delivery.tenant = $1 AND delivery.instance = sent.instance AND delivery.reference = sent.reference
          AND delivery.event_key = sent.event_key
    )
), counted AS (
    UPDATE workflow.subscription AS subscription SET received = received + arrived.count
    FROM (SELECT instance, reference, count(*) FROM incoming GROUP BY instance, reference) AS arrived
    WHERE subscription.tenant = $1 AND subscription.instance = arrived.instance
      AND subscription.reference = arrived.reference
)
INSERT INTO workflow.delivery (tenant, instance, reference, position, event_key, delivery, receive_time)
SELECT $1, instance, reference, position, event_key, delivery, $6 FROM incoming
RETURNING instance, reference
"""
_READ = """
SELECT tenant, instance, reference, position, delivery
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) AS wanted (tenant, instance, reference, position)
JOIN workflow.delivery USING (tenant, instance, reference, position)
"""
_READ_FROM = """
SELECT position, delivery FROM workflow.delivery
WHERE tenant = $1 AND instance = $2 AND reference = $3 AND position >= $4 ORDER BY position LIMIT $5
"""
_DISCARD = """
DELETE FROM workflow.delivery WHERE tenant = $1 AND instance = $2 AND reference = $3 AND position < $4
"""
