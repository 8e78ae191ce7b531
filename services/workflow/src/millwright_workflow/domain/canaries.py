"""Canaries: a version that a share of a channel's instances begins on, step by step, to see whether it is good.

Owns who gets it, and what follows from what its gates say. How the release log tells of it is `canary_decisions`'s.
`docs/architecture/canary-states.md` draws the states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from millwright_workflow.domain.gates import Gate, GateResult, Measurement, Verdict, judge_all, overall

WHOLE_BP = 10_000
"""All instances, in hundredths of a percent."""
DEFAULT_MIN_INSTANCES = 20


class CanaryState(Enum):
    """Where a channel's canary stands."""

    ABSENT = "ABSENT"
    RUNNING = "RUNNING"
    HELD = "HELD"
    """It is watched as before, and does not step on: a gate cannot be decided, or a person is to promote it."""


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """One step of a canary."""

    weight_bp: int
    """The share of new instances, in hundredths of a percent."""
    min_duration: timedelta
    min_instances: int
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Canary:
    """A canary under way."""

    version: int
    revision: int
    """Of the release that began it; with the channel it is what routing keys are hashed with."""
    steps: tuple[CanaryStep, ...]
    promote_at_end: bool
    step: int
    """The index of the step it is at."""
    state: CanaryState
    start_time: datetime
    step_time: datetime
    """When it came to this step."""
    gates: tuple[GateResult, ...] = ()
    """What the gates of this step said last."""

    @property
    def current(self) -> CanaryStep:
        """Give the step it is at."""
        return self.steps[self.step]

    @property
    def is_last_step(self) -> bool:
        """Tell whether no step follows."""
        return self.step == len(self.steps) - 1


def bucket(workflow: str, channel: str, revision: int, routing_key: str) -> int:
    """Give the place, 0 to 9,999, of a routing key in the canary that a revision began: the same one everywhere.

    It depends on nothing else. A key gets the canary if its place is below the weight, so it keeps it as weights grow,
    and another canary of the channel draws anew.
    """
    digest = hashlib.sha256(f"{workflow}/{channel}/{revision}/{routing_key}".encode()).digest()
    return int.from_bytes(digest[:8]) % WHOLE_BP


class Course(Enum):
    """What follows from a look at a canary."""

    WAIT = "WAIT"
    """Its step goes on."""
    HOLD = "HOLD"
    STEP = "STEP"
    PROMOTE = "PROMOTE"
    ROLL_BACK = "ROLL_BACK"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a canary, and what follows."""

    results: tuple[GateResult, ...]
    course: Course


def look(canary: Canary, measurement: Measurement, *, is_frozen: bool) -> Look:
    """Judge a measurement by the gates of the canary's step, and tell what follows.

    One gate that fails rolls back, however young the step is. Steps and promotions need its time to be over, its
    sample to be there and all gates to pass. A frozen channel is promoted by nobody but a person.
    """
    step = canary.current
    results = judge_all(step.gates, measurement, step.min_instances)
    return Look(results, _course(canary, results, measurement, is_frozen=is_frozen))


def _course(canary: Canary, results: Sequence[GateResult], measurement: Measurement, *, is_frozen: bool) -> Course:
    verdict = overall(results)
    if verdict is Verdict.FAIL:
        return Course.ROLL_BACK
    if measurement.time < canary.step_time + canary.current.min_duration:
        return Course.WAIT
    if verdict is Verdict.INCONCLUSIVE or measurement.canary.ended < canary.current.min_instances:
        return Course.HOLD
    if not canary.is_last_step:
        return Course.STEP
    return Course.PROMOTE if canary.promote_at_end and not is_frozen else Course.HOLD
