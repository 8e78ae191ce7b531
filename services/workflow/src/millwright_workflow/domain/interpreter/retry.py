"""Retry policies: whether a failed attempt is followed by another, and after how long.

Owns the arithmetic of delays and limits. What a random part adds and what the clock says is the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from millwright_runtime.json import Json

from millwright_workflow.domain.definition import RetryPolicy
from millwright_workflow.domain.definition.parts import Backoff
from millwright_workflow.domain.interpreter.effects import Part
from millwright_workflow.domain.interpreter.template import Length, Template, plan_condition, plan_length, plan_limit
from millwright_workflow.domain.interpreter.visit import Visit

LONGEST_DELAY_SECONDS = 366 * 86_400.0
"""No backoff grows past a year."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A pair of conditions, as catches and retries have them."""

    when: Template | None
    except_when: Template | None

    def admits(self, visit: Visit, names: dict[str, Json]) -> Part[bool]:
        """Tell whether `when` holds and `exceptWhen` does not; one that is absent has no say."""
        if self.when is not None and not (yield from visit.holds(self.when, visit.input, names)):
            return False
        return self.except_when is None or not (yield from visit.holds(self.except_when, visit.input, names))


class Delay(NamedTuple):
    """How long to wait before another attempt, and how late that may be."""

    seconds: float
    jitter: tuple[float, float] | None
    limit_seconds: float | None


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """A retry policy, prepared."""

    guard: Guard
    delay: Length | None
    backoff: Backoff | None
    jitter: tuple[Length, Length] | None
    count: int | None
    """How many attempts may follow the first; None leaves it to the other limits."""
    attempt_limit: Length | None
    """How long each attempt may take, the first one too."""
    limit: Length | None
    """How long after the `try` began another attempt may still start."""

    def allows(self, attempt: int) -> bool:
        """Tell whether the count leaves room for another attempt after number `attempt` (from 0)."""
        return self.count is None or attempt < self.count

    def delay_after(self, attempt: int, visit: Visit, names: dict[str, Json]) -> Part[Delay]:
        """Give the delay after the failed attempt number `attempt`."""
        seconds = 0.0 if self.delay is None else (yield from visit.seconds(self.delay, visit.input, names))
        jitter = None
        if self.jitter is not None:
            least = yield from visit.seconds(self.jitter[0], visit.input, names)
            most = yield from visit.seconds(self.jitter[1], visit.input, names)
            jitter = (least, max(least, most))
        limit = None if self.limit is None else (yield from visit.seconds(self.limit, visit.input, names))
        return Delay(grow_delay(seconds, self.backoff, attempt), jitter, limit)


def plan_retry(policy: RetryPolicy) -> RetryPlan:
    """Prepare a retry policy."""
    attempts = policy.limit and policy.limit.attempt
    jitter = policy.jitter
    return RetryPlan(
        guard=Guard(plan_condition(policy.when), plan_condition(policy.except_when)),
        delay=plan_limit(policy.delay),
        backoff=policy.backoff,
        jitter=(plan_length(jitter.from_), plan_length(jitter.to)) if jitter else None,
        count=attempts.count if attempts else None,
        attempt_limit=plan_limit(attempts.duration) if attempts else None,
        limit=plan_limit(policy.limit.duration) if policy.limit else None,
    )


def grow_delay(seconds: float, backoff: Backoff | None, attempt: int) -> float:
    """Give the delay after the failed attempt number `attempt` (from 0).

    Linear: once, twice, three times the delay. Exponential: once, twice, four times. Otherwise always the delay.
    """
    if backoff and backoff.linear is not None:
        seconds *= attempt + 1
    elif backoff and backoff.exponential is not None:
        seconds *= 2.0 ** min(attempt, 64)
    return min(seconds, LONGEST_DELAY_SECONDS)
