"""Which events a strategy of the definition wants, prepared, and the subscription that it comes to.

Owns the reading of filters: what is text, what is a pattern, what is an expression.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import Expression, unwrap, variables
from millwright_workflow.domain.definition.events import EventFilter, EventStrategy, StopStrategy
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.gathering import Kind, Strategy
from millwright_workflow.domain.interpreter.subscription import Condition, EventPattern, Key, Subscription
from millwright_workflow.domain.interpreter.template import Template, plan_condition, plan_template
from millwright_workflow.domain.interpreter.visit import Visit

_REGEX_CHARACTERS: Final = re.compile(r"[\\^$*+?()\[\]{}|]")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter, prepared."""

    texts: Mapping[str, str]
    data: Template | None
    conditions: Mapping[str, Template]
    keys: Mapping[str, tuple[Json, Template | None]]
    """What gives each key's value, and what it is expected to be."""

    def pattern(self, known: Mapping[str, Json], expected: Mapping[str, Json]) -> EventPattern:
        """Give the pattern, where expressions know `known` and keys are expected to be `expected`."""
        conditions = tuple(
            Condition(name, template.value, _mentioned(template.value, known))
            for name, template in self.conditions.items()
        )
        keys = {name: Key(value, name in expected, expected.get(name)) for name, (value, _) in self.keys.items()}
        data = self.data
        return EventPattern(self.texts, data.value if data else None, data is not None, conditions, keys)


@dataclass(frozen=True, slots=True)
class Wants:
    """A strategy, prepared."""

    strategy: Strategy
    patterns: tuple[Wanted, ...]

    def subscribe(self, visit: Visit) -> Part[Subscription]:
        """Give the subscription of a task: what its expressions know is fixed here."""
        known = visit.variables()
        patterns = []
        for wanted in self.patterns:
            expected = {}
            for name, (_, template) in wanted.keys.items():
                if template is not None:
                    expected[name] = yield from visit.evaluate(template, visit.input)
            patterns.append(wanted.pattern(known, expected))
        return Subscription(tuple(patterns), visit.pointer)

    def subscribe_schedule(self, instance: str) -> Subscription:
        """Give the subscription of a schedule, whose expressions know nothing but the event."""
        patterns = []
        for wanted in self.patterns:
            expected = {name: template.value for name, (_, template) in wanted.keys.items() if template is not None}
            patterns.append(wanted.pattern({}, expected))
        return Subscription(tuple(patterns), instance)


def plan_wants(written: EventStrategy) -> Wants:
    """Prepare a strategy. `any` of nothing wants every event; `all` of nothing wants none and is complete."""
    kind, wanted = _filters(written)
    until = written.until if kind == "any" else None
    stop_kind, stops = _filters(until) if isinstance(until, StopStrategy) else (None, ())
    patterns = (*map(_plan_filter, wanted), *map(_plan_filter, stops))
    return Wants(Strategy(kind, len(wanted), until is not None, stop_kind, len(stops)), patterns)


def plan_until(written: EventStrategy) -> Template | None:
    """Prepare an `until` that is an expression; None for one that is events, and where there is none."""
    until = written.until
    return plan_condition(until) if written.any is not None and isinstance(until, Expression) else None


def _filters(written: StopStrategy) -> tuple[Kind, tuple[EventFilter | None, ...]]:
    if written.one is not None:
        return "one", (written.one,)
    if written.any is not None:
        return "any", written.any or (None,)
    return "all", written.all or ()


def _plan_filter(written: EventFilter | None) -> Wanted:
    if written is None:
        return Wanted({}, None, {}, {})
    texts: dict[str, str] = {}
    conditions: dict[str, Template] = {}
    data = None
    for name, value in written.with_.model_dump(mode="json", by_alias=True, exclude_unset=True).items():
        template = plan_template(value)
        if template.is_dynamic:
            conditions[name] = template
        elif name == "data":
            data = template
        elif isinstance(value, str) and _REGEX_CHARACTERS.search(value):
            conditions[name] = _plan_regex(value)
        else:
            texts[name] = value
    keys = {name: (_plan_key(each.from_), _plan_expected(each.expect)) for name, each in written.correlate.items()}
    return Wanted(texts, data, conditions, keys)


def _plan_regex(text: str) -> Template:
    """Take text that may be a regular expression, for a whole attribute: it also matches what it literally equals.

    jq looks for the match, where the engine bounds the time that may take.
    """
    literal, pattern = json.dumps(text), json.dumps(f"^(?:{text})$")
    return Template(f"${{ . == {literal} or (try test({pattern}) catch false) }}", is_dynamic=True)


def _plan_key(written: Expression) -> Json:
    return plan_template(written).value


def _plan_expected(written: str | None) -> Template | None:
    return None if written is None else plan_template(written)


def _mentioned(template: Json, known: Mapping[str, Json]) -> dict[str, Json]:
    """Give what the expressions of a template mention of what is known: a subscription is kept, and kept small."""
    if isinstance(template, str):
        code = unwrap(template)
        return {} if code is None else {name: known[name] for name in variables(code) if name in known}
    parts: list[Json] = []
    if isinstance(template, dict):
        parts = list(template.values())
    elif isinstance(template, list):
        parts = template
    return {name: value for part in parts for name, value in _mentioned(part, known).items()}
