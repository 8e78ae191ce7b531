"""The report of a replay, made of its tally: what changes, how sure that is, where, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from millwright_judgment.domain.difference.causes import Cause
from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.replays.replay import Order, Target
from millwright_judgment.domain.replays.tally import CauseTally, Tally, TargetTally
from millwright_judgment.domain.replays.words import QUESTIONS, Texts
from millwright_judgment.domain.statistics import (
    Interval,
    TestResult,
    benjamini_hochberg,
    design_effect,
    differs_from_rest,
    mcnemar,
    sign,
    stuart_maxwell,
    wilson,
)

CAUSES = 100
_CLUSTERED = 1.5
"""From this design effect on, lots matter."""
_SMALL = 100
_FEW = 5
_MANY_SEGMENTS = 10


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
class SegmentReport:
    """One line, product or shift."""

    dimension: str
    value: str
    compared: int
    change_rate: Interval
    adjusted_p_value: float


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
    escalated: int
    relaxed: int
    transitions: Sequence[tuple[str, str, int]]
    """All that occur, also where nothing changed."""
    change_rate: Interval
    tests: Sequence[NamedTest]
    causes: Sequence[CauseReport]
    segments: Sequence[SegmentReport]
    warnings: Sequence[str]
    """Codes of `words.WARNINGS`."""
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
    effect = design_effect([(changed, compared) for changed, compared in tally.clusters.tolist() if compared])
    changes, compared = tally.changes, tally.compared
    segments = _segments(tally)
    changed = changes[Change.OUTCOME]
    warnings = {
        "WHOLE_POPULATION": order.selection.is_whole,
        "SMALL_SAMPLE": compared < _SMALL or 0 < changed < _FEW,
        "CLUSTERED_DATA": effect >= _CLUSTERED,
        "MULTIPLE_TESTING": len(segments) >= _MANY_SEGMENTS,
        "SELECTION": not order.selection.dataset,
    }
    return TargetReport(
        target=target,
        levels=levels,
        compared=compared,
        unchanged=changes[Change.NONE],
        changed_outcomes=changed,
        changed_details=changes[Change.DETAIL],
        changed_rules=changes[Change.RULE],
        errors=changes[Change.ERROR],
        escalated=tally.escalated,
        relaxed=tally.relaxed,
        transitions=_listed(tally.transitions),
        change_rate=wilson(changed, compared, effect=effect),
        tests=list(_tests(tally, levels)),
        causes=_causes(tally),
        segments=segments,
        warnings=[code for code, applies in warnings.items() if applies],
        expectation=_expectation(tally),
    )


def _expectation(tally: TargetTally) -> Expectation | None:
    rows = tally.expected.total()
    met = sum(count for (wanted, found), count in tally.expected.items() if wanted == found)
    return Expectation(rows, met, tally.met_before, _listed(tally.expected)) if rows else None


def _tests(tally: TargetTally, levels: Sequence[str]) -> Sequence[NamedTest]:
    found: list[TestResult | None] = []
    severest = levels[-1]
    gained = sum(count for (old, new), count in tally.transitions.items() if old != severest and new == severest)
    lost = sum(count for (old, new), count in tally.transitions.items() if old == severest and new != severest)
    if gained + lost:
        found.append(mcnemar(gained, lost))
    if len(levels) > 2:
        found.append(stuart_maxwell([[tally.transitions[(old, new)] for new in levels] for old in levels]))
    if tally.escalated + tally.relaxed:
        found.append(sign(tally.escalated, tally.relaxed))
    return [NamedTest(result, QUESTIONS[result.name]) for result in found if result is not None]


def _causes(tally: TargetTally) -> Sequence[CauseReport]:
    changed = tally.compared - tally.changes[Change.NONE]
    reports, cumulative = [], 0.0
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


def _segments(tally: TargetTally) -> Sequence[SegmentReport]:
    """Give each line, product and shift, those of a dimension that changed most first."""
    counted = [
        (dimension, value, compared, changed)
        for dimension, values in tally.segments.items()
        for value, (compared, changed) in sorted(values.items())
    ]
    totals = {
        dimension: (sum(changed for _, changed in values.values()), sum(compared for compared, _ in values.values()))
        for dimension, values in tally.segments.items()
    }
    p_values = [differs_from_rest(changed, compared, *totals[dimension]) for dimension, _, compared, changed in counted]
    reports = [
        SegmentReport(dimension, value, compared, wilson(changed, compared), adjusted)
        for (dimension, value, compared, changed), adjusted in zip(counted, benjamini_hochberg(p_values), strict=True)
    ]
    order = list(tally.segments)
    return sorted(reports, key=lambda each: (order.index(each.dimension), -each.change_rate.value, each.value))


def _listed(transitions: Mapping[tuple[str, str], int]) -> Sequence[tuple[str, str, int]]:
    listed = [(before, after, count) for (before, after), count in transitions.items() if count]
    return sorted(listed, key=lambda each: (-each[2], each[0], each[1]))
