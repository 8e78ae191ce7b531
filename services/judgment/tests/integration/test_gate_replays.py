"""The publish gate replays the newest executions: what a document would change is in its report, and may block it."""

import json

import pytest
from judgment_rig.client import RULESET, given
from judgment_samples.documents import FIELDS, weld, weld_rows
from millwright.judgment.v1 import judgment_service_pb2
from millwright_local.testing.refusals import refused

STRICT = weld_rows(r_critical={"defect_rate": "> 0.04"})
LAX = weld_rows(r_critical={"defect_rate": "> 0.09"})
RATES = [number / 1000 for number in range(100)]


def document(rows, semver="2.0.0", **more):
    return json.dumps(weld(rows, version=semver, **more))


@pytest.fixture
async def judged(client):
    """A line that has judged every rate from 0 to 0.099 by version 1."""
    await client.publish("1.0.0", promote_to="prod")
    inputs = [judgment_service_pb2.BatchInput(input=given(defect_rate=rate)) for rate in RATES]
    await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
    return client


async def test_a_report_tells_what_the_newest_executions_would_become(judged):
    report = (await judged.PublishVersion(document=document(STRICT))).version.gate_report
    changed = sum(0.04 < rate <= 0.08 for rate in RATES)
    assert (report.replay.baseline_version, report.replay.executions) == (1, len(RATES))
    assert (report.replay.changed_outcomes, report.replay.not_reproducible) == (changed, 0)
    assert {(it.from_outcome, it.to_outcome) for it in report.replay.transitions} == {("warning", "critical")}
    (finding,) = [it for it in report.findings if it.code == "REPLAY_CHANGED"]
    assert "r-critical" in finding.message
    assert (await judged.GetExecution(name=finding.example)).execution.input.values["defect_rate"].number == 0.041
    kept = (await judged.GetVersion(name=f"{RULESET}/versions/2")).version.gate_report
    assert kept.replay == report.replay


async def test_a_ruleset_may_say_that_less_severe_outcomes_block(judged):
    lax = document(LAX, blocking=["REPLAY_RELAXED"])
    refusal = await refused(judged.PublishVersion(document=lax))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_RULESET")
    assert [reason for _, reason in refusal.faults] == ["REPLAY_RELAXED"]
    assert (await judged.PublishVersion(document=document(LAX, blocking=[]))).created


@pytest.mark.parametrize("code", ["REPLAY_RELAXED", "REPLAY_CHANGED", "REPLAY_REFUSED"])
async def test_what_a_replay_would_block_is_not_published_by_leaving_the_replay_out(judged, code):
    lax = document(LAX, blocking=[code])
    refusal = await refused(judged.PublishVersion(document=lax, replay_executions=0, promote_to="prod"))
    assert [reason for _, reason in refusal.faults] == ["NOT_REPLAYED"]
    name = f"{RULESET}/drafts/lax"
    await judged.SaveDraft(name=name, document=lax)
    draft = (await judged.ValidateDraft(name=name, replay_executions=0)).draft
    assert (draft.state, draft.gate_report.passed) == (draft.STATE_DRAFT, False)


async def test_a_replay_left_out_is_said_where_no_replay_would_block(judged):
    report = (await judged.PublishVersion(document=document(LAX), replay_executions=0)).version.gate_report
    (finding,) = [it for it in report.findings if it.code == "NOT_REPLAYED"]
    assert finding.severity == finding.SEVERITY_WARNING
    assert report.passed
    assert not report.HasField("replay")


async def test_a_ruleset_cannot_name_a_replay_left_out_itself(judged):
    refusal = await refused(judged.PublishVersion(document=document(LAX, blocking=["NOT_REPLAYED"])))
    assert refusal.faults == [("/blocking/0", "INVALID_VALUE")]


@pytest.fixture
async def plant(client):
    """A plant without `prod`: `line-a` has judged every rate from 0 to 0.099 by version 1, `line-b` is on version 2."""
    await client.publish("1.0.0", promote_to="line-a")
    inputs = [judgment_service_pb2.BatchInput(input=given(defect_rate=rate)) for rate in RATES]
    await client.JudgeBatch(ruleset=f"{RULESET}/channels/line-a", inputs=inputs)
    await client.PublishVersion(document=document(LAX, "2.0.0"), promote_to="line-b")
    return client


async def test_a_worse_version_does_not_get_onto_a_channel_of_another_name_than_prod(plant):
    lax = document(LAX, "3.0.0", blocking=["REPLAY_RELAXED"])
    refusal = await refused(plant.PublishVersion(document=lax, promote_to="line-a"))
    assert [reason for _, reason in refusal.faults] == ["REPLAY_RELAXED"]
    refusal = await refused(plant.PublishVersion(document=lax, promote_to="line-a", replay_executions=0))
    assert [reason for _, reason in refusal.faults] == ["NOT_REPLAYED"]


async def test_it_is_compared_with_what_it_would_take_the_place_of(plant):
    async def baseline(promote_to):
        answer = await plant.PublishVersion(
            document=document(STRICT, "9.0.0"), promote_to=promote_to, validate_only=True
        )
        return answer.version.gate_report.replay.baseline_version

    assert await baseline("line-a") == 1
    assert await baseline("line-c") == await baseline("") == 2, "line-b moved last"
    await plant.publish("4.0.0", promote_to="prod", titles={"en": "All lines"})
    await plant.PromoteVersion(channel=f"{RULESET}/channels/line-b", version=1)
    assert await baseline("line-a") == 1
    assert await baseline("line-c") == await baseline("") == 3, "prod stands for all others"


async def test_inputs_that_would_be_refused_are_told_from_those_that_would_change(judged):
    narrow = {"inputs": [{**FIELDS[0], "max": 0.09}, *FIELDS[1:]]}
    refusal = await refused(judged.PublishVersion(document=document(STRICT, blocking=["REPLAY_REFUSED"], **narrow)))
    assert [reason for _, reason in refusal.faults] == ["REPLAY_REFUSED"]
    report = (await judged.PublishVersion(document=document(STRICT, **narrow))).version.gate_report
    errors, changed = sum(rate > 0.09 for rate in RATES), sum(0.04 < rate <= 0.08 for rate in RATES)
    assert (report.replay.errors, report.replay.changed_outcomes) == (errors, changed)
    examples = {}
    for code, count in (("REPLAY_CHANGED", changed), ("REPLAY_REFUSED", errors)):
        (finding,) = [it for it in report.findings if it.code == code]
        assert finding.message.startswith(f"{count} of the newest {len(RATES)} ")
        execution = (await judged.GetExecution(name=finding.example)).execution
        examples[code] = execution.input.values["defect_rate"].number
    assert examples["REPLAY_CHANGED"] <= 0.08 < 0.09 < examples["REPLAY_REFUSED"]


async def test_fewer_executions_can_be_asked_for(judged):
    replay = (await judged.PublishVersion(document=document(STRICT), replay_executions=30)).version.gate_report.replay
    assert replay.executions == 30
    refusal = await refused(judged.PublishVersion(document=document(LAX, "3.0.0"), replay_executions=100_001))
    assert refusal.fields == ["replay_executions"]


async def test_a_draft_is_replayed_when_it_is_validated(judged):
    name = f"{RULESET}/drafts/tight"
    await judged.SaveDraft(name=name, document=document(STRICT))
    report = (await judged.ValidateDraft(name=name)).draft.gate_report
    assert report.replay.executions == len(RATES)


async def test_without_executions_or_a_version_there_is_no_replay(client):
    report = (await client.publish("1.0.0", promote_to="prod")).version.gate_report
    assert not report.HasField("replay")
    again = await client.PublishVersion(document=document(STRICT, blocking=["REPLAY_CHANGED"]), replay_executions=0)
    assert not again.version.gate_report.HasField("replay")
    assert "NOT_REPLAYED" not in [it.code for it in again.version.gate_report.findings]


async def test_what_does_not_come_out_as_recorded_is_not_compared(judged, sql):
    await sql.execute("UPDATE judgment.execution SET confidence = 0.1 WHERE tenant = $1", judged.tenant)
    report = (await judged.PublishVersion(document=document(STRICT))).version.gate_report
    assert (report.replay.not_reproducible, report.replay.changed_outcomes) == (len(RATES), 0)
    assert "NOT_REPLAYED" in [it.code for it in report.findings]
    refusal = await refused(judged.PublishVersion(document=document(LAX, "3.0.0", blocking=["REPLAY_RELAXED"])))
    assert [reason for _, reason in refusal.faults] == ["NOT_REPLAYED"]
