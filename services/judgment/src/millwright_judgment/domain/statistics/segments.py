"""Whether segments differ, when many are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def differs_from_rest(
    counts: tuple[int, int], all_counts: tuple[int, int], effects: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Give the p-value of a segment's share differing from that of the rest: Fisher's exact test.

    `counts` are successes and total. `effects` are the design effects of the segment and of the rest: both count as
    `total / effect` independent judgments (Rao and Scott 1992).
    """
    (successes, total), (all_successes, all_total) = counts, all_counts
    others, other_total = all_successes - successes, all_total - total
    if not total or not other_total:
        return 1.0
    table = np.array([[successes, total - successes], [others, other_total - others]]) / np.reshape(effects, (2, 1))
    if not table.sum(axis=0).all():
        return 1.0
    if table.sum() > 10_000:  # where the exact test gets slow, and the approximation is good
        return float(stats.chi2_contingency(table, correction=False).pvalue)
    return float(stats.fisher_exact(np.rint(table).astype(int)).pvalue)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Give p-values that keep the false discovery rate (Benjamini and Hochberg 1995), in the same order."""
    if not p_values:
        return []
    return [float(value) for value in stats.false_discovery_control(np.asarray(p_values), method="bh")]
