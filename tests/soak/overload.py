"""More calls than can be served: what is admitted is served in time, the rest told when to come again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from millwright_local.stack import Stack

from tests.soak import emergencies
from tests.soak.flood import REFUSED, Flood, failures, flood, flooders
from tests.soak.mix import Mix, Outcome, token_of

TIMES = 3.0
"""How often as can be served it is to be called."""
LEAST_TIMES = 2.85
"""From here on it is that, nearly enough. What was seen of less does not show what it is to."""
PROBES = 10.0
"""Calls a second of one who calls seldom."""
BOUND_SECONDS = 10.0
"""What an admitted call may take, at the 99th percentile: half of the 20 s that callers wait."""
USUAL_SECONDS = 5.0
RECOVERY_SECONDS = 30.0
USUAL_TIMES = 5.0
USUAL_FLOOR_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Overload:
    """What became of it."""

    seconds: float
    capacity: float
    """Calls a second that can be served."""
    usual: float
    """The median of a call before."""
    flood: Flood
    probes: list[Outcome]
    """Calls of one who called seldom meanwhile."""
    emergencies: list[Outcome]
    """Calls meanwhile that are always let in."""
    recovery_seconds: float | None
    """How long after it the median was what it had been, or about."""

    @property
    def rate(self) -> float:
        """The calls a second that were begun."""
        return self.flood.begun / self.seconds

    @property
    def times(self) -> float:
        """How often as can be served it was really called."""
        return self.rate / self.capacity

    @property
    def admitted(self) -> list[Outcome]:
        """The calls of one who called seldom that were served."""
        return [it for it in self.probes if it.code == "OK"]

    @property
    def codes(self) -> Counter[str]:
        """How many calls ended how."""
        return self.flood.codes + Counter(it.code for it in self.probes)

    @property
    def violations(self) -> list[str]:
        """What should not have been."""
        others = dict(self.flood.failures + failures(self.probes))
        unhinted = self.flood.unhinted + sum(it.code == REFUSED and not it.has_hint for it in self.probes)
        failed = Counter(f"{it.kind} {it.code}" for it in self.emergencies if it.code != "OK")
        late, emergencies_late = percentile(self.admitted, 99), percentile(self.emergencies, 99)
        untried = sorted({*emergencies.kinds()} - {it.kind for it in self.emergencies})
        found = [
            (
                self.times < LEAST_TIMES,
                f"{self.times:.1f} times as many calls as can be served were begun, and not {TIMES:g} times as many",
            ),
            (others, f"calls ended otherwise than served or refused: {others}"),
            (not self.admitted, "nothing was admitted"),
            (late > BOUND_SECONDS, f"the slowest hundredth of what was admitted took {late:.1f} s"),
            (unhinted, f"{unhinted} refusals do not say when to come again"),
            (failed, f"of what is always let in, did not go through: {dict(failed)}"),
            (emergencies_late > BOUND_SECONDS, f"the slowest hundredth of those took {emergencies_late:.1f} s"),
            (untried, f"were not tried: {untried}"),
            (self.recovery_seconds is None, f"it was not as before within {RECOVERY_SECONDS:.0f} s"),
        ]
        return [text for is_so, text in found if is_so]


async def overload(stack: Stack, mix: Mix, capacity: float, seconds: float) -> Overload:
    """Call at three times the capacity, make in between what is always let in, and wait for recovery."""
    calls = await emergencies.prepare(mix)
    usual = median(it.seconds for it in await mix.at(capacity / 4, USUAL_SECONDS))
    flooding = flooders(stack.endpoints, token_of(stack), capacity * TIMES, seconds)
    async with flooding as ready, asyncio.TaskGroup() as group:
        probing = group.create_task(mix.at(PROBES, seconds))
        calling = group.create_task(emergencies.call(mix, calls, seconds))
        flooded = group.create_task(flood(ready))
    recovery = await _recovery(mix, capacity / 4, usual)
    return Overload(seconds, capacity, usual, flooded.result(), probing.result(), calling.result(), recovery)


async def _recovery(mix: Mix, rate: float, usual: float) -> float | None:
    """Return after how many seconds of few calls their median was as before."""
    begin = time.monotonic()
    while (seconds := time.monotonic() - begin) < RECOVERY_SECONDS:
        outcomes = await mix.at(rate, 1.0)
        is_served = all(it.code == "OK" for it in outcomes)
        if is_served and median(it.seconds for it in outcomes) <= max(USUAL_FLOOR_SECONDS, usual * USUAL_TIMES):
            return seconds
    return None


def percentile(outcomes: Sequence[Outcome], number: int) -> float:
    """Return a percentile of the seconds that calls took; 0 for less than two."""
    return quantiles((it.seconds for it in outcomes), n=100)[number - 1] if len(outcomes) > 1 else 0.0
