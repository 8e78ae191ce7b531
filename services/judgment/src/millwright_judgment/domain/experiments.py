"""Experiments: who gets which arm, and what the guardrails say.

An arm is drawn by hash, never by chance: the same unit gets the same arm, on any replica and after a restart. Enrolment
and arm have salts of their own, so that those who are enrolled first are no special kind of units. A canary keeps every
unit it has while its share grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from millwright_runtime.errors import Violation

from millwright_judgment.domain.statistics import ConfidenceSequence, Counts, Interval

BASIS_POINTS = 10_000
DEFAULT_ALPHA = 0.01
DEFAULT_STEP_EXECUTIONS = 100
MOST_ARMS = 5
MOST_GUARDRAILS = 8
MOST_STEPS = 20
SAMPLE_RATIO_ALARM = 0.001
"""Below this p-value the split is not as planned, and results are withheld."""

ERROR, INDETERMINATE, NO_MATCH = "ERROR", "INDETERMINATE", "NO_MATCH"
"""What counts beside the ruleset's own outcomes."""


class Mode(Enum):
    """How an experiment tries."""

    AB = "AB"
    CANARY = "CANARY"
    SHADOW = "SHADOW"


class ExperimentState(Enum):
    """Where an experiment stands; all but RUNNING are final."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    ROLLED_BACK = "ROLLED_BACK"
    PROMOTED = "PROMOTED"


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm; the first of an experiment is its control."""

    name: str
    version: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a canary."""

    weight_bp: int
    min_duration: timedelta = timedelta(0)
    min_executions: int = DEFAULT_STEP_EXECUTIONS


class Measure(Enum):
    """What a guardrail measures, as a share of judgments."""

    ERROR_RATE = "ERROR_RATE"
    INDETERMINATE_RATE = "INDETERMINATE_RATE"
    NO_MATCH_RATE = "NO_MATCH_RATE"
    TOP_OUTCOME_RATE = "TOP_OUTCOME_RATE"
    OUTCOME_RATE = "OUTCOME_RATE"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """What must hold of an arm on trial, beside the control."""

    measure: Measure
    outcome: str = ""
    """With OUTCOME_RATE."""
    max_increase: float = 0.0
    max_decrease: float | None = None
    alpha: float = DEFAULT_ALPHA


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried, and how: it never changes once begun."""

    experiment: str
    mode: Mode
    arms: tuple[Arm, ...]
    guardrails: tuple[Guardrail, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def control(self) -> Arm:
        """Give the arm with the version that the channel points to."""
        return self.arms[0]

    @property
    def tried(self) -> tuple[Arm, ...]:
        """Give the arms on trial."""
        return self.arms[1:]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which arm a unit gets, and what is judged beside it."""

    arm: Arm
    shadows: tuple[Arm, ...] = ()


def assign(trial: Trial, enrolment_bp: int, step: int, key: str) -> Assignment | None:
    """Give the arm of the unit `key`; None if it does not take part."""
    if trial.mode is Mode.CANARY:
        is_tried = _bucket(trial.experiment, "arm", key) < trial.steps[step].weight_bp / BASIS_POINTS
        return Assignment(trial.arms[1] if is_tried else trial.control)
    if _bucket(trial.experiment, "enrolment", key) >= enrolment_bp / BASIS_POINTS:
        return None
    if trial.mode is Mode.SHADOW:
        return Assignment(trial.control, trial.tried)
    place = _bucket(trial.experiment, "arm", key) * sum(arm.weight for arm in trial.arms)
    for arm in trial.arms:
        place -= arm.weight
        if place < 0:
            return Assignment(arm)
    return Assignment(trial.arms[-1])


def _bucket(experiment: str, purpose: str, key: str) -> float:
    """Give where in [0, 1) a unit falls."""
    digest = hashlib.blake2b(f"{experiment}\0{purpose}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def unit_hash(experiment: str, key: str) -> int:
    """Give what units are told apart by, as Postgres' bigint."""
    digest = hashlib.blake2b(f"{experiment}\0unit\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


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


Outcomes = Mapping[str, int]
"""How many judgments by outcome; ERROR, INDETERMINATE and NO_MATCH count as such."""


def look(trial: Trial, outcomes: Mapping[str, Outcomes], levels: Sequence[str]) -> list[GuardrailResult]:
    """Give what each guardrail says of each arm on trial, by what was judged so far.

    `outcomes` are those of each arm; `levels` the ruleset's outcomes, the least severe first. It may be asked as often
    as one likes. Several guardrails and arms share what a false alarm may cost: each gets its part (Bonferroni).
    """
    control = outcomes.get(trial.control.name, {})
    looks = max(1, len(trial.guardrails) * len(trial.tried))
    return [
        _measure(guardrail, arm.name, outcomes.get(arm.name, {}), control, levels, looks)
        for guardrail in trial.guardrails
        for arm in trial.tried
    ]


def _measure(
    guardrail: Guardrail, arm: str, of_arm: Outcomes, of_control: Outcomes, levels: Sequence[str], looks: int
) -> GuardrailResult:
    arm_counts, control_counts = _counts(guardrail, of_arm, levels), _counts(guardrail, of_control, levels)
    difference = ConfidenceSequence(guardrail.alpha / looks).difference(arm_counts, control_counts)
    lowest = -1.0 if guardrail.max_decrease is None else -guardrail.max_decrease
    if difference.low > guardrail.max_increase or difference.high < lowest:
        verdict = Verdict.BROKEN
    elif difference.high <= guardrail.max_increase and difference.low >= lowest:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.OPEN
    return GuardrailResult(guardrail, arm, verdict, arm_counts, control_counts, difference)


def _counts(guardrail: Guardrail, outcomes: Outcomes, levels: Sequence[str]) -> Counts:
    kind = {
        Measure.ERROR_RATE: ERROR,
        Measure.INDETERMINATE_RATE: INDETERMINATE,
        Measure.NO_MATCH_RATE: NO_MATCH,
        Measure.TOP_OUTCOME_RATE: levels[-1],
        Measure.OUTCOME_RATE: guardrail.outcome,
    }[guardrail.measure]
    return Counts(outcomes.get(kind, 0), sum(outcomes.values()))


def may_step(trial: Trial, step: int, outcomes: Mapping[str, Outcomes], step_time: datetime, now: datetime) -> bool:
    """Tell whether a canary's step is over: its time has passed, its arm has enough judgments, and more steps follow.

    The guardrails are looked at before; one that is OPEN does not hold a step, for it may stay so for ever.
    """
    if trial.mode is not Mode.CANARY or step + 1 >= len(trial.steps):
        return False
    current = trial.steps[step]
    judged = sum(outcomes.get(trial.arms[1].name, {}).values())
    return now >= step_time + current.min_duration and judged >= current.min_executions


def faults(trial: Trial, enrolment_bp: int) -> list[Violation]:
    """Give everything that is wrong with an experiment that is to begin, by its path in the request."""
    return [*_arm_faults(trial), *_share_faults(trial, enrolment_bp), *_guardrail_faults(trial)]


def _arm_faults(trial: Trial) -> list[Violation]:
    field = "experiment.arms"
    found = []
    if not 2 <= len(trial.arms) <= MOST_ARMS:
        found.append(Violation(field, "OUT_OF_RANGE", f"must be 2 to {MOST_ARMS}, the control included"))
    if trial.mode is Mode.CANARY and len(trial.arms) != 2:
        found.append(Violation(field, "OUT_OF_RANGE", "must be the control and one arm on trial in a canary"))
    if len({arm.name for arm in trial.arms}) < len(trial.arms):
        found.append(Violation(field, "DUPLICATE", "must have names of their own"))
    if any(not 1 <= arm.weight <= BASIS_POINTS for arm in trial.arms):
        found.append(Violation(field, "OUT_OF_RANGE", f"must have weights from 1 to {BASIS_POINTS}"))
    return found


def _share_faults(trial: Trial, enrolment_bp: int) -> list[Violation]:
    found = []
    if trial.mode is not Mode.CANARY and not 1 <= enrolment_bp <= BASIS_POINTS:
        found.append(Violation("experiment.enrolment_bp", "OUT_OF_RANGE", f"must be from 1 to {BASIS_POINTS}"))
    if trial.mode is not Mode.CANARY and trial.steps:
        found.append(Violation("experiment.steps", "NOT_ALLOWED", "must be left out: only a canary has steps"))
    if trial.mode is Mode.CANARY:
        weights = [step.weight_bp for step in trial.steps]
        is_growing = weights == sorted(set(weights))
        if not 1 <= len(weights) <= MOST_STEPS or not is_growing or not all(0 < it <= BASIS_POINTS for it in weights):
            what = f"must be 1 to {MOST_STEPS} steps with growing weights from 1 to {BASIS_POINTS}"
            found.append(Violation("experiment.steps", "OUT_OF_RANGE", what))
    return found


def _guardrail_faults(trial: Trial) -> list[Violation]:
    found = []
    if len(trial.guardrails) > MOST_GUARDRAILS:
        found.append(Violation("experiment.guardrails", "OUT_OF_RANGE", f"must be at most {MOST_GUARDRAILS}"))
    for place, guardrail in enumerate(trial.guardrails):
        field = f"experiment.guardrails[{place}]"
        bounds = (guardrail.max_increase, guardrail.max_decrease or 0.0)
        if not all(0 <= bound <= 1 for bound in bounds):
            found.append(Violation(field, "OUT_OF_RANGE", "must have bounds from 0 to 1"))
        if not 1e-6 <= guardrail.alpha <= 0.5:
            found.append(Violation(f"{field}.alpha", "OUT_OF_RANGE", "must be from 0.000001 to 0.5, or 0 for 0.01"))
        if (guardrail.measure is Measure.OUTCOME_RATE) != bool(guardrail.outcome):
            found.append(Violation(f"{field}.outcome", "REQUIRED", "must be set with OUTCOME_RATE, and with it alone"))
    return found
