"""Event consumption strategies: one, any or all of some events, possibly until others come.

Owns which deliveries count and when there are enough, as a fold that tasks and schedules share. Matches no event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from millwright_runtime.json import Json, to_text

from millwright_workflow.domain.interpreter.subscription import Delivery, Match

Kind = Literal["one", "any", "all"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is waited for, in terms of the patterns of a subscription: first those wanted, then those that stop."""

    kind: Kind
    count: int
    """How many of the patterns are wanted; those after them stop an `any`."""
    goes_on: bool = False
    """Whether an `any` has an `until`, so that one event is not enough."""
    stop_kind: Kind | None = None
    stop_count: int = 0


class Step(NamedTuple):
    """What a delivery comes to."""

    gathering: Gathering
    is_taken: bool
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Gathering:
    """How far a strategy has come."""

    strategy: Strategy
    keys: Mapping[str, Json] = field(default_factory=dict)
    """What the first event that carried each correlation key has fixed."""
    fulfilled: frozenset[int] = frozenset()
    """The patterns, of which all are needed, that an event has matched."""

    def take(self, delivery: Delivery) -> Step:
        """Take a delivery, or pass over it.

        Passed over is an event whose keys contradict those of earlier ones, and in `all` one that matches no pattern
        still open. One event may fulfil several patterns. An event that matches what stops is not taken, even where
        it is also wanted.
        """
        matches = [match for match in delivery.matches if self._agrees(match)]
        stops = [match for match in matches if match.pattern >= self.strategy.count]
        if stops:
            after = self._with(stops)
            wanted = range(self.strategy.count, self.strategy.count + self.strategy.stop_count)
            return Step(after, False, self.strategy.stop_kind != "all" or after.fulfilled.issuperset(wanted))  # noqa: FBT003
        if self.strategy.kind == "all":
            matches = [match for match in matches if match.pattern not in self.fulfilled]
        if not matches:
            return Step(self, False, False)  # noqa: FBT003
        after = self._with(matches)
        is_complete = not self.strategy.goes_on
        if self.strategy.kind == "all":
            is_complete = after.fulfilled.issuperset(range(self.strategy.count))
        return Step(after, True, is_complete)  # noqa: FBT003

    def _agrees(self, match: Match) -> bool:
        return all(
            name not in self.keys or to_text(self.keys[name]) == to_text(value) for name, value in match.keys.items()
        )

    def _with(self, matches: list[Match]) -> Gathering:
        keys = {name: value for match in reversed(matches) for name, value in match.keys.items()}
        fulfilled = self.fulfilled.union(match.pattern for match in matches)
        return replace(self, keys={**keys, **self.keys}, fulfilled=fulfilled)
