"""Intervals of shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with its bounds."""

    value: float
    low: float
    high: float
    confidence: float
    method: str


def wilson(successes: int, total: int, confidence: float = 0.95, effect: float = 1.0) -> Interval:
    """Give a share with Wilson's score interval (Wilson 1927); of nothing, anything from 0 to 1.

    `effect` is the design effect of `design_effect`: clustered data count as `total / effect` independent ones.
    """
    method = "wilson" if effect == 1.0 else f"wilson, design effect {effect:.2g}"
    if total == 0:
        return Interval(0.0, 0.0, 1.0, confidence, method)
    share, count = successes / total, total / effect
    z = float(stats.norm.ppf((1 + confidence) / 2))
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    high = 1.0 if successes == total else min(1.0, centre + reach)
    return Interval(share, low, high, confidence, method)


def design_effect(clusters: Sequence[tuple[int, int]]) -> float:
    """Give how much less clustered judgments tell than independent ones would: at least 1 (Kish 1965).

    `clusters` are successes and total of each unit, such as a lot. The variance of the share over units, as a ratio
    estimator has it, is divided by the variance that independent judgments would have. 1 with fewer than two units.
    """
    count, total = len(clusters), sum(size for _, size in clusters)
    share = sum(successes for successes, _ in clusters) / total if total else 0.0
    independent = share * (1 - share) / total if total else 0.0
    if count < 2 or independent == 0.0:
        return 1.0
    spread = sum((successes - share * size) ** 2 for successes, size in clusters)
    return max(1.0, count / (count - 1) * spread / total**2 / independent)
