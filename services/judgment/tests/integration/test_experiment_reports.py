"""Reports of experiments: how arms differ from the control, as data and as a page, without any guardrail."""

import pytest
from judgment_rig.client import given
from judgment_rig.experiments import (
    AB,
    NAME,
    begin,
    judge_all,
    keys,
    shadow,
    two_versions,
)
from judgment_samples.elements import assert_stands_alone
from millwright.judgment.v1 import experiment_pb2
from millwright_judgment.domain.experiments import Arm, Mode, Trial
from millwright_judgment.domain.statistics import Clusters, wilson
from millwright_local.testing.refusals import refused

HIGHER, LOWER, OPEN = (
    experiment_pb2.ArmDifference.VERDICT_HIGHER,
    experiment_pb2.ArmDifference.VERDICT_LOWER,
    experiment_pb2.ArmDifference.VERDICT_OPEN,
)
SPLIT = Trial("tighter-limit", Mode.AB, (Arm("control", 1), Arm("tighter", 2)))
LOTS = [f"lot-{number}" for number in range(400)]
GOOD = given(defect_rate=0.01, temperature=20.0)
"""An input that both versions judge alike."""


@pytest.fixture
async def line(client):
    """A client whose weld line judges by version 1, and has a version 2."""
    await two_versions(client)
    return client


async def ab(client, **fields):
    """Split all units between versions 1 and 2."""
    arms = [{"name": "control", "version": 1, "weight": 1}, {"name": "tighter", "version": 2, "weight": 1}]
    return await begin(client, mode=AB, arms=arms, enrolment_bp=10_000, **fields)


async def report(client, **fields):
    """The report so far."""
    return (await client.GetExperimentReport(name=NAME, **fields)).report


def differences(found, arm="tighter"):
    """How an arm differs, by outcome."""
    (of_arm,) = [each for each in found.arms if each.arm.name == arm]
    return {each.outcome: each for each in of_arm.differences}


@pytest.mark.parametrize("start", [ab, begin], ids=["ab", "canary"])
async def test_arms_are_compared_outcome_by_outcome_without_any_guardrail(line, start):
    await start(line)
    await judge_all(line, LOTS)
    found = await report(line)
    assert not found.guardrails
    tighter = differences(found)
    assert {outcome: each.verdict for outcome, each in tighter.items()} == {
        "normal": LOWER,
        "critical": HIGHER,
        "ERROR": OPEN,
    }
    assert not differences(found, "control")
    critical = tighter["critical"]
    assert (critical.arm_rate, critical.control_rate, critical.difference.value) == (1.0, 0.0, 1.0)
    assert 0 < critical.difference.low < 1
    assert critical.arm_executions + critical.control_executions == len(LOTS)
    assert 0.95 < critical.difference.confidence < 1, "several are compared"
    assert "MULTIPLE_TESTING" in {each.code for each in found.warnings}


async def test_a_few_lots_are_no_proof_that_arms_differ_however_often_they_are_judged(line):
    await ab(line)
    few = [key for arm in ("control", "tighter") for key in keys(SPLIT, 3, arm)]
    for _ in range(60):
        await judge_all(line, few)
    critical = differences(await report(line))["critical"]
    assert (critical.arm_executions, critical.arm_rate) == (180, 1.0)
    assert critical.verdict == OPEN
    hits, sizes = [0, 0, 0, 60, 60, 60], [60] * 6
    moments = (sum(hits), sum(hits), 60 * 360, 60 * sum(hits), 60 * sum(hits))
    effect = Clusters(len(hits), sum(sizes), *moments).effect(is_paired=False)
    assert critical.difference.method == f"asymptotic confidence sequence, design effect {effect:.2g}"


async def test_in_the_shadow_the_interval_is_widened_by_how_alike_a_lots_judgments_are(line):
    await shadow(line)
    for _ in range(30):
        await judge_all(line, ["lot-1", "lot-2"])
        await judge_all(line, ["lot-3", "lot-4"], GOOD)
    (paired,) = [each.paired for each in (await report(line)).arms if each.HasField("paired")]
    assert (paired.compared, paired.changed_outcomes) == (120, 60)
    effect = Clusters(4, 120, 60, 60, 4 * 30**2, 30 * 60, 2 * 30**2).effect(is_paired=False)
    expected = wilson(60, 120, effect=effect)
    assert (paired.change_rate.low, paired.change_rate.high) == pytest.approx((expected.low, expected.high))
    assert "design effect" in paired.change_rate.method


@pytest.mark.parametrize(("language", "title"), [("", "Experiment report"), ("ko", "실험 보고서")])
async def test_the_report_is_a_page_that_stands_alone(line, language, title):
    await ab(line)
    await judge_all(line, LOTS)
    answer = await line.GetExperimentReport(name=NAME, with_html=True, language=language)
    assert {"svg", "table", "style"} <= assert_stands_alone(answer.html, language or "en")
    assert title in answer.html
    assert not (await line.GetExperimentReport(name=NAME)).html


async def test_a_language_that_is_not_spoken_is_refused(line):
    await ab(line)
    refusal = await refused(line.GetExperimentReport(name=NAME, with_html=True, language="de"))
    assert refusal.faults == [("language", "UNKNOWN_VALUE")]
