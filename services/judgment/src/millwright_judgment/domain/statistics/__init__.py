"""What counts may be said to mean: intervals, tests of paired judgments, and looking early without fooling oneself.

SciPy gives the distributions. The methods on top of them are short, and each names its source.
"""

from millwright_judgment.domain.statistics.clusters import Clusters
from millwright_judgment.domain.statistics.intervals import Interval, design_effect, wilson
from millwright_judgment.domain.statistics.paired import TestResult, mcnemar, paired_effect, sign, stuart_maxwell
from millwright_judgment.domain.statistics.segments import benjamini_hochberg, differs_from_rest
from millwright_judgment.domain.statistics.sequential import ConfidenceSequence, Counts, sample_ratio

__all__ = [
    "Clusters",
    "ConfidenceSequence",
    "Counts",
    "Interval",
    "TestResult",
    "benjamini_hochberg",
    "design_effect",
    "differs_from_rest",
    "mcnemar",
    "paired_effect",
    "sample_ratio",
    "sign",
    "stuart_maxwell",
    "wilson",
]
