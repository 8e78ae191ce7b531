"""Looking early, and often, without fooling oneself: confidence sequences, and whether a split is as planned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from millwright_judgment.domain.statistics.intervals import Interval

PLANNED_SIZE = 5_000
"""Of both arms together: the size at which a confidence sequence is narrowest."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of an arm's judgments are of a kind."""

    hits: int
    total: int

    @property
    def share(self) -> float:
        """Give the share of hits; 0 of none."""
        return self.hits / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """An interval of a difference of shares that holds at every look at once.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), equation 9, for the
    difference of two means. `alpha` is how likely it is ever wrong, however often it is looked at.
    """

    alpha: float
    planned_size: int = PLANNED_SIZE

    def difference(self, arm: Counts, control: Counts, effect: float = 1.0) -> Interval:
        """Give how much higher the arm's share is than the control's; anything while one of them has nothing.

        `effect` is the design effect: clustered judgments count as `total / effect` independent ones. The variance of
        each is taken as at least that of both together. A small arm whose hits are still to come would seem sure of
        having none: in simulations that raised four times as many false alarms as `alpha` allows.
        """
        confidence, method = 1 - self.alpha, _method("asymptotic confidence sequence", effect)
        if not arm.total or not control.total:
            return Interval(0.0, -1.0, 1.0, confidence, method)
        value = arm.share - control.share
        size = (arm.total + control.total) / effect
        least = _smoothed_variance((arm.hits + control.hits) / effect, size)
        error = sum(
            max(_smoothed_variance(counts.hits / effect, counts.total / effect), least) / (counts.total / effect)
            for counts in (arm, control)
        )
        reach = math.sqrt(size * error) * self._reach(size)
        return Interval(value, max(-1.0, value - reach), min(1.0, value + reach), confidence, method)

    def paired(self, gained: int, lost: int, total: int, effect: float = 1.0) -> Interval:
        """Give how much higher the arm's share is where both judged the same inputs.

        `gained` of the `total` inputs are hits with the arm alone, `lost` with the control alone. One imagined input
        of each keeps 0 of n, and n of n, from counting as sure. `effect` is the design effect.
        """
        confidence, method = 1 - self.alpha, _method("asymptotic confidence sequence, paired", effect)
        if not total:
            return Interval(0.0, -1.0, 1.0, confidence, method)
        value, size = (gained - lost) / total, total / effect
        mean = (gained - lost) / effect / (size + 2)
        variance = ((gained + lost) / effect + 2) / (size + 2) - mean**2
        reach = math.sqrt(variance) * self._reach(size)
        return Interval(value, max(-1.0, value - reach), min(1.0, value + reach), confidence, method)

    def _reach(self, size: float) -> float:
        doubt = -2 * math.log(self.alpha)
        rho2 = (doubt + math.log(doubt + 1)) / self.planned_size
        scaled = size * rho2 + 1
        return math.sqrt(2 * scaled / (size * size * rho2) * math.log(math.sqrt(scaled) / self.alpha))


def _smoothed_variance(hits: float, total: float) -> float:
    """Give the variance of one judgment, two imagined ones added, so that 0 of n does not count as sure."""
    share = (hits + 1) / (total + 2)
    return share * (1 - share)


def _method(name: str, effect: float) -> str:
    return name if effect == 1.0 else f"{name}, design effect {effect:.2g}"


def sample_ratio(units: Sequence[int], weights: Sequence[float]) -> float:
    """Give the p-value of units being split as the weights say: the chi-square test of sample ratio mismatch."""
    total, weight = sum(units), sum(weights)
    if not total:
        return 1.0
    return float(stats.chisquare(units, [total * share / weight for share in weights]).pvalue)
