"""Tallies: what is counted while a replay goes through its executions. The report is made of nothing else.

A tally is as large as what differs, not as what was read: lots are counted in a fixed number of groups, and of each
cause a few examples are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.difference.causes import Cause
from millwright_judgment.domain.difference.comparison import ERROR, Change
from millwright_judgment.domain.replays import written
from millwright_judgment.domain.replays.page import DIMENSIONS

CLUSTERS = 4_096
"""Into so many groups lots are put, by a hash: a group of independent lots is a cluster as good as one."""
SEGMENT_CLUSTERS = 64
"""The same within a segment, of which there can be many."""
EXAMPLES = 5
CAUSES = 1_000
"""Past so many, further causes are counted together."""
DIFFERENCES = 100_000
"""So many differences of a target are kept."""
SEGMENTS = 1_000
"""So many values of a dimension are counted each for itself, those that come first; the others together."""
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
class SegmentTally:
    """What is counted of a line, a product or a shift."""

    clusters: NDArray[np.int64] = field(default_factory=lambda: np.zeros((SEGMENT_CLUSTERS, 2), dtype=np.int64))
    """Of each group of lots: how many changed their outcome, and how many the target judged."""
    errors: int = 0
    """How many inputs the target refuses."""

    @property
    def changed(self) -> int:
        """Give how many changed their outcome."""
        return int(self.clusters[:, 0].sum())

    @property
    def judged(self) -> int:
        """Give how many the target judged."""
        return int(self.clusters[:, 1].sum())

    def add(self, other: SegmentTally) -> None:
        """Count further executions."""
        self.clusters += other.clusters
        self.errors += other.errors

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {"clusters": _sparse(self.clusters), "errors": self.errors}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SegmentTally:
        """Read what `to_json` wrote."""
        return cls(_dense(value["clusters"], (SEGMENT_CLUSTERS, 2)), value["errors"])


Segments: TypeAlias = dict[str, SegmentTally]


@dataclass(slots=True)
class TargetTally:
    """What is counted on one target."""

    changes: Counter[Change] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    escalated: int = 0
    relaxed: int = 0
    causes: list[CauseTally] = field(default_factory=list)
    """In the order in which they were found: differences name them by their place."""
    other_causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The transitions of what has a cause that came when there were too many."""
    segments: dict[str, Segments] = field(default_factory=lambda: {name: {} for name in DIMENSIONS})
    """By dimension and value."""
    other_segments: Segments = field(default_factory=dict)
    """By dimension: what has a value that came when there were too many."""
    clusters: NDArray[np.int64] = field(default_factory=lambda: np.zeros((CLUSTERS, 3), dtype=np.int64))
    """Of each group of lots: how many changed their outcome, how many the target judged, and how many more went up in
    the order of outcomes than down."""
    margins: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """By outcome: of each group of lots, how many more have it after than before."""
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

    @property
    def errors(self) -> int:
        """Give how many inputs the target refuses: those are compared, and no changed outcome."""
        return sum(count for (_, after), count in self.transitions.items() if after == ERROR)

    @property
    def judged(self) -> int:
        """Give how many the target judged: what shares are shares of."""
        return self.compared - self.errors

    @property
    def unchanged(self) -> int:
        """Give how many are the same in everything; what is refused as it was before is not judged."""
        return self.changes[Change.NONE] - self.transitions[ERROR, ERROR]

    @property
    def differing(self) -> int:
        """Give how many differ, errors among them."""
        return self.compared - self.changes[Change.NONE]

    def place_of(self, cause: Cause) -> int:
        """Give the place of a cause among the causes; NO_CAUSE if there are too many."""
        if cause.key not in self._places:
            if len(self.causes) >= CAUSES:
                return NO_CAUSE
            self._places[cause.key] = len(self.causes)
            self.causes.append(CauseTally(cause))
        return self._places[cause.key]

    def count_units(
        self,
        groups: NDArray[np.int64],
        is_judged: NDArray[np.bool_],
        is_moved: NDArray[np.bool_],
        steps: NDArray[np.int64],
    ) -> None:
        """Count executions, of which each is of a group of lots; `steps` is where one goes in the order of outcomes."""
        self.escalated += int((steps > 0).sum())
        self.relaxed += int((steps < 0).sum())
        counted = (
            np.bincount(groups[is_moved], minlength=CLUSTERS),
            np.bincount(groups[is_judged], minlength=CLUSTERS),
            np.bincount(groups[steps > 0], minlength=CLUSTERS) - np.bincount(groups[steps < 0], minlength=CLUSTERS),
        )
        self.clusters += np.column_stack(counted)

    def count_margin(self, outcome: str, sums: NDArray[np.int64]) -> None:
        """Count how many more executions of each group of lots have an outcome after than before."""
        self.margins[outcome] = self.margins.get(outcome, 0) + sums

    def count_segment(self, dimension: str, value: str, found: SegmentTally) -> None:
        """Count executions of a line, a product or a shift."""
        counted = self.segments[dimension]
        if value in counted or len(counted) < SEGMENTS:
            counted.setdefault(value, SegmentTally()).add(found)
        else:
            self.other_segments.setdefault(dimension, SegmentTally()).add(found)

    def to_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
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
            "otherCauses": _pairs(self.other_causes),
            "segments": {dimension: _to_json(values) for dimension, values in self.segments.items()},
            "otherSegments": _to_json(self.other_segments),
            "clusters": _sparse(self.clusters),
            "margins": {outcome: _sparse(sums[:, None]) for outcome, sums in self.margins.items()},
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
            other_causes=_counter(value["otherCauses"]),
            segments={dimension: _from_json(values) for dimension, values in value["segments"].items()},
            other_segments=_from_json(value["otherSegments"]),
            clusters=_dense(value["clusters"], (CLUSTERS, 3)),
            margins={outcome: _dense(sums, (CLUSTERS, 1))[:, 0] for outcome, sums in value["margins"].items()},
            kept=value["kept"],
            expected=_counter(value["expected"]),
            met_before=value["metBefore"],
        )
        for each in value["causes"]:
            cause = written.to_cause(each["cause"])
            tally._places[cause.key] = len(tally.causes)
            examples = [(distance, execution) for distance, execution in each["examples"]]
            tally.causes.append(CauseTally(cause, each["count"], _counter(each["transitions"]), examples))
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
        return self.targets[0].changes[Change.OUTCOME]

    @property
    def errors(self) -> int:
        """Give how many inputs the first target refuses."""
        return self.targets[0].errors

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


def _to_json(values: Segments) -> dict[str, Any]:
    return {value: found.to_json() for value, found in values.items()}


def _from_json(values: Mapping[str, Any]) -> Segments:
    return {value: SegmentTally.from_json(found) for value, found in values.items()}


def _sparse(counts: NDArray[np.int64]) -> list[list[int]]:
    """Give the rows that are not all 0, each after its place."""
    used = np.flatnonzero(counts.any(axis=1))
    written_rows: list[list[int]] = np.column_stack([used, counts[used]]).tolist()
    return written_rows


def _dense(rows: Sequence[Sequence[int]], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Read what `_sparse` wrote."""
    counts = np.zeros(shape, dtype=np.int64)
    for place, *values in rows:
        counts[place] = values
    return counts


def _pairs(counts: Mapping[tuple[str, str], int]) -> list[list[object]]:
    return [[before, after, count] for (before, after), count in counts.items()]


def _counter(pairs: Sequence[Sequence[Any]]) -> Counter[tuple[str, str]]:
    return Counter({(before, after): count for before, after, count in pairs})
