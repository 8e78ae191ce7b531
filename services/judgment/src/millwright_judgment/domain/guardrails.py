"""Guardrails: what must hold of an arm on trial, beside the control, and whether it surely does.

It may be asked at any time, and as often as one likes: the bounds are confidence sequences, which hold at every look at
once. They are widened by how alike the judgments of one unit are. A canary is judged by what its step has seen alone.
Its shares differ from step to step, so that over several steps its arm and its control would have seen different
times, and a line that turns bad later would speak against the arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from millwright_judgment.domain.experiments import (
    ERROR,
    INDETERMINATE,
    NO_MATCH,
    Guardrail,
    Measure,
    Mode,
    Outcomes,
    Trial,
)
from millwright_judgment.domain.statistics import ConfidenceSequence, Counts, Interval

Pairs: TypeAlias = Mapping[tuple[str, str], int]
"""How many judgments by the control's outcome and the arm's, of the same inputs."""
Levels: TypeAlias = Mapping[str, Sequence[str]]
"""The outcomes that each arm's version knows, the least severe first."""

_STATUSES = {
    Measure.ERROR_RATE: ERROR,
    Measure.INDETERMINATE_RATE: INDETERMINATE,
    Measure.NO_MATCH_RATE: NO_MATCH,
}


Effects: TypeAlias = Mapping[tuple[int, str], float]
"""The design effect by a guardrail's place and the arm; 1 where there is none."""


class Verdict(Enum):
    """What a guardrail says."""

    HOLDS = "HOLDS"
    BROKEN = "BROKEN"
    OPEN = "OPEN"


@dataclass(frozen=True, slots=True)
class GuardrailResult:
    """What a guardrail says of an arm."""

    guardrail: Guardrail
    arm: str
    verdict: Verdict
    arm_counts: Counts
    control_counts: Counts
    difference: Interval


@dataclass(frozen=True, slots=True)
class Seen:
    """What was counted: in a canary since its step began."""

    outcomes: Mapping[str, Outcomes]
    """By arm."""
    time: datetime
    """When, on the database's clock."""
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
    """By arm on trial, in shadow mode."""


def look(trial: Trial, seen: Seen, levels: Levels, effects: Effects | None = None) -> list[GuardrailResult]:
    """Give what each guardrail says of each arm on trial.

    Several guardrails, arms and steps share what a false alarm may cost: each gets its part (Bonferroni). Without
    `effects` judgments are taken as independent: what is not BROKEN then is not BROKEN with them.
    """
    parts = max(1, len(trial.guardrails) * len(trial.tried) * max(1, len(trial.steps)))
    return [
        _measure(trial, guardrail, arm.name, seen, levels, parts, (effects or {}).get((place, arm.name), 1.0))
        for place, guardrail in enumerate(trial.guardrails)
        for arm in trial.tried
    ]


def _measure(
    trial: Trial, guardrail: Guardrail, arm: str, seen: Seen, levels: Levels, parts: int, effect: float
) -> GuardrailResult:
    control = trial.control.name
    kinds, control_kinds = kinds_of(trial, guardrail, arm, levels)
    counts = _counts(seen.outcomes.get(arm, {}), kinds)
    control_counts = _counts(seen.outcomes.get(control, {}), control_kinds)
    sequence = ConfidenceSequence(guardrail.alpha / parts)
    if trial.mode is Mode.SHADOW:
        gained, lost, total = _moves(seen.pairs.get(arm, {}), kinds, control_kinds)
        difference = sequence.paired(gained, lost, total, effect)
    else:
        difference = sequence.difference(counts, control_counts, effect)
    return GuardrailResult(guardrail, arm, _verdict(guardrail, difference), counts, control_counts, difference)


def _verdict(guardrail: Guardrail, difference: Interval) -> Verdict:
    lowest = -1.0 if guardrail.max_decrease is None else -guardrail.max_decrease
    if difference.low > guardrail.max_increase or difference.high < lowest:
        return Verdict.BROKEN
    if difference.high <= guardrail.max_increase and difference.low >= lowest:
        return Verdict.HOLDS
    return Verdict.OPEN


def kinds_of(trial: Trial, guardrail: Guardrail, arm: str, levels: Levels) -> tuple[frozenset[str], frozenset[str]]:
    """Give which outcomes of an arm, and which of the control, a guardrail counts."""
    control = trial.control.name
    return _kinds(guardrail, arm, control, levels), _kinds(guardrail, control, control, levels)


def _kinds(guardrail: Guardrail, arm: str, control: str, levels: Levels) -> frozenset[str]:
    """Give which outcomes of an arm count."""
    if guardrail.measure is Measure.TOP_OUTCOME_RATE:
        return severest(levels[arm], levels[control])
    return frozenset({_STATUSES.get(guardrail.measure, guardrail.outcome)})


def severest(levels: Sequence[str], control_levels: Sequence[str]) -> frozenset[str]:
    """Give the most severe outcomes of an arm: those that are at least as severe as the control's most severe one.

    A version may know an outcome above it; one that does not know the control's has its own most severe one.
    """
    top = control_levels[-1]
    return frozenset(levels[levels.index(top) :] if top in levels else levels[-1:])


def _counts(outcomes: Outcomes, kinds: frozenset[str]) -> Counts:
    return Counts(sum(outcomes.get(kind, 0) for kind in kinds), sum(outcomes.values()))


def _moves(pairs: Pairs, kinds: frozenset[str], control_kinds: frozenset[str]) -> tuple[int, int, int]:
    """Give how many pairs are hits with the arm alone, how many with the control alone, and how many there are."""
    gained = sum(count for (before, after), count in pairs.items() if after in kinds and before not in control_kinds)
    lost = sum(count for (before, after), count in pairs.items() if before in control_kinds and after not in kinds)
    return gained, lost, sum(pairs.values())


def broken(results: Sequence[GuardrailResult]) -> list[GuardrailResult]:
    """Give those that are surely broken."""
    return [result for result in results if result.verdict is Verdict.BROKEN]
