"""The report of an experiment: what became of each arm, what the guardrails say, and what to keep in mind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from millwright_judgment.domain.arm_differences import ArmDifference, OutcomeEffects, compare
from millwright_judgment.domain.experiments import BASIS_POINTS, ERROR, Arm, Experiment, Mode, Outcomes, Trial
from millwright_judgment.domain.guardrails import Effects, GuardrailResult, Levels, Pairs, Seen, look, severest
from millwright_judgment.domain.statistics import (
    Interval,
    TestResult,
    mcnemar,
    sample_ratio,
    sign,
    stuart_maxwell,
    wilson,
)

SAMPLE_RATIO_ALARM = 0.001
"""Below this p-value the split is not as planned: guardrails are withheld, and a canary does not step on by itself."""
SMALL_SAMPLE = 100
CLUSTERED = 2.0
"""From so many judgments a unit on, they are no independent ones."""

Units = Mapping[int, Mapping[str, int]]
"""How many units were first seen at each step, by their arms then."""


class Warned(StrEnum):
    """What to keep in mind when reading a report."""

    SAMPLE_RATIO_MISMATCH = "SAMPLE_RATIO_MISMATCH"
    UNITS_FORGOTTEN = "UNITS_FORGOTTEN"
    SMALL_SAMPLE = "SMALL_SAMPLE"
    CLUSTERED_DATA = "CLUSTERED_DATA"
    NOTHING_TO_COMPARE = "NOTHING_TO_COMPARE"
    CHANGING_SHARES = "CHANGING_SHARES"
    MULTIPLE_TESTING = "MULTIPLE_TESTING"


@dataclass(frozen=True, slots=True)
class Paired:
    """What an arm in the shadow says where the control says what, of the same inputs."""

    transitions: Sequence[tuple[str, str, int]]
    """From which outcome to which, most frequent first; those that stay what they are too."""
    compared: int
    unchanged: int
    errors: int
    """How many only the arm cannot judge."""
    escalated: int
    relaxed: int
    change_rate: Interval
    tests: Sequence[TestResult]


@dataclass(frozen=True, slots=True)
class ArmReport:
    """What became of one arm so far."""

    arm: Arm
    executions: int
    units: int
    outcomes: Outcomes
    paired: Paired | None
    differences: Sequence[ArmDifference]
    """From the control; empty of the control itself, in the shadow, and where they are withheld."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the judgments of one unit are: design effects."""

    guardrails: Effects
    outcomes: OutcomeEffects
    changes: Mapping[str, float]
    """By arm in the shadow: of its outcome being another than the control's."""


@dataclass(frozen=True, slots=True)
class Report:
    """The report of an experiment so far."""

    arms: Sequence[ArmReport]
    guardrails: Sequence[GuardrailResult]
    """Empty where they are withheld."""
    sample_ratio_p_value: float
    warnings: Sequence[Warned]
    time: datetime


def report(
    experiment: Experiment,
    totals: Mapping[str, Outcomes],
    seen: Seen,
    units: Units,
    levels: Levels,
    likeness: Likeness | None,
) -> Report:
    """Give the report. `totals` were counted from the beginning, `seen` of a canary since its step began.

    `likeness` is None once the units are not known any more: guardrails and differences are withheld then.
    """
    trial = experiment.trial
    p_value = sample_ratio_of(trial, units)
    withheld = []
    if p_value < SAMPLE_RATIO_ALARM:
        withheld.append(Warned.SAMPLE_RATIO_MISMATCH)
    if likeness is None:
        withheld.append(Warned.UNITS_FORGOTTEN)
    is_told = likeness is not None and not withheld
    results = look(trial, seen, levels, likeness.guardrails) if likeness and is_told else []
    is_split = trial.mode is not Mode.SHADOW
    differences = compare(trial, seen, levels, likeness.outcomes) if likeness and is_told and is_split else {}
    changes = likeness.changes if likeness else {}
    arms = [
        ArmReport(
            arm=arm,
            executions=sum(totals.get(arm.name, {}).values()),
            units=_units(trial, arm, units),
            outcomes=totals.get(arm.name, {}),
            paired=None if is_split or arm is trial.control else _paired(trial, arm, seen.pairs, levels, changes),
            differences=differences.get(arm.name, ()),
        )
        for arm in trial.arms
    ]
    return Report(arms, results, p_value, [*withheld, *_warnings(experiment, arms, seen)], seen.time)


def sample_ratio_of(trial: Trial, units: Units) -> float:
    """Give the p-value of units being split as planned, each at the step where it was first seen.

    With the steps of a canary taken together it is a little too large rather than too small. In the shadow nothing is
    split.
    """
    if trial.mode is Mode.SHADOW:
        return 1.0
    observed, expected = {arm.name: 0 for arm in trial.arms}, {arm.name: 0.0 for arm in trial.arms}
    for step, counts in units.items():
        weights = _weights(trial, step)
        for name, weight in weights.items():
            observed[name] += counts.get(name, 0)
            expected[name] += sum(counts.values()) * weight / sum(weights.values())
    names = [name for name in expected if observed[name] or expected[name]]
    if len(names) < 2:
        return 1.0
    if not all(expected[name] for name in names):
        return 0.0
    return sample_ratio([observed[name] for name in names], [expected[name] for name in names])


def _weights(trial: Trial, step: int) -> Mapping[str, int]:
    if trial.mode is Mode.CANARY:
        tried = trial.steps[step].weight_bp
        return {trial.control.name: BASIS_POINTS - tried, trial.arms[1].name: tried}
    return {arm.name: arm.weight for arm in trial.arms}


def _units(trial: Trial, arm: Arm, units: Units) -> int:
    """Give how many units an arm has seen. In the shadow each is the control's, and every arm sees it."""
    counted_as = trial.control.name if trial.mode is Mode.SHADOW else arm.name
    return sum(counts.get(counted_as, 0) for counts in units.values())


def _paired(
    trial: Trial, arm: Arm, found: Mapping[str, Pairs], all_levels: Levels, changes: Mapping[str, float]
) -> Paired:
    pairs = found.get(arm.name, {})
    control_levels, levels = all_levels[trial.control.name], all_levels[arm.name]
    compared = sum(pairs.values())
    unchanged = sum(count for (before, after), count in pairs.items() if before == after)
    moves = [(_move(before, after, control_levels, levels), count) for (before, after), count in pairs.items()]
    escalated = sum(count for move, count in moves if move > 0)
    relaxed = sum(count for move, count in moves if move < 0)
    return Paired(
        transitions=sorted(((*pair, count) for pair, count in pairs.items()), key=lambda it: (-it[2], it)),
        compared=compared,
        unchanged=unchanged,
        errors=sum(count for (before, after), count in pairs.items() if after == ERROR != before),
        escalated=escalated,
        relaxed=relaxed,
        change_rate=wilson(compared - unchanged, compared, effect=changes.get(arm.name, 1.0)),
        tests=list(_tests(pairs, control_levels, levels, escalated, relaxed)),
    )


def _move(before: str, after: str, control_levels: Sequence[str], levels: Sequence[str]) -> int:
    """Give whether a judgment goes up (above 0) or down, by a version that knows both outcomes; 0 if none does."""
    for order in (levels, control_levels):
        if before in order and after in order:
            return order.index(after) - order.index(before)
    return 0


def _tests(
    pairs: Pairs, control_levels: Sequence[str], levels: Sequence[str], escalated: int, relaxed: int
) -> Iterator[TestResult]:
    if escalated or relaxed:
        yield sign(escalated, relaxed)
    top, control_top = severest(levels, control_levels), frozenset(control_levels[-1:])
    gained = sum(count for (before, after), count in pairs.items() if after in top and before not in control_top)
    lost = sum(count for (before, after), count in pairs.items() if before in control_top and after not in top)
    if gained or lost:
        yield mcnemar(gained, lost)
    labels = sorted({label for pair in pairs for label in pair})
    if homogeneity := stuart_maxwell([[pairs.get((row, column), 0) for column in labels] for row in labels]):
        yield homogeneity


def _warnings(experiment: Experiment, arms: Sequence[ArmReport], seen: Seen) -> Iterator[Warned]:
    trial = experiment.trial
    if any(sum(seen.outcomes.get(arm.name, {}).values()) < SMALL_SAMPLE for arm in trial.arms):
        yield Warned.SMALL_SAMPLE
    if any(arm.executions >= CLUSTERED * arm.units > 0 for arm in arms):
        yield Warned.CLUSTERED_DATA
    if any(arm.differences for arm in arms):
        yield Warned.MULTIPLE_TESTING
    if trial.mode is Mode.CANARY:
        if trial.steps[experiment.step].weight_bp == BASIS_POINTS:
            yield Warned.NOTHING_TO_COMPARE
        if experiment.step:
            yield Warned.CHANGING_SHARES
