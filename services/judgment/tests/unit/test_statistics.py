"""Intervals and tests, held to published figures, to SciPy's own, and to what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_judgment.domain.statistics import (
    Clusters,
    ConfidenceSequence,
    Counts,
    benjamini_hochberg,
    design_effect,
    differs_from_rest,
    mcnemar,
    paired_effect,
    sample_ratio,
    sign,
    stuart_maxwell,
    wilson,
)
from scipy import stats

totals = st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(totals, st.sampled_from([0.9, 0.95, 0.99]))
def test_an_interval_is_that_of_scipy(counts, confidence):
    ours = wilson(*counts, confidence)
    theirs = stats.binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


def test_nothing_of_three_hundred_may_be_more_than_one_percent():
    assert wilson(0, 300).low == 0.0
    assert wilson(0, 300).high == pytest.approx(0.0126, abs=1e-4)


def test_nothing_at_all_may_be_anything():
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_clustered_data_tell_less():
    alone, clustered = wilson(50, 1000), wilson(50, 1000, effect=4.0)
    assert clustered.low < alone.low < alone.high < clustered.high
    assert clustered.method == "wilson, design effect 4"


def test_lots_that_are_all_or_nothing_count_as_one_judgment_each():
    lots = [(10, 10) if number % 5 == 0 else (0, 10) for number in range(100)]
    assert design_effect(lots) == pytest.approx(10, rel=0.05)


def test_lots_of_independent_judgments_cost_nothing():
    drawn = np.random.default_rng(7).binomial(20, 0.1, 2000)
    assert design_effect([(int(hits), 20) for hits in drawn]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("clusters", [[], [(3, 10)], [(0, 10), (0, 10)], [(10, 10), (10, 10)]])
def test_a_design_effect_that_cannot_be_told_is_one(clusters):
    assert design_effect(clusters) == 1.0


def test_mcnemar_is_the_binomial_test_of_the_pairs_that_moved():
    assert mcnemar(25, 10).p_value == pytest.approx(stats.binomtest(10, 35).pvalue)
    assert mcnemar(0, 0).p_value == 1.0
    assert sign(8, 0).p_value == pytest.approx(2 / 2**8)


def test_stuart_maxwell_gives_the_published_figure():
    """Two readers of 7,477 women's eyes (Stuart 1955): 11.96 at 3 degrees of freedom."""
    vision = [[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]]
    result = stuart_maxwell(vision)
    assert result is not None
    assert result.statistic == pytest.approx(11.96, abs=0.01)
    assert result.p_value == pytest.approx(0.0075, abs=1e-4)


def test_of_two_outcomes_it_is_mcnemar_without_correction():
    result = stuart_maxwell([[50, 15], [5, 30]])
    assert result is not None
    assert result.statistic == pytest.approx((15 - 5) ** 2 / (15 + 5))


def test_outcomes_that_nothing_moves_from_or_to_change_nothing():
    padded = stuart_maxwell([[50, 0, 15], [0, 9, 0], [5, 0, 30]])
    assert padded == stuart_maxwell([[50, 15], [5, 30]])
    assert stuart_maxwell([[5, 0], [0, 7]]) is None


def test_many_segments_make_each_less_surprising():
    assert benjamini_hochberg([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04] * 4)
    assert benjamini_hochberg([]) == []


def test_a_segment_is_compared_with_the_rest_alone():
    assert differs_from_rest((30, 100), (60, 1000)) < 1e-6
    assert differs_from_rest((5, 100), (50, 1000)) > 0.5
    assert differs_from_rest((5, 100), (5, 100)) == 1.0
    assert differs_from_rest((0, 100), (0, 1000)) == 1.0


def test_a_segment_of_lots_counts_as_fewer_judgments():
    """As many as there are lots, where each is all or nothing (Rao and Scott 1992)."""
    assert differs_from_rest((300, 1000), (600, 10_000), (10.0, 10.0)) == pytest.approx(
        differs_from_rest((30, 100), (60, 1000))
    )


def test_pairs_of_lots_that_all_go_one_way_count_as_the_lots_do():
    lots = np.array([50] * 9 + [-50])
    effect = paired_effect(lots, 500)
    assert effect == pytest.approx(50 * 10 / 9)
    tested = mcnemar(450, 50, effect)
    assert (tested.effect, tested.p_value) == (effect, pytest.approx(mcnemar(9, 1).p_value, abs=0.02))
    assert sign(450, 50, effect).p_value == tested.p_value
    assert paired_effect(lots[:1], 50) == paired_effect(np.zeros(5, dtype=int), 0) == 1.0


def test_stuart_maxwell_of_two_outcomes_is_corrected_as_mcnemar_is():
    """Of two outcomes, the generalised design effect (Rao and Scott 1981) is that of the pairs."""
    lots = np.array([10, -4, 8, 6, 0, -2, 5, 7])
    more, less = int(lots[lots > 0].sum()), int(-lots[lots < 0].sum())
    result = stuart_maxwell([[100, more], [less, 100]], np.column_stack([-lots, lots]))
    effect = paired_effect(lots, more + less)
    assert result.effect == pytest.approx(effect)
    assert result.statistic == pytest.approx((more - less) ** 2 / (more + less) / effect)


def test_a_confidence_sequence_follows_the_published_formula():
    """Equation 9 of Waudby-Smith et al., written out once more; the variance is at least that of both together."""
    a = 0.05
    size, rho2 = 20_000, (-2 * math.log(a) + math.log(-2 * math.log(a) + 1)) / 5_000
    expected = math.sqrt(2 * (size * rho2 + 1) / (size**2 * rho2) * math.log(math.sqrt(size * rho2 + 1) / a))
    found = ConfidenceSequence(a).difference(Counts(600, 10_000), Counts(500, 10_000))
    shares = [(600 + 1) / 10_002, (1100 + 1) / 20_002]
    error = sum(share * (1 - share) / 10_000 for share in shares)
    assert found.high - found.value == pytest.approx(math.sqrt(size * error) * expected)


def test_looking_a_hundred_times_seldom_raises_a_false_alarm():
    random, alarms = np.random.default_rng(11), 0
    for _ in range(300):
        looks = random.binomial(200, 0.06, (2, 100)).cumsum(axis=1)
        sequence = ConfidenceSequence(0.05)
        intervals = (
            sequence.difference(Counts(int(a), 200 * look), Counts(int(b), 200 * look))
            for look, (a, b) in enumerate(looks.T, 1)
        )
        alarms += any(interval.low > 0 or interval.high < 0 for interval in intervals)
    assert alarms / 300 < 0.05


LOOKS = [*range(40), *range(59, 4000, 20)]
"""After how many judgments, less one, one looks: at first after each."""


def false_alarms(bounds, runs=300):
    """The shares of runs in which a difference of nothing was ever called surely higher, and surely lower."""
    found = [list(bounds()) for _ in range(runs)]
    higher = sum(any(low > 0 for low, _ in run) for run in found)
    lower = sum(any(high < 0 for _, high in run) for run in found)
    return higher / runs, lower / runs


@pytest.mark.parametrize(("share", "rate"), [(0.05, 0.05), (0.1, 0.01), (0.5, 0.3)])
def test_a_small_arm_whose_hits_are_still_to_come_is_not_surely_lower(share, rate):
    """Nor higher: a canary is looked at from its first judgment on."""
    random, sequence = np.random.default_rng(5), ConfidenceSequence(0.01)

    def bounds():
        arm, hit = random.random(4000) < share, random.random(4000) < rate
        counts = np.cumsum([arm & hit, arm, ~arm & hit, ~arm], axis=1)[:, LOOKS]
        for of_arm, arm_total, of_control, control_total in counts.T.tolist():
            found = sequence.difference(Counts(of_arm, arm_total), Counts(of_control, control_total))
            yield found.low, found.high

    assert max(false_alarms(bounds)) <= 0.01


@pytest.mark.parametrize("moved", [0.01, 0.3])
def test_looking_at_pairs_from_the_first_one_on_seldom_raises_a_false_alarm(moved):
    random, sequence = np.random.default_rng(7), ConfidenceSequence(0.01)

    def bounds():
        drawn = random.random(4000)
        counts = np.cumsum([drawn < moved / 2, (drawn >= moved / 2) & (drawn < moved)], axis=1)[:, LOOKS]
        for place, (gained, lost) in zip(LOOKS, counts.T.tolist(), strict=True):
            found = sequence.paired(gained, lost, place + 1)
            yield found.low, found.high

    assert max(false_alarms(bounds)) <= 0.01


def clusters(hits, sizes):
    """The sums over units with these hits and sizes."""
    return Clusters(
        len(sizes), sum(sizes), sum(hits), sum(hits), np.dot(sizes, sizes), np.dot(hits, sizes), np.dot(hits, hits)
    )


def test_units_that_are_all_or_nothing_count_as_one_judgment_each():
    lots = clusters([50, 0, 0, 50, 0, 0, 0, 0, 50, 0], [50] * 10)
    assert lots.effect(is_paired=False) == pytest.approx(50 * 10 / 9)
    pairs = Clusters(10, 500, 0, 100, 25_000, 0, 2 * 50**2)
    assert pairs.effect(is_paired=True) == pytest.approx(50 * 10 / 9)


def test_units_whose_judgments_are_independent_cost_nothing():
    hits = np.random.default_rng(3).binomial(50, 0.1, 400)
    assert clusters(hits, [50] * 400).effect(is_paired=False) == pytest.approx(1.0, abs=0.2)
    assert clusters([1, 0, 1], [1, 1, 1]).effect(is_paired=False) == 1.0


def test_one_unit_is_one_judgment():
    assert clusters([7], [50]).effect(is_paired=False) == 50
    assert clusters([0, 0], [50, 50]).effect(is_paired=False) == 1.0


def test_lots_whose_judgments_are_alike_raise_no_false_alarms():
    """Without the design effect, more than half of the runs would."""
    random, sequence = np.random.default_rng(9), ConfidenceSequence(0.01)

    def bounds():
        arm, hits = random.random(100) < 0.5, 50 * (random.random(100) < 0.1)
        for lots in range(2, 101):
            counts = [
                Counts(int(hits[:lots][of_arm].sum()), 50 * int(of_arm.sum())) for of_arm in (arm[:lots], ~arm[:lots])
            ]
            effect = clusters(hits[:lots], np.full(lots, 50)).effect(is_paired=False)
            found = sequence.difference(*counts, effect)
            yield found.low, found.high

    assert max(false_alarms(bounds, runs=100)) <= 0.01


def test_an_arm_that_has_nothing_may_be_anything():
    found = ConfidenceSequence(0.01).difference(Counts(0, 0), Counts(5, 100))
    assert (found.low, found.high) == (-1.0, 1.0)


def test_a_split_that_is_not_as_planned_is_seen():
    assert sample_ratio([5000, 5100], [1, 1]) > 0.1
    assert sample_ratio([5000, 5600], [1, 1]) < 0.001
    assert sample_ratio([9000, 1000], [90, 10]) == pytest.approx(1.0)
    assert sample_ratio([0, 0], [1, 1]) == 1.0
