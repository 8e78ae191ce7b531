"""Which events a task or a schedule wants, in a form that a store can keep and a bus can be asked with.

Owns the shape of a subscription and of what it is sent. `matching` decides; the engine keeps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millwright_runtime.json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression on one attribute of an event, or on its data.

    A boolean says whether the event matches; any other value is what the attribute must equal.
    """

    attribute: str
    template: Json
    variables: Mapping[str, Json]
    """What the expression knew when the subscription was made, and of that only what it mentions."""


@dataclass(frozen=True, slots=True)
class Key:
    """A value that an event carries and that ties it to others, or to data of the instance."""

    template: Json
    """Evaluated on the whole event, with no variables."""
    is_expected: bool
    """Whether `expected` is known from the start; otherwise the first event that is consumed says."""
    expected: Json = None


@dataclass(frozen=True, slots=True)
class EventPattern:
    """What an event must have. An event without an attribute that is named here does not match."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """Attributes and the text that each must equal. One written as a regular expression is a condition instead."""
    data: Json = None
    """Data that must be equal where `has_data`."""
    has_data: bool = False
    conditions: tuple[Condition, ...] = ()
    keys: Mapping[str, Key] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The patterns of a `listen` or of `schedule.on`: an event that matches any of them is delivered.

    All of it is JSON but for the classes: `dataclasses.asdict` is a form to store, and `read_subscription` reads it.
    `texts` (`type` nearly always) and expected keys are what a table of waiting subscriptions is looked up by.
    """

    patterns: tuple[EventPattern, ...]
    instance: str
    """The pointer to name in an expression error."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that was delivered, and why."""

    event: JsonObject
    """In the JSON format of CloudEvents: attributes in lower case, `data` or `data_base64`."""
    matches: tuple[Match, ...]
    """One for each pattern that it matches, in their order; at least one."""


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern that an event matches."""

    pattern: int
    """Its index in the subscription."""
    keys: Mapping[str, Json] = field(default_factory=dict)
    """The values that the event has for the pattern's keys."""


def read_subscription(values: Mapping[str, Any]) -> Subscription:
    """Give the subscription that `dataclasses.asdict` gave the values of."""
    return Subscription(tuple(_read_pattern(each) for each in values["patterns"]), values["instance"])


def read_delivery(values: Mapping[str, Any]) -> Delivery:
    """Give the delivery that `dataclasses.asdict` gave the values of."""
    return Delivery(values["event"], tuple(Match(**each) for each in values["matches"]))


def _read_pattern(values: Mapping[str, Any]) -> EventPattern:
    conditions = tuple(Condition(**each) for each in values["conditions"])
    keys = {name: Key(**each) for name, each in values["keys"].items()}
    return EventPattern(values["texts"], values["data"], values["has_data"], conditions, keys)
