"""Gates: what must hold of a canary's instances, and what a measurement says about it.

Owns the rules of evidence: a gate passes or fails on a sufficient sample alone. Measures nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

SAMPLE_LIMIT = 10_000
"""How many instances of a version are measured at most: those that ended last."""


class Measure(Enum):
    """What a gate measures, and on which side of its bound the good values lie."""

    MIN_SUCCESS_RATE = "MIN_SUCCESS_RATE"
    """The share of ended instances that completed."""
    MAX_SUCCESS_RATE_DROP = "MAX_SUCCESS_RATE_DROP"
    """How much lower that share is than the stable version's."""
    MAX_P95_DURATION = "MAX_P95_DURATION"
    """The seconds from begin to end that 95 of 100 completed instances do not exceed."""
    MAX_P95_RATIO = "MAX_P95_RATIO"
    """That time as a multiple of the stable version's."""

    @property
    def compares(self) -> bool:
        """Tell whether it needs instances of the stable version too."""
        return self in (Measure.MAX_SUCCESS_RATE_DROP, Measure.MAX_P95_RATIO)


@dataclass(frozen=True, slots=True)
class Gate:
    """Something that must hold."""

    measure: Measure
    bound: float
    """A share, seconds or a ratio, as the measure has it; itself still good."""


class Verdict(Enum):
    """What a gate says."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Cohort:
    """What became of the instances of one version, since the step began."""

    completed: int = 0
    faulted: int = 0
    p95_seconds: float | None = None
    """Of those that completed; None if none did."""

    @property
    def ended(self) -> int:
        """Give how many ended."""
        return self.completed + self.faulted

    @property
    def success_rate(self) -> float:
        """Give the share that completed."""
        return self.completed / self.ended


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, at one moment on the database's clock."""

    canary: Cohort
    stable: Cohort
    time: datetime


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate said."""

    gate: Gate
    verdict: Verdict
    value: float | None
    """What was measured, in the measure's unit; None if nothing was."""
    canary_instances: int
    stable_instances: int
    measure_time: datetime


def judge(gate: Gate, measurement: Measurement, min_instances: int) -> GateResult:
    """Hold a measurement against a gate.

    Each side that the gate looks at must have `min_instances`: ended ones, or for durations completed ones. Without
    them it is INCONCLUSIVE: what is not known is never good.
    """
    sides = [_counted(gate, measurement.canary), _counted(gate, measurement.stable)]
    needed = sides if gate.measure.compares else sides[:1]
    is_known = min(needed) >= max(1, min_instances)
    value = _value(gate, measurement) if min(needed) else None
    verdict = Verdict.INCONCLUSIVE
    if is_known and value is not None:
        verdict = Verdict.PASS if _holds(gate, value) else Verdict.FAIL
    return GateResult(gate, verdict, value, sides[0], sides[1], measurement.time)


def judge_all(gates: Sequence[Gate], measurement: Measurement, min_instances: int) -> tuple[GateResult, ...]:
    """Hold a measurement against each gate, in order."""
    return tuple(judge(gate, measurement, min_instances) for gate in gates)


def overall(results: Sequence[GateResult]) -> Verdict:
    """Give the verdict of all together: one that fails decides, then one that cannot be decided."""
    verdicts = {result.verdict for result in results}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS


def _counted(gate: Gate, cohort: Cohort) -> int:
    is_duration = gate.measure in (Measure.MAX_P95_DURATION, Measure.MAX_P95_RATIO)
    return cohort.completed if is_duration else cohort.ended


def _value(gate: Gate, measurement: Measurement) -> float | None:
    canary, stable = measurement.canary, measurement.stable
    match gate.measure:
        case Measure.MIN_SUCCESS_RATE:
            return canary.success_rate
        case Measure.MAX_SUCCESS_RATE_DROP:
            return round(stable.success_rate - canary.success_rate, 9)  # 1 - 0.95 is 0.05, and no more
        case Measure.MAX_P95_DURATION:
            return canary.p95_seconds
        case Measure.MAX_P95_RATIO:
            return canary.p95_seconds / stable.p95_seconds if canary.p95_seconds and stable.p95_seconds else None


def _holds(gate: Gate, value: float) -> bool:
    return value >= gate.bound if gate.measure is Measure.MIN_SUCCESS_RATE else value <= gate.bound
