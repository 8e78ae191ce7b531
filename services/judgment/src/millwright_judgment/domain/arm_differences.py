"""How each arm on trial differs from the control, outcome by outcome, at any look.

The bounds are those of the guardrails: confidence sequences, widened by how alike the judgments of one unit are, and of
what a canary's step has seen alone. All bounds of an experiment hold at once, so that one may pick the largest
difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from millwright_judgment.domain.experiments import ERROR, INDETERMINATE, NO_MATCH, Outcomes, Trial
from millwright_judgment.domain.guardrails import Levels, Seen
from millwright_judgment.domain.statistics import ConfidenceSequence, Counts, Interval

ALPHA = 0.05
"""How likely it may be that any bound of an experiment is ever wrong."""

OutcomeEffects: TypeAlias = Mapping[tuple[str, str], float]
"""The design effect by arm on trial and outcome; 1 where there is none."""


class Answer(Enum):
    """Whether an arm's share differs from the control's."""

    HIGHER = "HIGHER"
    LOWER = "LOWER"
    OPEN = "OPEN"


@dataclass(frozen=True, slots=True)
class ArmDifference:
    """How one outcome's share differs between an arm and the control."""

    outcome: str
    """INDETERMINATE, NO_MATCH and ERROR count as such."""
    answer: Answer
    arm_counts: Counts
    control_counts: Counts
    difference: Interval


def compare(trial: Trial, seen: Seen, levels: Levels, effects: OutcomeEffects) -> Mapping[str, Sequence[ArmDifference]]:
    """Give how each arm on trial differs, by its name: outcomes that occurred, in order of severity, and errors.

    Outcomes, arms and steps share what a false claim may cost (Bonferroni): how many there can be, not how many there
    are by now, so that an outcome that comes up later makes no earlier claim untrue.
    """
    control = trial.control.name
    kinds = {arm.name: _kinds(levels[control], levels[arm.name]) for arm in trial.tried}
    sequence = ConfidenceSequence(ALPHA / (sum(map(len, kinds.values())) * max(1, len(trial.steps))))
    of_control = seen.outcomes.get(control, {})
    return {
        arm: [
            _difference(sequence, kind, seen.outcomes.get(arm, {}), of_control, effects.get((arm, kind), 1.0))
            for kind in found
            if kind == ERROR or kind in of_control or kind in seen.outcomes.get(arm, {})
        ]
        for arm, found in kinds.items()
    }


def _kinds(control_levels: Sequence[str], levels: Sequence[str]) -> Sequence[str]:
    own = (level for level in levels if level not in control_levels)
    return [*control_levels, *own, INDETERMINATE, NO_MATCH, ERROR]


def _difference(
    sequence: ConfidenceSequence, kind: str, of_arm: Outcomes, of_control: Outcomes, effect: float
) -> ArmDifference:
    counts, control_counts = (Counts(each.get(kind, 0), sum(each.values())) for each in (of_arm, of_control))
    difference = sequence.difference(counts, control_counts, effect)
    return ArmDifference(kind, _answer(difference), counts, control_counts, difference)


def _answer(difference: Interval) -> Answer:
    if difference.low > 0:
        return Answer.HIGHER
    return Answer.LOWER if difference.high < 0 else Answer.OPEN
