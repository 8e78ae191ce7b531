"""Whether something grows: the slope of a series by Theil and Sen, which a few wild samples do not move. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean, median

WARM_SHARE = 1 / 3
"""The part of a series that is left out: caches fill and pools open in it."""
MOST_SAMPLES = 300


@dataclass(slots=True)
class Series:
    """Something measured again and again."""

    name: str
    unit: str
    most_growth: float
    """By how much of its mean it may grow over what is looked at."""
    floor: float
    """Growth that is less than this, in its unit, is none."""
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, time: float, value: float) -> None:
        """Take a sample, at so many seconds."""
        self.times.append(time)
        self.values.append(value)

    @property
    def growth(self) -> float:
        """By how much it grows over what is looked at, in its unit."""
        times, values = self._warm()
        return slope(times, values) * (times[-1] - times[0]) if len(times) > 1 else 0.0

    @property
    def grows(self) -> bool:
        """Whether it grows more than it may."""
        _, values = self._warm()
        return self.growth > max(self.floor, self.most_growth * fmean(values)) if values else False

    def _warm(self) -> tuple[list[float], list[float]]:
        begin = int(len(self.times) * WARM_SHARE)
        step = max(1, (len(self.times) - begin) // MOST_SAMPLES)
        return self.times[begin::step], self.values[begin::step]


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs of samples (Theil 1950, Sen 1968)."""
    points = list(zip(times, values, strict=True))
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in combinations(points, 2) if t > s]
    return median(slopes) if slopes else 0.0
