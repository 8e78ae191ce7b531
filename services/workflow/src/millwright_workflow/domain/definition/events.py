"""Events: their properties, the filters that choose them, and the strategies that consume them.

Owns the models. Matches no event.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field, StrictStr
from pydantic.alias_generators import to_camel

from millwright_workflow.domain.definition.scalars import (
    AS_OBJECT,
    AS_TEXT,
    TEXT_OR_OBJECT,
    Choice,
    Data,
    Expression,
    Model,
    UriTemplate,
)


class EventProperties(Model):
    """Attributes of a CloudEvent; extension attributes are kept as they are."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    id: StrictStr | None = None
    source: UriTemplate | None = None
    type: StrictStr | None = None
    time: StrictStr | None = None
    subject: StrictStr | None = None
    datacontenttype: StrictStr | None = None
    dataschema: UriTemplate | None = None
    data: Data = None


class OutboundEventProperties(EventProperties):
    """The attributes of an event to emit, which must say where it comes from and what it is."""

    source: UriTemplate
    type: StrictStr


class Event(Model):
    """An event to emit; keys besides `with` are kept as they are."""

    model_config = ConfigDict(extra="allow")

    with_: OutboundEventProperties


class Correlation(Model):
    """Links an event to data: what to take from the event, and what it must equal."""

    from_: Expression
    expect: StrictStr | None = None


class EventFilter(Model):
    """Which events to take."""

    with_: EventProperties
    correlate: dict[str, Correlation] = Field(default_factory=dict)


class StopStrategy(Choice):
    """The events that end the listening of an `any` strategy. It cannot itself have an `until`."""

    choices = ("all", "any", "one")

    all: tuple[EventFilter, ...] | None = None
    any: tuple[EventFilter, ...] | None = None
    one: EventFilter | None = None


Until: TypeAlias = Annotated[Annotated[Expression, AS_TEXT] | Annotated[StopStrategy, AS_OBJECT], TEXT_OR_OBJECT]


class EventStrategy(StopStrategy):
    """Which events to wait for: all of these, any of these (until …), or one."""

    until: Until | None = None
