"""Who gets which arm, and what guardrails say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_judgment.domain.experiments import (
    Arm,
    Experiment,
    ExperimentState,
    Guardrail,
    Measure,
    Mode,
    Step,
    Trial,
    assign,
    faults,
    may_step,
    unit_hash,
)
from millwright_judgment.domain.guardrails import Seen, Verdict, look, severest

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LEVELS = dict.fromkeys(("control", "tighter"), ("normal", "warning", "critical"))
CONTROL, TRIED = Arm("control", 1), Arm("tighter", 2)
AB = Trial("e-1", Mode.AB, (CONTROL, TRIED))
CANARY = Trial("e-2", Mode.CANARY, (CONTROL, TRIED), steps=(Step(500, timedelta(hours=1), 50), Step(2500), Step(10000)))
KEYS = [f"lot-{number}" for number in range(20_000)]


def shares(trial, enrolment_bp, step=0):
    """The share of keys that each arm gets."""
    found = [assign(trial, enrolment_bp, step, key) for key in KEYS]
    return {arm.name: sum(1 for it in found if it and it.arm == arm) / len(KEYS) for arm in trial.arms}


@given(st.text())
def test_the_same_unit_gets_the_same_arm(key):
    assert assign(AB, 10_000, 0, key) == assign(AB, 10_000, 0, key)


def test_arms_get_their_shares():
    assert shares(AB, 10_000) == pytest.approx({"control": 0.5, "tighter": 0.5}, abs=0.02)
    uneven = replace(AB, arms=(Arm("control", 1, 3), TRIED))
    assert shares(uneven, 10_000) == pytest.approx({"control": 0.75, "tighter": 0.25}, abs=0.02)


def test_those_enrolled_first_are_split_like_all_others():
    assert shares(AB, 1000) == pytest.approx({"control": 0.05, "tighter": 0.05}, abs=0.01)


def test_a_wider_enrolment_moves_nobody():
    before = {key: assign(AB, 1000, 0, key) for key in KEYS}
    assert all(assign(AB, 2000, 0, key) == arm for key, arm in before.items() if arm)


def test_a_growing_canary_keeps_every_unit_it_has():
    first = {key for key in KEYS if assign(CANARY, 0, 0, key).arm == TRIED}
    second = {key for key in KEYS if assign(CANARY, 0, 1, key).arm == TRIED}
    assert first < second
    assert shares(CANARY, 0, 2)["tighter"] == 1.0


def test_another_experiment_splits_otherwise():
    other = replace(AB, experiment="e-9")
    same = sum(assign(AB, 10_000, 0, key) == assign(other, 10_000, 0, key) for key in KEYS)
    assert same / len(KEYS) == pytest.approx(0.5, abs=0.02)


def test_in_the_shadow_all_is_judged_by_the_control():
    found = assign(Trial("e-3", Mode.SHADOW, (CONTROL, TRIED)), 10_000, 0, "lot-1")
    assert (found.arm, found.shadows) == (CONTROL, (TRIED,))


def test_units_are_told_apart_by_what_a_bigint_holds():
    assert len({unit_hash("e-1", key) for key in KEYS}) == len(KEYS)
    assert all(-(2**63) <= unit_hash("e-1", key) < 2**63 for key in KEYS[:100])


def verdict(guardrail, of_arm, of_control):
    """What one guardrail says."""
    seen = Seen({"tighter": of_arm, "control": of_control}, NOW)
    (result,) = look(replace(AB, guardrails=(guardrail,)), seen, LEVELS)
    return result.verdict


MORE_CRITICAL = Guardrail(Measure.TOP_OUTCOME_RATE, max_increase=0.02)


def test_a_guardrail_breaks_once_it_is_sure():
    assert verdict(MORE_CRITICAL, {"critical": 100, "normal": 900}, {"critical": 10, "normal": 990}) is Verdict.BROKEN


def test_a_guardrail_is_open_while_little_is_known():
    assert verdict(MORE_CRITICAL, {"critical": 2, "normal": 8}, {"critical": 0, "normal": 10}) is Verdict.OPEN
    assert verdict(MORE_CRITICAL, {}, {"normal": 10}) is Verdict.OPEN


def test_a_guardrail_holds_once_it_is_sure():
    same = {"critical": 100, "normal": 99_900}
    assert verdict(MORE_CRITICAL, same, same) is Verdict.HOLDS


@pytest.mark.parametrize(
    ("measure", "outcome"),
    [
        (Measure.ERROR_RATE, "ERROR"),
        (Measure.INDETERMINATE_RATE, "INDETERMINATE"),
        (Measure.NO_MATCH_RATE, "NO_MATCH"),
        (Measure.TOP_OUTCOME_RATE, "critical"),
    ],
)
def test_each_measure_counts_its_own(measure, outcome):
    guardrail = Guardrail(measure, max_increase=0.05)
    assert verdict(guardrail, {outcome: 300, "normal": 700}, {"normal": 1000}) is Verdict.BROKEN
    assert verdict(guardrail, {"warning": 300, "normal": 700}, {"normal": 1000}) is not Verdict.BROKEN


def test_a_share_may_fall_too_far():
    fewer = Guardrail(Measure.OUTCOME_RATE, "warning", max_increase=1.0, max_decrease=0.05)
    assert verdict(fewer, {"normal": 1000}, {"warning": 300, "normal": 700}) is Verdict.BROKEN
    any_fewer = replace(fewer, max_decrease=None)
    assert verdict(any_fewer, {"normal": 1000}, {"warning": 300, "normal": 700}) is not Verdict.BROKEN


def width(trial):
    """How wide the bounds of the first guardrail are."""
    seen = Seen({"tighter": {"critical": 20, "normal": 980}, "control": {"critical": 10, "normal": 990}}, NOW)
    difference = look(trial, seen, LEVELS)[0].difference
    return difference.high - difference.low


def test_guardrails_and_steps_share_what_a_false_alarm_may_cost():
    one, four = (replace(AB, guardrails=(MORE_CRITICAL,) * count) for count in (1, 4))
    assert width(four) > width(one)
    assert width(replace(CANARY, guardrails=(MORE_CRITICAL,))) > width(one)


SHADOW = Trial("e-3", Mode.SHADOW, (CONTROL, TRIED), (MORE_CRITICAL,))


def shadowed(pairs):
    """What the guardrail says of an arm in the shadow."""
    outcomes = {"control": {}, "tighter": {}}
    for (before, after), count in pairs.items():
        for arm, outcome in (("control", before), ("tighter", after)):
            outcomes[arm][outcome] = outcomes[arm].get(outcome, 0) + count
    (result,) = look(SHADOW, Seen(outcomes, NOW, {"tighter": pairs}), LEVELS)
    return result


def test_in_the_shadow_a_guardrail_looks_at_pairs():
    same = shadowed({("critical", "critical"): 300, ("normal", "normal"): 700})
    assert same.difference.value == 0
    assert (same.arm_counts.hits, same.control_counts.total) == (300, 1000)
    more = shadowed({("critical", "critical"): 300, ("normal", "critical"): 60, ("normal", "normal"): 640})
    assert (more.verdict, more.difference.value) == (Verdict.BROKEN, pytest.approx(0.06))
    assert shadowed({}).verdict is Verdict.OPEN


def test_pairs_tell_more_than_the_same_shares_apart():
    pairs = {("critical", "critical"): 300, ("normal", "critical"): 60, ("normal", "normal"): 640}
    paired = shadowed(pairs).difference
    apart = look(replace(AB, guardrails=(MORE_CRITICAL,)), Seen(_outcomes(pairs), NOW), LEVELS)[0].difference
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < apart.high - apart.low


def _outcomes(pairs):
    return {
        "control": {"critical": 300, "normal": 700},
        "tighter": {"critical": pairs["critical", "critical"] + pairs["normal", "critical"], "normal": 640},
    }


def test_an_outcome_above_the_most_severe_one_counts_as_such():
    assert severest(("normal", "critical", "fatal"), ("normal", "critical")) == {"critical", "fatal"}
    assert severest(("ok", "bad"), ("normal", "critical")) == {"bad"}


def at_step(step):
    """The canary at a step that it came to at NOW."""
    return Experiment(
        CANARY, "line.weld", "prod", 10_000, step, ExperimentState.RUNNING, "", "kim", 1, NOW, step_time=NOW
    )


def test_a_step_is_over_after_its_time_and_sample():
    enough = {"tighter": {"normal": 50}}
    over = NOW + timedelta(hours=1)
    assert may_step(at_step(0), enough, over)
    assert not may_step(at_step(0), enough, over - timedelta(seconds=1))
    assert not may_step(at_step(0), {"tighter": {"normal": 49}}, over)
    assert not may_step(at_step(2), {"tighter": {"normal": 10**6}}, over)


def test_an_experiment_that_can_be_has_no_faults():
    assert faults(AB, 5000) == []
    assert faults(CANARY, 10_000) == []


@pytest.mark.parametrize(
    ("trial", "enrolment_bp", "field"),
    [
        (replace(AB, arms=(CONTROL,)), 1, "experiment.arms"),
        (replace(AB, arms=(CONTROL, replace(TRIED, name="control"))), 1, "experiment.arms"),
        (replace(AB, arms=(CONTROL, replace(TRIED, weight=0))), 1, "experiment.arms"),
        (replace(AB, arms=(CONTROL, TRIED, replace(TRIED, name="twin"))), 1, "experiment.arms"),
        (replace(AB, arms=(CONTROL, replace(TRIED, name="Tighter"))), 1, "experiment.arms"),
        (replace(CANARY, arms=(CONTROL, TRIED, Arm("third", 3))), 10_000, "experiment.arms"),
        (AB, 0, "experiment.enrolment_bp"),
        (AB, 10_001, "experiment.enrolment_bp"),
        (replace(AB, steps=(Step(1),)), 1, "experiment.steps"),
        (replace(CANARY, steps=()), 10_000, "experiment.steps"),
        (replace(CANARY, steps=(Step(500), Step(500))), 10_000, "experiment.steps"),
        (replace(CANARY, steps=(Step(1, timedelta(days=-1)),)), 10_000, "experiment.steps[0].min_duration"),
        (replace(CANARY, steps=(Step(1, timedelta(0), -1),)), 10_000, "experiment.steps[0].min_executions"),
        (replace(AB, guardrails=(MORE_CRITICAL,) * 9), 1, "experiment.guardrails"),
        (replace(AB, guardrails=(replace(MORE_CRITICAL, max_increase=2.0),)), 1, "experiment.guardrails[0]"),
        (replace(AB, guardrails=(replace(MORE_CRITICAL, alpha=0.9),)), 1, "experiment.guardrails[0].alpha"),
        (replace(AB, guardrails=(replace(MORE_CRITICAL, outcome="x"),)), 1, "experiment.guardrails[0].outcome"),
    ],
)
def test_each_fault_is_named_by_its_place(trial, enrolment_bp, field):
    assert field in {fault.field for fault in faults(trial, enrolment_bp)}
