"""Tests of paired judgments: the same inputs judged before and after.

Pairs of one lot resemble one another. Each test takes the design effect of what it counts and divides its statistic by
it: the first-order correction of Rao and Scott (1981, 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test says."""

    __test__ = False  # it is no test of pytest's

    name: str
    statistic: float
    """0 where the test has none."""
    p_value: float
    effect: float = 1.0
    """The design effect that the statistic was divided by."""


def paired_effect(sums: NDArray[np.int64], moved: int) -> float:
    """Give the design effect of pairs, at least 1, centred on no difference; 1 with fewer than two units.

    `sums` are of each unit, such as a lot, how many more went one way than the other; `moved` is how many went at all.
    """
    units = len(sums)
    if units < 2 or not moved:
        return 1.0
    return max(1.0, units / (units - 1) * float((sums.astype(float) ** 2).sum()) / moved)


def mcnemar(gained: int, lost: int, effect: float = 1.0) -> TestResult:
    """Test whether as many gained a property as lost it: exact (McNemar 1947, binomial form)."""
    return _binomial("mcnemar-exact", gained / effect, lost / effect, effect)


def sign(up: int, down: int, effect: float = 1.0) -> TestResult:
    """Test whether as many went up as down: the exact sign test."""
    return _binomial("sign", up / effect, down / effect, effect)


def stuart_maxwell(matrix: Sequence[Sequence[int]], margins: NDArray[np.int64] | None = None) -> TestResult | None:
    """Test whether the outcomes are as frequent after as before (Stuart 1955, Maxwell 1970); None if nothing moved.

    `matrix[i][j]` counts what went from outcome i to outcome j. Outcomes that nothing moves from or to are left out.
    `margins[u][i]` is how many more of unit u have outcome i after than before: the design effect is the mean of the
    generalised ones, the trace of what the differences vary by over units in terms of what independent pairs would.
    """
    table = np.asarray(matrix, dtype=float)
    moved = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table) > 0
    table = table[np.ix_(moved, moved)]
    if len(table) < 2:
        return None
    difference = (table.sum(axis=1) - table.sum(axis=0))[:-1]
    spread = -(table + table.T)
    np.fill_diagonal(spread, table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table))
    inverse, freedom = np.linalg.pinv(spread[:-1, :-1]), len(table) - 1
    effect = 1.0
    if margins is not None and (units := len(margins)) > 1:
        differences = margins[:, moved][:, :-1].astype(float)
        among_units = units / (units - 1) * differences.T @ differences
        effect = max(1.0, float(np.trace(inverse @ among_units)) / freedom)
    statistic = float(difference @ inverse @ difference) / effect
    return TestResult("stuart-maxwell", statistic, float(stats.chi2.sf(statistic, freedom)), effect)


def _binomial(name: str, first: float, second: float, effect: float) -> TestResult:
    """Test two counts against one half, both sides. They need not be whole: the beta integral goes on between."""
    fewer, count = min(first, second), first + second
    p_value = min(1.0, 2 * float(special.betainc(count - fewer, fewer + 1, 0.5))) if count else 1.0
    return TestResult(name, fewer, p_value, effect)
