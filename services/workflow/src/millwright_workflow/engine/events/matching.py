"""Who wants an event: subscriptions are looked up by what they are filed under, and `match_event` decides on each.

Reads, and writes nothing. Expressions are evaluated outside of any transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from millwright_runtime.json import Json, JsonObject, from_text
from millwright_runtime.postgres.database import Database

from millwright_workflow.commands.delivering import Matched
from millwright_workflow.domain import subscribing
from millwright_workflow.domain.interpreter import Evaluate, WorkflowFault
from millwright_workflow.domain.interpreter.matching import match_event
from millwright_workflow.domain.interpreter.subscription import Delivery, Subscription
from millwright_workflow.domain.subscribing import Filed, Topic
from millwright_workflow.engine.sandbox.expressions import Expressions
from millwright_workflow.store import subscriptions
from millwright_workflow.store.subscriptions import Address, Candidate


@dataclass(frozen=True, slots=True)
class _Sought:
    """An event, and every topic it could be wanted under."""

    event: JsonObject
    topics: frozenset[Topic]


class Matching:
    """Matches events against the subscriptions of a tenant."""

    def __init__(self, database: Database, expressions: Expressions) -> None:
        self._database = database
        self._expressions = expressions

    async def match(self, tenant: str, events: Sequence[JsonObject]) -> list[Matched]:
        """Give each of `events` with who wants it, of all who subscribed before this was called."""
        routes = {route for event in events for route in subscribing.routes(event)}
        async with self._database.snapshot(tenant) as connection:
            filed = await subscriptions.templates(connection, routes)
        if not filed:
            return [Matched(event, ()) for event in events]
        sought = [_Sought(event, await self._topics(event, filed)) for event in events]
        async with self._database.snapshot(tenant) as connection:
            candidates = await subscriptions.find(connection, {topic for each in sought for topic in each.topics})
        found: defaultdict[Topic, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            found[candidate.topic].append(candidate)
        return [Matched(each.event, await self._wanted(each, found)) for each in sought]

    async def matches(self, subscription: Subscription, event: JsonObject) -> Delivery | None:
        """Give the delivery of an event that a subscription wants, or None."""
        part = match_event(subscription, event)
        answer: Json = None
        fault: WorkflowFault | None = None
        try:
            while True:
                effect = part.send(answer) if fault is None else part.throw(fault)
                assert isinstance(effect, Evaluate)
                answer, fault = None, None
                try:
                    answer = await self._expressions.evaluate(effect)
                except WorkflowFault as thrown:
                    fault = thrown
        except StopIteration as end:
            found: Delivery | None = end.value
            return found

    async def _topics(self, event: JsonObject, filed: Sequence[Filed]) -> frozenset[Topic]:
        routes = frozenset(subscribing.routes(event))
        values: dict[bytes, bytes | None] = {subscribing.NO_KEY: subscribing.NO_KEY}
        topics = set()
        for entry in filed:
            topic = entry.topic
            if topic.route not in routes:
                continue
            if topic.template not in values:
                values[topic.template] = await self._value(event, from_text(entry.template_text))
            value = values[topic.template]
            if value is not None:
                topics.add(Topic(topic.route, topic.template, value))
        return frozenset(topics)

    async def _value(self, event: JsonObject, template: Json) -> bytes | None:
        try:
            return subscribing.key_value(await self._expressions.evaluate(Evaluate(template, event, {}, "/")))
        except WorkflowFault:
            return None

    async def _wanted(self, sought: _Sought, found: Mapping[Topic, list[Candidate]]) -> list[tuple[Address, Delivery]]:
        candidates = {each.address: each.subscription for topic in sought.topics for each in found.get(topic, ())}
        wanted = []
        for address, subscription in candidates.items():
            if (delivery := await self.matches(subscription, sought.event)) is not None:
                wanted.append((address, delivery))
        return wanted
