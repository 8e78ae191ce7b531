"""What a subscription is kept by and found by, so that an event asks those that may want it and not all.

Each pattern gives one topic: its type and source where they are written as text, and one correlation key whose value
is expected, if it has one. An event is looked up under every topic that it could have. The topics only narrow down;
whether an event is wanted is for `match_event` to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from millwright_runtime.json import Json, JsonObject, from_text, to_text

from millwright_workflow.domain.interpreter.subscription import (
    Condition,
    Delivery,
    EventPattern,
    Key,
    Match,
    Subscription,
)

_PATH = re.compile(r"(?:@\d+(?:\.\d+)*)?(?:#\d+(?:\.\d+)*)?\Z", re.ASCII)
"""What follows the pointer in a reference's text; see `effects.path_suffix`."""

NO_KEY = b""
"""The template and the value of a pattern without an expected key."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a pattern is found under; every part is a digest, so that an index holds it whatever its length."""

    route: bytes
    """Of type and source."""
    template: bytes = NO_KEY
    """Of the expression that gives the key."""
    value: bytes = NO_KEY
    """Of what the key is expected to be."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A topic of a subscription, with the text of the expression that gives its key."""

    topic: Topic
    template_text: str = ""


def topics(subscription: Subscription) -> list[Filed]:
    """Give the topics of a subscription, each once."""
    return list(dict.fromkeys(_topic(pattern) for pattern in subscription.patterns))


def routes(event: JsonObject) -> list[bytes]:
    """Give every route that an event could be wanted under."""
    return [route(kind, source) for kind in (event["type"], None) for source in (event["source"], None)]


def route(kind: Json, source: Json) -> bytes:
    """Give the digest of a type and a source; None stands for any."""
    return _digest(to_text([kind, source]))


def key_value(value: Json) -> bytes:
    """Give the digest of a key's value: a number and the text that writes it are one, as they are in matching."""
    return _digest(value if isinstance(value, str) else to_text(value))


def pointer_of(reference: str) -> tuple[str, ...]:
    """Give the pointers that a reference's text may stand for: a task's own name may look like a path's suffix."""
    match = _PATH.search(reference)
    assert match is not None  # it may be empty
    return (reference, reference[: match.start()]) if match[0] else (reference,)


def write(subscription: Subscription) -> str:
    """Give a subscription as text."""
    return to_text(asdict(subscription))


def read(text: str) -> Subscription:
    """Give what `write` wrote."""
    values = from_text(text)
    return Subscription(tuple(_pattern(pattern) for pattern in values["patterns"]), values["instance"])


def write_delivery(delivery: Delivery) -> str:
    """Give a delivery as text."""
    return to_text([delivery.event, [[match.pattern, dict(match.keys)] for match in delivery.matches]])


def read_delivery(text: str) -> Delivery:
    """Give what `write_delivery` wrote."""
    event, matches = from_text(text)
    return Delivery(event, tuple(Match(pattern, keys) for pattern, keys in matches))


def _topic(pattern: EventPattern) -> Filed:
    place = route(pattern.texts.get("type"), pattern.texts.get("source"))
    expected: Iterable[Key] = (key for _, key in sorted(pattern.keys.items()) if key.is_expected)
    key = next(iter(expected), None)
    if key is None:
        return Filed(Topic(place))
    template = to_text(key.template)
    return Filed(Topic(place, _digest(template), key_value(key.expected)), template)


def _pattern(values: dict[str, Any]) -> EventPattern:
    return EventPattern(
        texts=values["texts"],
        data=values["data"],
        has_data=values["has_data"],
        conditions=tuple(Condition(**condition) for condition in values["conditions"]),
        keys={name: Key(**key) for name, key in values["keys"].items()},
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16]
