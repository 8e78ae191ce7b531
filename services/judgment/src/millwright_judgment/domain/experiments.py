"""Experiments: versions that are tried beside the one in use, and who gets which.

An arm is drawn by hash, never by chance: the same unit gets the same arm, on any replica and after a restart. Enrolment
and arm have salts of their own, so that those who are enrolled first are no special kind of units. A canary keeps every
unit it has while its share grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from millwright_runtime.errors import Violation
from millwright_runtime.names import is_label

from millwright_judgment.domain.releases import Operation

BASIS_POINTS = 10_000
DEFAULT_ALPHA = 0.01
DEFAULT_STEP_EXECUTIONS = 100
MOST_ARMS = 5
MOST_GUARDRAILS = 8
MOST_STEPS = 20
CONTROL = "control"
"""What the control is called where it was left out."""
_LONGEST_STEP = timedelta(days=90)

ERROR, INDETERMINATE, NO_MATCH = "ERROR", "INDETERMINATE", "NO_MATCH"
"""What counts beside the ruleset's own outcomes."""


Outcomes: TypeAlias = Mapping[str, int]
"""How many judgments by outcome; ERROR, INDETERMINATE and NO_MATCH count as such."""


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


EXPERIMENT_TRANSITIONS: Mapping[tuple[ExperimentState | None, ExperimentState], frozenset[Operation]] = (
    MappingProxyType(
        {
            (None, ExperimentState.RUNNING): frozenset({Operation.EXPERIMENT_START}),
            (ExperimentState.RUNNING, ExperimentState.RUNNING): frozenset({Operation.EXPERIMENT_STEP}),
            (ExperimentState.RUNNING, ExperimentState.STOPPED): frozenset(
                {Operation.EXPERIMENT_STOP, Operation.MARK_BAD}
            ),
            (ExperimentState.RUNNING, ExperimentState.ROLLED_BACK): frozenset({Operation.ROLLBACK}),
            (ExperimentState.RUNNING, ExperimentState.PROMOTED): frozenset({Operation.PROMOTE}),
        }
    )
)
"""Every move of an experiment, with the operations that make it; None is where there is none yet."""

END_STATES: Mapping[Operation, ExperimentState] = MappingProxyType(
    {
        operation: after
        for (_, after), operations in EXPERIMENT_TRANSITIONS.items()
        if after is not ExperimentState.RUNNING
        for operation in operations
    }
)
"""What an experiment is once one of these operations has ended it."""


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
class Experiment:
    """A trial on a channel, and where it stands."""

    trial: Trial
    ruleset: str
    channel: str
    enrolment_bp: int
    """All, in a canary."""
    step: int
    """The index of the step that a canary is at; 0 otherwise."""
    state: ExperimentState
    end_reason: str
    creator: str
    revision: int
    """Raised by every change."""
    start_time: datetime
    step_time: datetime
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        """Give its id."""
        return self.trial.experiment


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


def may_step(experiment: Experiment, outcomes: Mapping[str, Outcomes], now: datetime) -> bool:
    """Tell whether a canary's step is over: its time has passed, its arm has enough judgments, and more steps follow.

    `outcomes` are those of the step. The guardrails are looked at before; one that is OPEN does not hold a step, for it
    may stay so for ever.
    """
    trial, step = experiment.trial, experiment.step
    if trial.mode is not Mode.CANARY or step + 1 >= len(trial.steps):
        return False
    current = trial.steps[step]
    judged = sum(outcomes.get(trial.arms[1].name, {}).values())
    return now >= experiment.step_time + current.min_duration and judged >= current.min_executions


def faults(trial: Trial, enrolment_bp: int) -> list[Violation]:
    """Give everything that is wrong with an experiment that is to begin, by its path in the request."""
    return [*_arm_faults(trial), *_share_faults(trial, enrolment_bp), *_guardrail_faults(trial)]


def _arm_faults(trial: Trial) -> Iterator[Violation]:
    field = "experiment.arms"
    if not 2 <= len(trial.arms) <= MOST_ARMS:
        yield Violation(field, "OUT_OF_RANGE", f"must be 2 to {MOST_ARMS}, the control included")
    if trial.mode is Mode.CANARY and len(trial.arms) != 2:
        yield Violation(field, "OUT_OF_RANGE", "must be the control and one arm on trial in a canary")
    if len({arm.name for arm in trial.arms}) < len(trial.arms):
        yield Violation(field, "DUPLICATE", "must have names of their own")
    if len({arm.version for arm in trial.tried}) < len(trial.tried):
        yield Violation(field, "DUPLICATE", "must have versions of their own")
    if not all(is_label(arm.name) for arm in trial.arms):
        yield Violation(field, "MALFORMED_NAME", "must have names of 1 to 63 of a-z, 0-9 and inner dashes")
    if any(not 1 <= arm.weight <= BASIS_POINTS for arm in trial.arms):
        yield Violation(field, "OUT_OF_RANGE", f"must have weights from 1 to {BASIS_POINTS}")


def _share_faults(trial: Trial, enrolment_bp: int) -> Iterator[Violation]:
    if not 1 <= enrolment_bp <= BASIS_POINTS:
        yield Violation("experiment.enrolment_bp", "OUT_OF_RANGE", f"must be from 1 to {BASIS_POINTS}")
    if trial.mode is not Mode.CANARY:
        if trial.steps:
            yield Violation("experiment.steps", "NOT_ALLOWED", "must be left out: only a canary has steps")
        return
    weights = [step.weight_bp for step in trial.steps]
    is_growing = weights == sorted(set(weights))
    if not 1 <= len(weights) <= MOST_STEPS or not is_growing or not all(0 < it <= BASIS_POINTS for it in weights):
        what = f"must be 1 to {MOST_STEPS} steps with growing weights from 1 to {BASIS_POINTS}"
        yield Violation("experiment.steps", "OUT_OF_RANGE", what)
    for place, step in enumerate(trial.steps):
        field = f"experiment.steps[{place}]"
        if not timedelta(0) <= step.min_duration <= _LONGEST_STEP:
            yield Violation(f"{field}.min_duration", "OUT_OF_RANGE", f"must be from 0 to {_LONGEST_STEP.days} days")
        if step.min_executions < 1:
            yield Violation(f"{field}.min_executions", "OUT_OF_RANGE", "must not be negative")


def _guardrail_faults(trial: Trial) -> Iterator[Violation]:
    if len(trial.guardrails) > MOST_GUARDRAILS:
        yield Violation("experiment.guardrails", "OUT_OF_RANGE", f"must be at most {MOST_GUARDRAILS}")
    for place, guardrail in enumerate(trial.guardrails):
        field = f"experiment.guardrails[{place}]"
        bounds = (guardrail.max_increase, guardrail.max_decrease or 0.0)
        if not all(0 <= bound <= 1 for bound in bounds):
            yield Violation(field, "OUT_OF_RANGE", "must have bounds from 0 to 1")
        if not 1e-6 <= guardrail.alpha <= 0.5:
            yield Violation(f"{field}.alpha", "OUT_OF_RANGE", "must be from 0.000001 to 0.5, or 0 for 0.01")
        if (guardrail.measure is Measure.OUTCOME_RATE) != bool(guardrail.outcome):
            yield Violation(f"{field}.outcome", "REQUIRED", "must be set with OUTCOME_RATE, and with it alone")
