"""Whether segments differ, when many are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def differs_from_rest(successes: int, total: int, all_successes: int, all_total: int) -> float:
    """Give the p-value of a segment's share differing from that of the rest: Fisher's exact test."""
    others, other_total = all_successes - successes, all_total - total
    if not total or not other_total:
        return 1.0
    table = [[successes, total - successes], [others, other_total - others]]
    if min(sum(column) for column in zip(*table, strict=True)) == 0:
        return 1.0
    if all_total > 10_000:  # where the exact test gets slow, and the approximation is good
        return float(stats.chi2_contingency(table, correction=False).pvalue)
    return float(stats.fisher_exact(table).pvalue)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Give p-values that keep the false discovery rate (Benjamini and Hochberg 1995), in the same order."""
    if not p_values:
        return []
    return [float(value) for value in stats.false_discovery_control(np.asarray(p_values), method="bh")]
