"""Tallies: what is counted while a replay goes through its executions. The report is made of nothing else.

A tally is as large as what differs, not as what was read: lots are counted in a fixed number of groups, and of each
cause a few examples are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.difference.causes import Cause
from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.replays import written
from millwright_judgment.domain.replays.page import DIMENSIONS

CLUSTERS = 4_096
"""Into so many groups lots are put, by a hash: a group of independent lots is a cluster as good as one."""
EXAMPLES = 5
CAUSES = 1_000
"""Past so many, further causes are counted together."""
DIFFERENCES = 100_000
"""So many differences of a target are kept."""
_SEGMENTS = 1_000
"""So many values of a dimension are counted, those that come first."""
NO_CAUSE = -1


@dataclass(slots=True)
class CauseTally:
    """What has one cause."""

    cause: Cause
    count: int = 0
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[tuple[float, str]] = field(default_factory=list)
    """How far from a threshold, and which execution: the nearest first."""

    def add(self, transition: tuple[str, str], count: int, examples: Sequence[tuple[float, str]]) -> None:
        """Count executions of this cause."""
        self.count += count
        self.transitions[transition] += count
        self.examples = sorted([*self.examples, *examples])[:EXAMPLES]


@dataclass(slots=True)
class TargetTally:
    """What is counted on one target."""

    changes: Counter[Change] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    escalated: int = 0
    relaxed: int = 0
    causes: list[CauseTally] = field(default_factory=list)
    """In the order in which they were found: differences name them by their place."""
    segments: dict[str, dict[str, list[int]]] = field(default_factory=lambda: {name: {} for name in DIMENSIONS})
    """By dimension and value: how many were compared, and how many changed their outcome."""
    clusters: NDArray[np.int64] = field(default_factory=lambda: np.zeros((CLUSTERS, 2), dtype=np.int64))
    """Of each group of lots: how many changed their outcome, and how many were compared."""
    kept: int = 0
    """How many differences are kept."""
    expected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of rows that say what they should be: what that is, and what the target says."""
    met_before: int = 0
    """How many of them got that on the baseline."""
    _places: dict[tuple[object, ...], int] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Give how many executions were compared."""
        return self.changes.total()

    def place_of(self, cause: Cause) -> int:
        """Give the place of a cause among the causes; NO_CAUSE if there are too many."""
        if cause.key not in self._places:
            if len(self.causes) >= CAUSES:
                return NO_CAUSE
            self._places[cause.key] = len(self.causes)
            self.causes.append(CauseTally(cause))
        return self._places[cause.key]

    def count_segment(self, dimension: str, value: str, compared: int, changed: int) -> None:
        """Count executions of a line, a product or a shift."""
        counted = self.segments[dimension]
        if value in counted or len(counted) < _SEGMENTS:
            found = counted.setdefault(value, [0, 0])
            found[0] += compared
            found[1] += changed

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        used = np.flatnonzero(self.clusters[:, 1])
        return {
            "changes": {change.name: count for change, count in self.changes.items()},
            "transitions": _pairs(self.transitions),
            "escalated": self.escalated,
            "relaxed": self.relaxed,
            "causes": [
                {
                    "cause": written.of_cause(each.cause),
                    "count": each.count,
                    "transitions": _pairs(each.transitions),
                    "examples": each.examples,
                }
                for each in self.causes
            ],
            "segments": self.segments,
            "clusters": np.column_stack([used, self.clusters[used]]).tolist(),
            "kept": self.kept,
            "expected": _pairs(self.expected),
            "metBefore": self.met_before,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TargetTally:
        """Read what `to_json` wrote."""
        tally = cls(
            changes=Counter({Change[name]: count for name, count in value["changes"].items()}),
            transitions=_counter(value["transitions"]),
            escalated=value["escalated"],
            relaxed=value["relaxed"],
            segments=value["segments"],
            kept=value["kept"],
            expected=_counter(value["expected"]),
            met_before=value["metBefore"],
        )
        for each in value["causes"]:
            cause = written.to_cause(each["cause"])
            tally._places[cause.key] = len(tally.causes)
            examples = [(distance, execution) for distance, execution in each["examples"]]
            tally.causes.append(CauseTally(cause, each["count"], _counter(each["transitions"]), examples))
        for place, *counts in value["clusters"]:
            tally.clusters[place] = counts
        return tally


@dataclass(slots=True)
class Tally:
    """What is counted of a replay, and how far it is."""

    targets: list[TargetTally]
    done: int = 0
    reproduced: int = 0
    """How many came out on their recorded version as they were recorded."""
    position: str = ""
    """The last execution that is counted; empty before the first."""
    oldest_milliseconds: int = 0
    newest_milliseconds: int = 0

    @property
    def changed(self) -> int:
        """Give how many changed their outcome on the first target."""
        return self.targets[0].changes[Change.OUTCOME] + self.targets[0].changes[Change.ERROR]

    def see(self, milliseconds: NDArray[np.int64]) -> None:
        """Note when executions were judged."""
        oldest, newest = int(milliseconds.min()), int(milliseconds.max())
        self.oldest_milliseconds = min(self.oldest_milliseconds or oldest, oldest)
        self.newest_milliseconds = max(self.newest_milliseconds, newest)

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            "done": self.done,
            "reproduced": self.reproduced,
            "position": self.position,
            "oldestMilliseconds": self.oldest_milliseconds,
            "newestMilliseconds": self.newest_milliseconds,
            "targets": [target.to_json() for target in self.targets],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """Read what `to_json` wrote."""
        return cls(
            targets=[TargetTally.from_json(each) for each in value["targets"]],
            done=value["done"],
            reproduced=value["reproduced"],
            position=value["position"],
            oldest_milliseconds=value["oldestMilliseconds"],
            newest_milliseconds=value["newestMilliseconds"],
        )


def _pairs(counts: Mapping[tuple[str, str], int]) -> list[list[object]]:
    return [[before, after, count] for (before, after), count in counts.items()]


def _counter(pairs: Sequence[Sequence[Any]]) -> Counter[tuple[str, str]]:
    return Counter({(before, after): count for before, after, count in pairs})
