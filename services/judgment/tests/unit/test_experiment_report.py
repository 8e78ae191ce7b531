"""The report of an experiment: its differences hold at every look, and its page stands alone."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from judgment_samples.elements import assert_stands_alone
from millwright_judgment.domain.arm_differences import ALPHA, Answer, compare
from millwright_judgment.domain.experiment_html.report import write_page
from millwright_judgment.domain.experiment_report import Likeness, Warned, report
from millwright_judgment.domain.experiments import (
    Arm,
    Experiment,
    ExperimentState,
    Guardrail,
    Measure,
    Mode,
    Step,
    Trial,
)
from millwright_judgment.domain.guardrails import Seen
from millwright_judgment.domain.html.words import LANGUAGES
from millwright_judgment.domain.statistics import Clusters

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ORDER = ("normal", "warning", "critical")
LEVELS = dict.fromkeys(("control", "tighter"), ORDER)
CONTROL, TIGHTER = Arm("control", 1), Arm("tighter", 2)
AB = Trial("e-1", Mode.AB, (CONTROL, TIGHTER))
INDEPENDENT = Likeness({}, {}, {})
RATES = (0.9, 0.08, 0.02)


def outcomes(counts):
    return {name: int(count) for name, count in zip(ORDER, counts, strict=True) if count}


def compared(of_arm, of_control, trial=AB, effects=()):
    """What an arm is found to be beside the control, by outcome."""
    seen = Seen({"tighter": of_arm, "control": of_control}, NOW)
    return {each.outcome: each for each in compare(trial, seen, LEVELS, dict(effects))["tighter"]}


LOTS, LOT_SIZE, LOOKS, RUNS = 400, 20, 100, 200


def runs(rates, *, is_likeness_known=True):
    """Experiments on lots, whose judgments are alike, of an arm with these rates: what is found at each look."""
    random = np.random.default_rng(17)

    def run():
        arm = random.random(LOTS) < 0.5
        # Each lot has rates of its own, around those of its arm.
        of_lots = [random.dirichlet(np.array(of_side) * 4, LOTS) for of_side in (rates, RATES)]
        hits = random.multinomial(LOT_SIZE, np.where(arm[:, None], *of_lots))
        for lots in range(LOTS // LOOKS, LOTS + 1, LOTS // LOOKS):
            of_arm, of_control = (outcomes(hits[:lots][side[:lots]].sum(axis=0)) for side in (arm, ~arm))
            effects = {("tighter", name): effect(hits[:lots, place]) for place, name in enumerate(ORDER)}
            yield compared(of_arm, of_control, effects=effects if is_likeness_known else {})

    return [list(run()) for _ in range(RUNS)]


def effect(hits):
    """The design effect of lots with these hits."""
    units, total = len(hits), int(hits.sum())
    of_units = (units, LOT_SIZE * units, total, total, LOT_SIZE**2 * units, LOT_SIZE * total, int(np.dot(hits, hits)))
    return Clusters(*of_units).effect(is_paired=False)


def share_of(found, claim):
    """The share of runs of which something can be claimed."""
    return sum(map(claim, found)) / len(found)


def is_ever_called_different(run):
    return any(each.answer is not Answer.OPEN for look in run for each in look.values())


def test_arms_that_are_alike_are_seldom_ever_called_different_however_often_one_looks():
    assert share_of(runs(RATES), is_ever_called_different) <= ALPHA


def test_without_what_is_known_of_lots_they_would_be():
    assert share_of(runs(RATES, is_likeness_known=False), is_ever_called_different) > 2 * ALPHA


def test_the_bounds_hold_the_true_differences_at_every_look_and_find_them():
    rates = (0.7, 0.2, 0.1)
    true = {**{name: rates[place] - RATES[place] for place, name in enumerate(ORDER)}, "ERROR": 0.0}

    def is_ever_missed(run):
        bounds = ((each.difference, true[each.outcome]) for look in run for each in look.values())
        return any(not bound.low <= value <= bound.high for bound, value in bounds)

    def is_found_at_last(run):
        answers = {name: each.answer for name, each in run[-1].items()}
        return (answers["normal"], answers["warning"]) == (Answer.LOWER, Answer.HIGHER)

    found = runs(rates)
    assert share_of(found, is_ever_missed) <= ALPHA
    assert share_of(found, is_found_at_last) > 0.8


def test_what_occurred_is_compared_by_severity_and_errors_are_always():
    found = compared({"critical": 60, "normal": 940}, {"normal": 990, "INDETERMINATE": 10})
    assert list(found) == ["normal", "critical", "INDETERMINATE", "ERROR"]
    assert found["critical"].answer is Answer.HIGHER
    assert found["critical"].difference.value == pytest.approx(0.06)
    assert found["normal"].answer is Answer.LOWER
    assert found["ERROR"].answer is Answer.OPEN
    assert (found["ERROR"].arm_counts.total, found["ERROR"].control_counts.total) == (1000, 1000)


def test_more_that_is_compared_widens_all_bounds():
    def width(trial, levels=LEVELS):
        counts = {"critical": 20, "normal": 980}
        seen = Seen(dict.fromkeys(("tighter", "control", "third"), counts), NOW)
        difference = compare(trial, seen, levels, {})["tighter"][0].difference
        return difference.high - difference.low

    third = replace(AB, arms=(CONTROL, TIGHTER, Arm("third", 3)))
    steps = replace(AB, mode=Mode.CANARY, steps=(Step(500), Step(5000)))
    assert width(AB) < width(third, {**LEVELS, "third": ORDER})
    assert width(AB) < width(steps)
    assert width(AB) < width(AB, {**LEVELS, "tighter": (*ORDER, "fatal")})


def experiment(trial=AB, **more):
    return Experiment(
        trial, "line.weld", "prod", 10_000, 0, ExperimentState.RUNNING, "", "kim", 1, NOW, step_time=NOW, **more
    )


SPLIT = {0: {"control": 500, "tighter": 500}}
COUNTS = {"tighter": {"critical": 60, "normal": 940}, "control": {"normal": 990, "warning": 10}}


def reported(trial=AB, counts=COUNTS, units=SPLIT, likeness=INDEPENDENT, pairs=None):
    seen = Seen(counts, NOW, pairs or {})
    return report(experiment(trial), counts, seen, units, LEVELS, likeness)


def test_differences_are_of_the_arms_on_trial_and_warned_of():
    control, tighter = (found := reported()).arms
    assert not control.differences
    assert [each.outcome for each in tighter.differences] == ["normal", "warning", "critical", "ERROR"]
    assert Warned.MULTIPLE_TESTING in found.warnings
    few = reported(counts={"tighter": {"normal": 99}, "control": {"normal": 500}})
    assert Warned.SMALL_SAMPLE in few.warnings
    assert Warned.SMALL_SAMPLE not in found.warnings


@pytest.mark.parametrize("more", [{"units": {0: {"control": 900, "tighter": 500}}}, {"likeness": None}])
def test_differences_are_withheld_with_the_guardrails(more):
    found = reported(**more)
    assert not any(arm.differences for arm in found.arms)
    assert Warned.MULTIPLE_TESTING not in found.warnings


SHADOW = replace(AB, mode=Mode.SHADOW)
PAIRS = {"tighter": {("normal", "normal"): 900, ("normal", "critical"): 90, ("warning", "ERROR"): 10}}


def test_in_the_shadow_the_interval_is_widened_by_how_alike_a_units_judgments_are():
    (_, alone), (_, alike) = (
        reported(SHADOW, likeness=Likeness({}, {}, changes), pairs=PAIRS).arms for changes in ({}, {"tighter": 20.0})
    )
    assert not alike.differences
    assert alike.paired.change_rate.value == alone.paired.change_rate.value == pytest.approx(0.1)
    assert alike.paired.change_rate.low < alone.paired.change_rate.low
    assert alike.paired.change_rate.method == "wilson, design effect 20"


CRITICAL = Guardrail(Measure.TOP_OUTCOME_RATE, max_increase=0.02)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "trial",
    [
        replace(AB, guardrails=(CRITICAL,)),
        replace(AB, mode=Mode.CANARY, steps=(Step(500), Step(5000))),
        replace(SHADOW, guardrails=(replace(CRITICAL, max_decrease=0.01),)),
    ],
    ids=lambda it: it.mode.value,
)
def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(trial, language):
    units = {0: {"control": 950, "tighter": 50}} if trial.mode is Mode.CANARY else SPLIT
    written = write_page(experiment(trial), reported(trial, units=units, pairs=PAIRS), LEVELS, language)
    assert {"svg", "table", "style"} <= assert_stands_alone(written, language)
    assert ("실험 보고서" in written) is (language == "ko")
    assert "6.0 %" in written


def test_the_page_says_whether_each_share_differs():
    written = write_page(experiment(), reported(), LEVELS, "en")
    assert 'critical <b class="higher">higher</b>' in written
    assert 'normal <b class="lower">lower</b>' in written
    assert 'ERROR <b class="open">open</b>' in written
    assert "+6.00 pp" in written
    assert "<small>tighter 6.0 % (n = 1,000) </small><small>control 0 % (n = 1,000) </small>" in written
    withheld = reported(trial := replace(AB, guardrails=(CRITICAL,)), likeness=None)
    assert "Withheld." in write_page(experiment(trial), withheld, LEVELS, "en")


def test_what_callers_named_is_text_on_the_page():
    hostile = '<script>alert("L1")</script>'
    ended = replace(experiment(), end_reason=hostile, state=ExperimentState.STOPPED, end_time=NOW)
    written = write_page(ended, reported(), LEVELS, "en")
    assert hostile not in written
    assert "&lt;script&gt;" in written
