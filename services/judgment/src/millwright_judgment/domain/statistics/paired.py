"""Tests of paired judgments: the same inputs judged before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, slots=True)
class TestResult:
    """What a test says."""

    __test__ = False  # it is no test of pytest's

    name: str
    statistic: float
    """0 where the test has none."""
    p_value: float


def mcnemar(gained: int, lost: int) -> TestResult:
    """Test whether as many gained a property as lost it: exact (McNemar 1947, binomial form)."""
    return TestResult("mcnemar-exact", float(min(gained, lost)), _binomial(gained, lost))


def sign(up: int, down: int) -> TestResult:
    """Test whether as many went up as down: the exact sign test."""
    return TestResult("sign", float(min(up, down)), _binomial(up, down))


def stuart_maxwell(matrix: Sequence[Sequence[int]]) -> TestResult | None:
    """Test whether the outcomes are as frequent after as before (Stuart 1955, Maxwell 1970); None if nothing moved.

    `matrix[i][j]` counts what went from outcome i to outcome j. Outcomes that nothing moves from or to are left out.
    """
    table = np.asarray(matrix, dtype=float)
    moved = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table) > 0
    table = table[np.ix_(moved, moved)]
    if len(table) < 2:
        return None
    difference = (table.sum(axis=1) - table.sum(axis=0))[:-1]
    spread = -(table + table.T)
    np.fill_diagonal(spread, table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table))
    statistic = float(difference @ np.linalg.pinv(spread[:-1, :-1]) @ difference)
    return TestResult("stuart-maxwell", statistic, float(stats.chi2.sf(statistic, len(table) - 1)))


def _binomial(first: int, second: int) -> float:
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0
