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

    @property
    def smoothed_variance(self) -> float:
        """Give the variance of one judgment, two imagined ones added, so that 0 of n does not count as sure."""
        share = (self.hits + 1) / (self.total + 2)
        return share * (1 - share)


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """An interval of a difference of shares that holds at every look at once.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), equation 9, for the
    difference of two means. `alpha` is how likely it is ever wrong, however often it is looked at.
    """

    alpha: float
    planned_size: int = PLANNED_SIZE

    def difference(self, arm: Counts, control: Counts) -> Interval:
        """Give how much higher the arm's share is than the control's; anything while one of them has nothing.

        The variance of each is taken as at least that of both together. A small arm whose hits are still to come would
        seem sure of having none: in simulations that raised four times as many false alarms as `alpha` allows.
        """
        confidence, method = 1 - self.alpha, "asymptotic confidence sequence"
        if not arm.total or not control.total:
            return Interval(0.0, -1.0, 1.0, confidence, method)
        value = arm.share - control.share
        size = arm.total + control.total
        least = Counts(arm.hits + control.hits, size).smoothed_variance
        error = sum(max(counts.smoothed_variance, least) / counts.total for counts in (arm, control))
        reach = math.sqrt(size * error) * self._reach(size)
        return Interval(value, max(-1.0, value - reach), min(1.0, value + reach), confidence, method)

    def paired(self, gained: int, lost: int, total: int) -> Interval:
        """Give how much higher the arm's share is where both judged the same inputs.

        `gained` of the `total` inputs are hits with the arm alone, `lost` with the control alone. One imagined input
        of each keeps 0 of n from counting as sure.
        """
        confidence, method = 1 - self.alpha, "asymptotic confidence sequence, paired"
        if not total:
            return Interval(0.0, -1.0, 1.0, confidence, method)
        value = (gained - lost) / total
        variance = (gained + lost + 2) / (total + 2) - value**2
        reach = math.sqrt(max(0.0, variance)) * self._reach(total)
        return Interval(value, max(-1.0, value - reach), min(1.0, value + reach), confidence, method)

    def _reach(self, size: int) -> float:
        doubt = -2 * math.log(self.alpha)
        rho2 = (doubt + math.log(doubt + 1)) / self.planned_size
        scaled = size * rho2 + 1
        return math.sqrt(2 * scaled / (size * size * rho2) * math.log(math.sqrt(scaled) / self.alpha))


def sample_ratio(units: Sequence[int], weights: Sequence[float]) -> float:
    """Give the p-value of units being split as the weights say: the chi-square test of sample ratio mismatch."""
    total, weight = sum(units), sum(weights)
    if not total:
        return 1.0
    return float(stats.chisquare(units, [total * share / weight for share in weights]).pvalue)
