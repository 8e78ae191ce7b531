"""The report of a replay, made of its tally: what changes, how sure that is, where, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from millwright_judgment.domain.difference.causes import Cause
from millwright_judgment.domain.difference.comparison import ERROR, Change
from millwright_judgment.domain.replays.replay import Order, Target
from millwright_judgment.domain.replays.tally import CauseTally, SegmentTally, Tally, TargetTally
from millwright_judgment.domain.replays.words import QUESTIONS, WARNINGS, LeftOut, Texts, truncated
from millwright_judgment.domain.statistics import (
    Interval,
    TestResult,
    benjamini_hochberg,
    design_effect,
    differs_from_rest,
    mcnemar,
    paired_effect,
    sign,
    stuart_maxwell,
    wilson,
)

CAUSES = 100
_CLUSTERED = 1.5
"""From this design effect on, lots matter."""
_SMALL = 100
_FEW = 5
_FEW_UNITS = 30
"""Fewer lots than this do not tell how much judgments of one lot resemble one another."""
_MANY_SEGMENTS = 10
_MANY_ERRORS = 0.01
"""From this share of inputs on that a target refuses, what is said of the others may not hold for all."""


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A test, with what it asks."""

    result: TestResult
    questions: Texts


@dataclass(frozen=True, slots=True)
class CauseReport:
    """A cause and what it explains."""

    id: str
    """`c1`, `c2`, … by rank."""
    place: int
    """Its place in the tally."""
    cause: Cause
    executions: int
    share: float
    cumulative_share: float
    transitions: Sequence[tuple[str, str, int]]
    examples: Sequence[str]


@dataclass(frozen=True, slots=True)
class OtherCauses:
    """What has causes that are not listed."""

    causes: int
    """How many of them are known; of what came when there were too many, only executions are counted."""
    executions: int
    share: float
    transitions: Sequence[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """One line, product or shift."""

    dimension: str
    value: str
    compared: int
    errors: int
    change_rate: Interval
    """Of those that are no errors."""
    adjusted_p_value: float


@dataclass(frozen=True, slots=True)
class OtherSegments:
    """What has values of a dimension that came when there were too many."""

    dimension: str
    compared: int
    changed_outcomes: int
    errors: int


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something to keep in mind."""

    code: str
    texts: Texts


@dataclass(frozen=True, slots=True)
class Expectation:
    """How far judgments are what rows say that they should be."""

    rows: int
    met: int
    met_before: int
    transitions: Sequence[tuple[str, str, int]]
    """From what is expected to what the target says, also where they are the same."""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """The report on one target."""

    target: Target
    levels: Sequence[str]
    """Its outcomes, the least severe first."""
    compared: int
    unchanged: int
    changed_outcomes: int
    changed_details: int
    changed_rules: int
    errors: int
    """The inputs that the target refuses: they are compared, and in no other count, share or test."""
    escalated: int
    relaxed: int
    transitions: Sequence[tuple[str, str, int]]
    """All that occur, also where nothing changed."""
    change_rate: Interval
    tests: Sequence[NamedTest]
    causes: Sequence[CauseReport]
    other_causes: OtherCauses | None
    """None if all are listed."""
    segments: Sequence[SegmentReport]
    other_segments: Sequence[OtherSegments]
    differences_left_out: int
    """How many executions differ that are not listed as differences."""
    warnings: Sequence[Caveat]
    expectation: Expectation | None
    """None if no row says what it should be."""


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a replay."""

    order: Order
    selected: int
    reproduced: int
    oldest_time: datetime | None
    newest_time: datetime | None
    targets: Sequence[TargetReport]


def make_report(order: Order, tally: Tally, levels: Sequence[Sequence[str]]) -> Report:
    """Make the report. `levels` are the outcomes of each target, the least severe first."""
    return Report(
        order=order,
        selected=tally.done,
        reproduced=tally.reproduced,
        oldest_time=_time(tally.oldest_milliseconds),
        newest_time=_time(tally.newest_milliseconds),
        targets=[
            _target(order, target, counted, known)
            for target, counted, known in zip(order.targets, tally.targets, levels, strict=True)
        ],
    )


def rank(tally: TargetTally) -> list[int]:
    """Give the places of the causes, those that explain most first: other outcomes count before other details."""

    def weight(place: int) -> tuple[int, int]:
        counted = tally.causes[place]
        moved = sum(count for (before, after), count in counted.transitions.items() if before != after)
        return -moved, -counted.count

    return sorted(range(len(tally.causes)), key=weight)


def _time(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _target(order: Order, target: Target, tally: TargetTally, levels: Sequence[str]) -> TargetReport:
    units = tally.clusters[tally.clusters[:, 1] > 0]
    effect = design_effect(units[:, :2].tolist())
    changes, changed = tally.changes, tally.changes[Change.OUTCOME]
    tests, segments = list(_tests(tally, levels)), _segments(tally, effect)
    causes, other_causes = _causes(tally), _other_causes(tally)
    other_segments = [
        OtherSegments(dimension, found.judged + found.errors, found.changed, found.errors)
        for dimension, found in tally.other_segments.items()
    ]
    left_out = LeftOut(
        len(causes),
        other_causes.executions if other_causes else 0,
        {each.dimension: each.compared for each in other_segments},
        tally.differing - tally.kept,
    )
    warnings = {
        "INPUTS_REFUSED": tally.errors >= _MANY_ERRORS * tally.compared > 0,
        "WHOLE_POPULATION": order.selection.is_whole,
        "SMALL_SAMPLE": tally.judged < _SMALL or 0 < changed < _FEW or len(units) < _FEW_UNITS,
        "CLUSTERED_DATA": effect >= _CLUSTERED,
        "MULTIPLE_TESTING": len(segments) >= _MANY_SEGMENTS,
        "SELECTION": not order.selection.dataset,
    }
    caveats = [Caveat(code, WARNINGS[code]) for code, applies in warnings.items() if applies]
    if left_out.is_any:
        caveats.append(Caveat("TRUNCATED", truncated(left_out)))
    return TargetReport(
        target=target,
        levels=levels,
        compared=tally.compared,
        unchanged=tally.unchanged,
        changed_outcomes=changed,
        changed_details=changes[Change.DETAIL],
        changed_rules=changes[Change.RULE],
        errors=tally.errors,
        escalated=tally.escalated,
        relaxed=tally.relaxed,
        transitions=_listed(tally.transitions),
        change_rate=wilson(changed, tally.judged, effect=effect),
        tests=tests,
        causes=causes,
        other_causes=other_causes,
        segments=segments,
        other_segments=other_segments,
        differences_left_out=left_out.differences,
        warnings=caveats,
        expectation=_expectation(tally),
    )


def _expectation(tally: TargetTally) -> Expectation | None:
    rows = tally.expected.total()
    met = sum(count for (wanted, found), count in tally.expected.items() if wanted == found)
    return Expectation(rows, met, tally.met_before, _listed(tally.expected)) if rows else None


def _tests(tally: TargetTally, levels: Sequence[str]) -> Sequence[NamedTest]:
    """Test the pairs that have a judgment before and after; what is no outcome of the target's counts as one more."""
    found: list[TestResult | None] = []
    matrix, margins = _matrix(tally, levels)
    severest = len(levels) - 1
    gained = matrix[:, severest].sum() - matrix[severest, severest]
    lost = matrix[severest].sum() - matrix[severest, severest]
    if gained + lost:
        found.append(mcnemar(gained, lost, paired_effect(margins[:, severest], gained + lost)))
    if len(levels) > 2:
        found.append(stuart_maxwell(matrix.tolist(), margins))
    if moved := tally.escalated + tally.relaxed:
        effect = paired_effect(tally.clusters[tally.clusters[:, 1] > 0, 2], moved)
        found.append(sign(tally.escalated, tally.relaxed, effect))
    return [NamedTest(result, QUESTIONS[result.name]) for result in found if result is not None]


def _matrix(tally: TargetTally, levels: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give how many pairs go from which outcome to which, and for each group of lots how many more have it after."""
    places = {level: place for place, level in enumerate(levels)}
    other = len(levels)
    matrix = np.zeros((other + 1, other + 1), dtype=np.int64)
    for (before, after), count in tally.transitions.items():
        if ERROR not in (before, after):
            matrix[places.get(before, other), places.get(after, other)] += count
    units = np.flatnonzero(tally.clusters[:, 1])
    margins = np.zeros((len(units), other + 1), dtype=np.int64)
    for outcome, sums in tally.margins.items():
        margins[:, places.get(outcome, other)] += sums[units]
    return matrix, margins


def _other_causes(tally: TargetTally) -> OtherCauses | None:
    """Give what the list of causes leaves out."""
    left_out = [tally.causes[place] for place in rank(tally)[CAUSES:]]
    transitions = sum((each.transitions for each in left_out), Counter(tally.other_causes))
    executions = transitions.total()
    share = executions / tally.differing if executions else 0.0
    return OtherCauses(len(left_out), executions, share, _listed(transitions)) if executions else None


def _causes(tally: TargetTally) -> Sequence[CauseReport]:
    changed, cumulative = tally.differing, 0.0
    reports = []
    for number, place in enumerate(rank(tally)[:CAUSES], 1):
        counted: CauseTally = tally.causes[place]
        share = counted.count / changed if changed else 0.0
        cumulative += share
        reports.append(
            CauseReport(
                id=f"c{number}",
                place=place,
                cause=counted.cause,
                executions=counted.count,
                share=share,
                cumulative_share=min(1.0, cumulative),
                transitions=_listed(counted.transitions),
                examples=[execution for _, execution in counted.examples],
            )
        )
    return reports


def _segments(tally: TargetTally, overall: float) -> Sequence[SegmentReport]:
    """Give each line, product and shift, those of a dimension that changed most first.

    `overall` is the design effect of all, which stands in for that of a segment with too few lots to tell.
    """
    counted = [
        (dimension, value, found)
        for dimension, values in tally.segments.items()
        for value, found in sorted(values.items())
    ]
    totals: dict[str, SegmentTally] = {}
    for dimension, _, found in counted:
        totals.setdefault(dimension, SegmentTally()).add(found)
    for dimension, found in tally.other_segments.items():
        totals[dimension].add(found)
    effects = [_effect(found.clusters, overall) for _, _, found in counted]
    p_values = [
        differs_from_rest(
            (found.changed, found.judged),
            (totals[dimension].changed, totals[dimension].judged),
            (effect, _effect(totals[dimension].clusters - found.clusters, overall)),
        )
        for (dimension, _, found), effect in zip(counted, effects, strict=True)
    ]
    reports = [
        SegmentReport(
            dimension,
            value,
            found.judged + found.errors,
            found.errors,
            wilson(found.changed, found.judged, effect=effect),
            adjusted,
        )
        for (dimension, value, found), effect, adjusted in zip(
            counted, effects, benjamini_hochberg(p_values), strict=True
        )
    ]
    order = list(tally.segments)
    return sorted(reports, key=lambda each: (order.index(each.dimension), -each.change_rate.value, each.value))


def _effect(clusters: NDArray[np.int64], overall: float) -> float:
    """Give the design effect of groups of lots; that of all where too few of them have both kinds to tell.

    In simulations a segment of 20 lots with a handful of changed ones took its own effect for too small: one line of
    six that are alike was called different in a quarter of the runs.
    """
    units = clusters[clusters[:, 1] > 0]
    with_changed, with_others = (units[:, 0] > 0).sum(), (units[:, 0] < units[:, 1]).sum()
    return design_effect(units.tolist()) if min(with_changed, with_others) >= _FEW_UNITS else overall


def _listed(transitions: Mapping[tuple[str, str], int]) -> Sequence[tuple[str, str, int]]:
    listed = [(before, after, count) for (before, after), count in transitions.items() if count]
    return sorted(listed, key=lambda each: (-each[2], each[0], each[1]))
