"""Guardrails: what breaks one brings the ruleset back by itself, once, with its evidence; what holds steps on."""

import asyncio
import json
from datetime import timedelta

import pytest
from judgment_rig.client import PROD, RULESET, given, version
from judgment_rig.experiments import (
    AB,
    COLD,
    MORE_CRITICAL,
    NAME,
    Experiment,
    Guardrail,
    GuardrailResult,
    begin,
    judge_all,
    keys,
    shadow,
    step,
    tighter,
    two_versions,
)
from millwright.judgment.v1 import release_pb2, ruleset_pb2
from millwright_judgment.app import SCHEMA, SERVICE
from millwright_judgment.domain.experiments import Arm, Mode, Step, Trial
from millwright_judgment.engine.experiments import Experiments
from millwright_judgment.engine.versions import Versions
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.events.log import EventLog
from millwright_runtime.service import running

Operation = release_pb2.Release
BAD, PUBLISHED = ruleset_pb2.Version.STATE_BAD, ruleset_pb2.Version.STATE_PUBLISHED
HALF = Trial("tighter-limit", Mode.CANARY, (Arm("control", 1), Arm("tighter", 2)), steps=(Step(5000),))
LOTS = [f"lot-{number}" for number in range(400)]
ENOUGH = 150
"""So many judgments of each arm that an arm which is always critical breaks its guardrail."""


@pytest.fixture
async def line(client):
    """A client whose weld line judges by version 1, and has a version 2."""
    await two_versions(client)
    return client


async def next_release(client, begun):
    """Wait for the row of the log that follows the start of an experiment, and give it."""
    revision = begun.release.revision
    answer = await client.ListReleaseEvents(ruleset=RULESET, from_sequence=revision, wait={"seconds": 15}, page_size=1)
    (release,) = answer.releases
    return release


async def state(client):
    """Where the experiment stands."""
    return (await client.GetExperiment(name=NAME)).experiment


async def test_a_guardrail_that_breaks_brings_the_ruleset_back_by_itself(line):
    begun = await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS)
    release = await next_release(line, begun)
    assert (release.operation, release.automatic, release.actor) == (Operation.OPERATION_ROLLBACK, True, "millwright")
    assert (release.from_version, release.to_version, release.marked_bad) == (2, 1, True)
    assert release.reason.startswith("guardrail broken: TOP_OUTCOME_RATE is 1 of tighter, 0 of the control: at least ")
    experiment = await state(line)
    assert (experiment.state, experiment.end_reason) == (Experiment.STATE_ROLLED_BACK, release.reason)
    assert experiment.end_time == release.create_time
    channel = (await line.GetChannel(name=PROD)).channel
    assert (channel.version, channel.experiment) == (1, "")
    assert channel.freeze_time.ToDatetime() - channel.update_time.ToDatetime() == timedelta(hours=1)
    assert (await line.GetVersion(name=version(2))).version.state == BAD
    assert {(each.version, each.arm) for each in await judge_all(line, LOTS)} == {(version(1), "")}


async def test_its_evidence_is_in_the_log_and_agrees_with_the_report(line):
    begun = await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS)
    (said,) = json.loads((await next_release(line, begun)).evidence)
    (result,) = (await line.GetExperimentReport(name=NAME)).report.guardrails
    assert result.verdict == GuardrailResult.VERDICT_BROKEN
    assert said["guardrail"] == {
        "measure": "TOP_OUTCOME_RATE",
        "outcome": "",
        "maxIncrease": 0.1,
        "maxDecrease": None,
        "alpha": 0.01,
    }
    assert (said["arm"], said["verdict"], said["armRate"], said["controlRate"]) == ("tighter", "BROKEN", 1.0, 0.0)
    assert (said["armExecutions"], said["controlExecutions"]) == (result.arm_executions, result.control_executions)
    assert said["difference"]["low"] == result.difference.low > 0.1


@pytest.mark.parametrize(
    ("guardrail", "what"),
    [
        ({"measure": Guardrail.MEASURE_OUTCOME_RATE, "outcome": "critical", "max_increase": 0.1}, COLD),
        (
            {
                "measure": Guardrail.MEASURE_OUTCOME_RATE,
                "outcome": "normal",
                "max_increase": 1.0,
                "max_decrease": 0.1,
            },
            COLD,
        ),
    ],
)
async def test_shares_of_an_outcome_may_rise_or_fall_too_far(line, guardrail, what):
    begun = await begin(line, guardrails=[guardrail])
    await judge_all(line, LOTS, what)
    assert (await next_release(line, begun)).operation == Operation.OPERATION_ROLLBACK


async def test_an_arm_that_cannot_judge_what_the_control_can_is_taken_back(line):
    """Refused inputs leave no row, and count all the same."""
    fields = [{"field": "defect_rate", "type": "number", "min": 0, "max": 0.04, "resolution": 0.001}]
    await tighter(line, "3.0.0", "> 0.035", fields=fields)
    begun = await begin(
        line,
        arms=[{"name": "narrow", "version": 3}],
        guardrails=[{"measure": Guardrail.MEASURE_ERROR_RATE, "max_increase": 0.1}],
    )
    await line.JudgeBatch(ruleset=RULESET, inputs=[{"input": COLD, "routing_key": key} for key in LOTS])
    release = await next_release(line, begun)
    assert release.reason.startswith("guardrail broken: ERROR_RATE is 1 of narrow, 0 of the control")


async def test_in_the_shadow_a_guardrail_breaks_before_anybody_is_judged_by_the_arm(line):
    begun = await shadow(line, guardrails=[MORE_CRITICAL])
    assert {each.version for each in await judge_all(line, LOTS)} == {version(1)}
    release = await next_release(line, begun)
    assert (release.operation, release.marked_bad) == (Operation.OPERATION_ROLLBACK, True)
    (said,) = json.loads(release.evidence)
    assert said["difference"]["method"] == "asymptotic confidence sequence, paired"
    assert (await state(line)).state == Experiment.STATE_ROLLED_BACK


async def test_only_the_arm_that_breaks_is_marked_bad(line):
    await tighter(line, "3.0.0", "> 0.07")
    arms = [{"name": "control"}, {"name": "tighter", "version": 2}, {"name": "third", "version": 3}]
    weighted = [{**arm, "weight": 1} for arm in arms]
    begun = await begin(line, mode=AB, enrolment_bp=10_000, arms=weighted, guardrails=[MORE_CRITICAL])
    await judge_all(line, [*LOTS, *(f"more-{number}" for number in range(200))])
    assert (await next_release(line, begun)).from_version == 2
    states = [(await line.GetVersion(name=version(number))).version.state for number in (1, 2, 3)]
    assert states == [PUBLISHED, BAD, PUBLISHED]


async def test_a_version_that_another_channel_points_to_is_left_and_not_marked(line):
    """Nothing would be judged by that channel any more, and no person has decided that."""
    beta = f"{RULESET}/channels/beta"
    await line.PromoteVersion(channel=beta, version=2)
    begun = await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS)
    release = await next_release(line, begun)
    assert (release.operation, release.marked_bad) == (Operation.OPERATION_ROLLBACK, False)
    assert (await line.judge(ruleset=beta)).version == version(2)
    assert (await line.judge()).version == version(1)


async def test_an_arm_that_is_like_the_control_is_not_taken_back(line, service):
    """However often it is looked at."""
    await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS, given(defect_rate=0.01, temperature=20.0))
    looks = _looks(service)
    assert [await looks.run_once() for _ in range(50)] == [0] * 50
    (result,) = (await line.GetExperimentReport(name=NAME)).report.guardrails
    assert (result.verdict, result.difference.value) == (GuardrailResult.VERDICT_HOLDS, 0.0)
    assert (await state(line)).state == Experiment.STATE_RUNNING


async def test_little_is_no_proof(line, service):
    await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, [*keys(HALF, 2, "tighter"), *keys(HALF, 2, "control")])
    assert await _looks(service).run_once() == 0
    (result,) = (await line.GetExperimentReport(name=NAME)).report.guardrails
    assert result.verdict == GuardrailResult.VERDICT_OPEN


async def test_a_few_lots_are_no_proof_however_often_they_are_judged(line, service):
    """Three lots of each arm: those of the arm are bad, and by the judgments alone that would be sure."""
    good, bad = given(defect_rate=0.01, temperature=20.0), given(defect_rate=0.5, temperature=20.0)
    await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, keys(HALF, 3, "control") * 100, good)
    await judge_all(line, keys(HALF, 3, "tighter") * 100, bad)
    assert await _looks(service).run_once() == 0
    report = (await line.GetExperimentReport(name=NAME)).report
    (result,) = report.guardrails
    assert (result.verdict, result.arm_rate, result.control_rate) == (GuardrailResult.VERDICT_OPEN, 1.0, 0.0)
    assert result.difference.method == "asymptotic confidence sequence, design effect 1.2e+02"
    assert "CLUSTERED_DATA" in {warning.code for warning in report.warnings}


async def test_a_few_lots_are_no_proof_in_the_shadow_either(line, service):
    await shadow(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS[:3] * 100)
    assert await _looks(service).run_once() == 0
    (result,) = (await line.GetExperimentReport(name=NAME)).report.guardrails
    assert (result.verdict, result.difference.value) == (GuardrailResult.VERDICT_OPEN, 1.0)


async def test_many_lots_are_proof(line):
    begun = await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS * 10)
    (said,) = json.loads((await next_release(line, begun)).evidence)
    assert said["difference"]["method"].startswith("asymptotic confidence sequence, design effect ")


async def test_many_who_look_at_once_roll_back_once(line, settings, service, connected):
    """Of this replica and of another one."""
    begun = await begin(line, guardrails=[MORE_CRITICAL])
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        await asyncio.gather(judge_all(line, LOTS[:200]), judge_all(second, LOTS[200:]))
        await asyncio.gather(*(_looks(each).run_once() for each in (service, other) for _ in range(5)))
        await next_release(line, begun)
    assert (await line.operations()).count("ROLLBACK") == 1
    assert (await state(line)).state == Experiment.STATE_ROLLED_BACK


async def test_a_good_canary_goes_through_its_steps_by_itself_and_is_promoted_by_a_person(line):
    same = given(defect_rate=0.01, temperature=20.0)
    steps = [step(5000, min_executions=100), step(10_000, min_executions=100)]
    begun = await begin(line, steps=steps, guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS, same)
    release = await next_release(line, begun)
    assert (release.operation, release.automatic) == (Operation.OPERATION_EXPERIMENT_STEP, True)
    assert json.loads(release.evidence)[0]["armExecutions"] >= 100
    assert {each.arm for each in await judge_all(line, LOTS, same)} == {"tighter"}
    report = (await line.GetExperimentReport(name=NAME)).report
    assert {"NOTHING_TO_COMPARE", "CHANGING_SHARES"} <= {warning.code for warning in report.warnings}
    assert report.guardrails[0].control_executions == 0
    promoted = await line.PromoteArm(name=NAME, arm="tighter")
    assert promoted.channel.version == 2


async def test_what_was_judged_before_a_step_does_not_speak_for_it(line, sql):
    """The line turns bad after the step: it is bad for both."""
    good = given(defect_rate=0.01, temperature=20.0)
    bad = given(defect_rate=0.5, temperature=20.0)
    begun = await begin(line, steps=[step(500), step(5000)], guardrails=[MORE_CRITICAL])
    await judge_all(line, LOTS, good)
    await line.StepExperiment(name=NAME)
    await judge_all(line, LOTS, bad)
    report = (await line.GetExperimentReport(name=NAME)).report
    totals = {arm.arm.name: arm.outcomes["critical"] / arm.executions for arm in report.arms}
    assert totals["tighter"] > totals["control"] + 0.2
    assert report.guardrails[0].difference.value == 0.0
    assert (await state(line)).state == Experiment.STATE_RUNNING
    assert begun.experiment.step == 0


async def test_a_canary_whose_split_is_not_as_planned_does_not_step_on(line, service):
    await begin(line, steps=[step(5000, min_executions=100), step(10_000)])
    await judge_all(line, keys(HALF, ENOUGH, "tighter"))
    assert await _looks(service).run_once() == 0
    assert (await state(line)).step == 0


async def test_an_experiment_whose_version_was_marked_bad_elsewhere_is_stopped(line):
    beta = f"{RULESET}/channels/beta"
    for number in (1, 2):
        await line.PromoteVersion(channel=beta, version=number)
    begun = await begin(line)
    await line.rollback(channel=beta)
    await until(lambda: _has_ended(line), 15)
    experiment = await state(line)
    assert (experiment.state, experiment.end_reason) == (Experiment.STATE_STOPPED, "version 2 is BAD: it is blind")
    assert begun.experiment.state == Experiment.STATE_RUNNING


async def test_beside_a_control_that_is_bad_itself_an_experiment_is_stopped(line, sql):
    """There is nothing good to go back to; what is on trial is left in any case."""
    beta = f"{RULESET}/channels/beta"
    await tighter(line, "3.0.0", "> 0.07")
    for number in (3, 1):
        await line.PromoteVersion(channel=beta, version=number)
    await begin(line, guardrails=[MORE_CRITICAL])
    look_time = "UPDATE judgment.experiment SET look_time = clock_timestamp() + $2::interval WHERE tenant = $1"
    await sql.execute(look_time, line.tenant, timedelta(hours=1))
    await judge_all(line, LOTS)
    await line.rollback(channel=beta)
    await sql.execute(look_time, line.tenant, -timedelta(hours=1))
    await until(lambda: _has_ended(line), 15)
    experiment = await state(line)
    assert experiment.state == Experiment.STATE_STOPPED
    assert experiment.end_reason.startswith("guardrail broken")
    assert (await refused(line.judge())).reason == "VERSION_BAD"


async def _has_ended(client):
    return (await state(client)).state != Experiment.STATE_RUNNING


def _looks(service):
    """Who looks at every experiment, whether it is due or not."""
    versions = Versions(service.platform.database)
    return Experiments(service.platform, EventLog(SCHEMA), versions, pause=timedelta(0))
