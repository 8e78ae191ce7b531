"""Lots at random, as a replay counts them: what changes in one resembles itself, and no line differs from another."""

import numpy as np
from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.replays.tally import CLUSTERS, SEGMENT_CLUSTERS, SegmentTally, TargetTally

SIZE = 50
"""How many judgments a lot has."""


def tally_of_lots(random, lots, share, alike, lines):
    """Give what is counted of lots in which about `share` change, all of a lot in one direction.

    `alike` is the intraclass correlation: the design effect is 1 + (SIZE - 1) * alike. Of the lines, each has as many
    lots, and none is any different.
    """
    groups = random.permutation(CLUSTERS)[:lots]
    shares = random.beta(share * (1 / alike - 1), (1 - share) * (1 / alike - 1), lots)
    changed, is_up = random.binomial(SIZE, shares), random.random(lots) < 0.5
    is_moved = (np.arange(SIZE) < changed[:, None]).ravel()
    steps = np.repeat(np.where(is_up, 1, -1), SIZE) * is_moved
    up, down, total = int(changed[is_up].sum()), int(changed[~is_up].sum()), lots * SIZE
    tally = TargetTally()
    tally.count_units(np.repeat(groups, SIZE), np.ones(total, dtype=bool), is_moved, steps)
    tally.changes.update({Change.OUTCOME: up + down, Change.NONE: total - up - down})
    tally.transitions.update(
        {("warning", "critical"): up, ("critical", "warning"): down, ("normal", "normal"): total - up - down}
    )
    more = np.zeros(CLUSTERS, dtype=np.int64)
    more[groups] = np.where(is_up, changed, -changed)
    tally.count_margin("critical", more)
    tally.count_margin("warning", -more)
    for line in range(lines):
        found, of_line = SegmentTally(), slice(line, None, lines)
        counts = np.column_stack([changed[of_line], np.full_like(changed[of_line], SIZE)])
        np.add.at(found.clusters, groups[of_line] % SEGMENT_CLUSTERS, counts)
        tally.count_segment("line", f"L{line}", found)
    return tally
