"""Matching: whether an event is one that a subscription wants.

Owns the rules, for the engine to apply to each event that comes in. Evaluates expressions by asking, like a walk.
"""

from __future__ import annotations

from millwright_runtime.json import Json, JsonObject, to_text

from millwright_workflow.domain.interpreter.effects import Evaluate, Part, WorkflowFault
from millwright_workflow.domain.interpreter.subscription import Condition, Delivery, EventPattern, Match, Subscription


def match_event(subscription: Subscription, event: JsonObject) -> Part[Delivery | None]:
    """Give the delivery of an event that the subscription wants, or None.

    `event` is in the JSON format of CloudEvents. A pattern whose expression fails on the event does not match it: an
    event of another form must fault nobody. Yields `Evaluate` alone; `variables` is then what the expression mentions.
    """
    matches = []
    for index, pattern in enumerate(subscription.patterns):
        try:
            keys = yield from _match(pattern, event, subscription.instance)
        except WorkflowFault:
            continue
        if keys is not None:
            matches.append(Match(index, keys))
    return Delivery(event, tuple(matches)) if matches else None


def _match(pattern: EventPattern, event: JsonObject, instance: str) -> Part[dict[str, Json] | None]:
    """Give the keys of an event that matches a pattern; None for another."""
    if any(event.get(name) != text for name, text in pattern.texts.items()):
        return None
    if pattern.has_data and not _equal(event.get("data"), pattern.data):
        return None
    for condition in pattern.conditions:
        if not (yield from _holds(condition, event, instance)):
            return None
    return (yield from _keys(pattern, event, instance))


def _holds(condition: Condition, event: JsonObject, instance: str) -> Part[bool]:
    if condition.attribute not in event:
        return False
    actual = event[condition.attribute]
    value: Json = yield Evaluate(condition.template, actual, condition.variables, instance)
    return value if isinstance(value, bool) else _equal(value, actual)


def _keys(pattern: EventPattern, event: JsonObject, instance: str) -> Part[dict[str, Json] | None]:
    keys: dict[str, Json] = {}
    for name, key in pattern.keys.items():
        value: Json = yield Evaluate(key.template, event, {}, instance)
        if value is None or (key.is_expected and not _equal(value, key.expected)):
            return None
        if not key.is_expected:
            keys[name] = value
    return keys


def _equal(one: Json, other: Json) -> bool:
    """Compare as JSON does, but for a number or a boolean that is written as text on one side."""
    if isinstance(one, str) != isinstance(other, str):
        one, other = (each if isinstance(each, str) else to_text(each) for each in (one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)
