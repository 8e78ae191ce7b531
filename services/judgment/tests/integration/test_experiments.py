"""Experiments: how they begin, go on and end, and who gets which arm."""

import asyncio
import time
import uuid
from collections import Counter
from contextlib import asynccontextmanager

import nats as nats_client
import pytest
from google.protobuf import json_format
from judgment_rig.client import PROD, RULESET, given, version
from judgment_rig.experiments import (
    AB,
    CANARY,
    COLD,
    MORE_CRITICAL,
    NAME,
    SHADOW,
    Experiment,
    Guardrail,
    begin,
    drawn,
    judge_all,
    keys,
    shadow,
    step,
    tighter,
    two_versions,
)
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2, release_pb2
from millwright_judgment.app import SERVICE
from millwright_judgment.commands.storing import Group, Item, Part, StoredMeanwhile, store
from millwright_judgment.domain.executions import new_id, time_of
from millwright_judgment.domain.experiments import Arm, Mode, Step, Trial
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import executions, trials
from millwright_judgment.store import experiments as experiment_store
from millwright_judgment.store.bases import Target
from millwright_local.testing.refusals import refused
from millwright_runtime.loops import Removal
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import running

ARMS = (Arm("control", 1), Arm("tighter", 2))
HALF = Trial("tighter-limit", Mode.CANARY, ARMS, steps=(Step(5000),))
SPLIT = Trial("tighter-limit", Mode.AB, ARMS)
BOTH = [{"name": "control", "weight": 1}, {"name": "tighter", "version": 2, "weight": 1}]
LOTS = [f"lot-{number}" for number in range(200)]


@pytest.fixture
async def line(client):
    """A client whose weld line judges by version 1, and has a version 2."""
    await two_versions(client)
    return client


async def test_an_experiment_begins_with_a_row_of_the_log(line):
    answer = await begin(line, guardrails=[MORE_CRITICAL])
    experiment, release = answer.experiment, answer.release
    assert (experiment.name, experiment.channel, experiment.state) == (NAME, PROD, Experiment.STATE_RUNNING)
    assert [(arm.name, arm.version) for arm in experiment.arms] == [("control", 1), ("tighter", 2)]
    assert experiment.guardrails[0].alpha == 0.01
    assert (release.operation, release.from_version, release.to_version) == (
        release_pb2.Release.OPERATION_EXPERIMENT_START,
        1,
        2,
    )
    assert (release.experiment, release.reason) == (NAME, "is it better?")
    channel = (await line.GetChannel(name=PROD)).channel
    assert (channel.version, channel.experiment, channel.revision) == (1, NAME, release.revision)
    assert (await line.GetExperiment(name=NAME)).experiment == experiment


async def test_a_preview_begins_nothing(line):
    answer = await line.StartExperiment(
        experiment=Experiment(
            name=NAME, channel=PROD, mode=CANARY, arms=[{"name": "tighter", "version": 2}], steps=[step()]
        ),
        validate_only=True,
    )
    assert answer.experiment.arms[0].version == 1
    assert not (await line.ListExperiments()).experiments
    assert not (await line.GetChannel(name=PROD)).channel.experiment


async def test_a_start_that_is_sent_twice_begins_once(line):
    request = {
        "experiment": Experiment(
            name=NAME, channel=PROD, mode=CANARY, arms=[{"name": "tighter", "version": 2}], steps=[step()]
        ),
        "request_id": str(uuid.uuid4()),
    }
    first = await line.StartExperiment(**request)
    again = await line.StartExperiment(**request)
    assert again.replayed
    assert again.experiment == first.experiment
    assert (await line.operations()).count("EXPERIMENT_START") == 1


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"channel": f"{RULESET}/channels/beta"}, ("NOT_FOUND", "CHANNEL_NOT_FOUND")),
        ({"arms": [{"name": "tighter", "version": 9}]}, ("NOT_FOUND", "VERSION_NOT_FOUND")),
        ({"arms": [{"name": "tighter", "version": 1}]}, ("FAILED_PRECONDITION", "ARM_IS_CONTROL")),
        ({"arms": [{"name": "tighter", "version": 3}]}, ("FAILED_PRECONDITION", "VERSION_BAD")),
    ],
)
async def test_what_cannot_be_tried_is_refused_by_its_name(line, fields, kind):
    await tighter(line, "3.0.0", "> 0.03")
    await line.MarkVersionBad(version=version(3), reason="blind")
    assert (await refused(begin(line, **fields))).kind == kind
    assert not (await line.ListExperiments()).experiments


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"mode": Experiment.MODE_UNSPECIFIED}, "experiment.mode"),
        ({"name": "experiments/A"}, "experiment.name"),
        ({"channel": PROD[:-5]}, "experiment.channel"),
        ({"mode": AB, "steps": [], "enrolment_bp": 0, "arms": BOTH}, "experiment.enrolment_bp"),
        ({"enrolment_bp": 5}, "experiment.enrolment_bp"),
        ({"mode": AB, "enrolment_bp": 5, "arms": BOTH[1:]}, "experiment.arms"),
        ({"arms": [{"name": f"a-{number}", "version": 2} for number in range(6)]}, "experiment.arms"),
        ({"steps": [step(0)]}, "experiment.steps"),
        ({"steps": [step(1, seconds=-1)]}, "experiment.steps[0].min_duration"),
        ({"guardrails": [{}]}, "experiment.guardrails[0].measure"),
        ({"guardrails": [{**MORE_CRITICAL, "max_increase": float("nan")}]}, "experiment.guardrails[0]"),
        ({"guardrails": [{**MORE_CRITICAL, "alpha": float("nan")}]}, "experiment.guardrails[0].alpha"),
        (
            {"guardrails": [{"measure": Guardrail.MEASURE_OUTCOME_RATE, "outcome": "fatal"}]},
            "experiment.guardrails[0].outcome",
        ),
    ],
)
async def test_what_is_out_of_bounds_is_named_by_its_place(line, fields, field):
    assert field in (await refused(begin(line, **fields))).fields


async def test_one_channel_has_one_experiment_and_a_name_is_used_once(line):
    await begin(line)
    assert (await refused(begin(line))).kind == ("ALREADY_EXISTS", "EXPERIMENT_EXISTS")
    other = await refused(begin(line, name="experiments/other"))
    assert other.kind == ("FAILED_PRECONDITION", "EXPERIMENT_UNDER_WAY")
    await line.StopExperiment(name=NAME, reason="enough")
    assert (await refused(begin(line))).reason == "EXPERIMENT_EXISTS"
    await begin(line, name="experiments/other")


async def test_a_promotion_meanwhile_is_refused(line):
    await begin(line)
    assert (await refused(line.PromoteVersion(channel=PROD, version=2))).reason == "EXPERIMENT_UNDER_WAY"


async def test_a_start_on_what_was_moved_meanwhile_is_refused(line):
    request = Experiment(name=NAME, channel=PROD, mode=CANARY, arms=[{"name": "tighter", "version": 2}], steps=[step()])
    refusal = await refused(line.StartExperiment(experiment=request, expected_revision=1))
    assert refusal.kind == ("ABORTED", "REVISION_MISMATCH")


# Who gets which arm.


async def test_each_key_gets_its_arm_and_keeps_it(line):
    await begin(line)
    first, second = await judge_all(line, LOTS), await judge_all(line, LOTS)
    assert [each.arm for each in first] == [drawn(HALF, key) for key in LOTS]
    assert [each.arm for each in second] == [each.arm for each in first]
    assert {(each.arm, each.version, each.judgment.outcome) for each in first} == {
        ("control", version(1), "normal"),
        ("tighter", version(2), "critical"),
    }
    assert {each.experiment for each in first} == {NAME}
    assert (await line.GetExecution(name=first[0].name)).execution == first[0]


async def test_every_way_to_judge_gives_a_key_the_same_arm_on_every_replica(line, settings, service, connected):
    await begin(line)
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        for key in LOTS[:20]:
            found = [await client.judge(input=COLD, routing_key=key) for client in (line, second)]
            found += await judge_all(second, [key])
            found += [await _streamed(line, key)]
            assert {each.arm for each in found} == {drawn(HALF, key)}


async def test_without_a_key_the_unit_draws(line):
    await begin(line)
    for key in LOTS[:20]:
        judged = await line.judge(input=COLD, segment=judgment_pb2.Segment(unit=key))
        assert judged.arm == drawn(HALF, key)


async def test_judgments_by_a_version_that_was_named_take_no_part(line):
    await begin(line, steps=[step(10_000)])
    assert (await line.judge(routing_key="lot-1")).arm == "tighter"
    judged = await line.judge(ruleset=version(1), routing_key="lot-1")
    assert (judged.version, judged.experiment, judged.arm) == (version(1), "", "")


async def test_of_an_experiment_those_who_are_not_enrolled_are_judged_as_ever(line):
    await begin(line, mode=AB, enrolment_bp=3000, arms=BOTH)
    found = await judge_all(line, LOTS)
    assert [each.arm for each in found] == [drawn(SPLIT, key, 3000) or "" for key in LOTS]
    assert {each.version for each in found if not each.experiment} == {version(1)}
    assert {each.arm for each in found} == {"", "control", "tighter"}


async def test_a_wider_enrolment_moves_nobody(line):
    await begin(line, mode=AB, enrolment_bp=3000, arms=BOTH)
    before = await judge_all(line, LOTS)
    await line.StepExperiment(name=NAME, enrolment_bp=6000)
    after = await judge_all(line, LOTS)
    assert all(late.arm == early.arm for early, late in zip(before, after, strict=True) if early.arm)
    assert sum(bool(each.arm) for each in after) > sum(bool(each.arm) for each in before)
    refusal = await refused(line.StepExperiment(name=NAME, enrolment_bp=6000))
    assert refusal.fields == ["enrolment_bp"]


async def test_in_the_shadow_the_channels_version_answers(line):
    await shadow(line)
    found = await judge_all(line, LOTS)
    assert {(each.version, each.arm, each.judgment.outcome) for each in found} == {(version(1), "control", "normal")}
    report = (await line.GetExperimentReport(name=NAME)).report
    control, arm = report.arms
    assert (control.outcomes, arm.outcomes) == ({"normal": 200}, {"critical": 200})
    assert (arm.paired.compared, arm.paired.changed_outcomes, arm.paired.escalated) == (200, 200, 200)
    assert [(it.from_outcome, it.to_outcome, it.executions) for it in arm.paired.transitions] == [
        ("normal", "critical", 200)
    ]
    assert {test.name for test in arm.paired.tests} == {"mcnemar-exact", "sign", "stuart-maxwell"}
    assert all(test.questions["ko"] for test in arm.paired.tests)
    assert len((await line.ListExecutions(page_size=500)).executions) == 200


async def test_two_versions_may_judge_in_the_shadow_at_once(line):
    await tighter(line, "3.0.0", "> 0.06")
    arms = [{"name": "control", "version": 1}, {"name": "tighter", "version": 2}, {"name": "third", "version": 3}]
    await begin(line, mode=SHADOW, enrolment_bp=10_000, arms=arms)
    await judge_all(line, LOTS[:10])
    report = (await line.GetExperimentReport(name=NAME)).report
    assert [dict(arm.outcomes) for arm in report.arms] == [{"normal": 10}, {"critical": 10}, {"normal": 10}]


# What is counted.


async def test_what_is_counted_agrees_with_the_rows(line, sql):
    await begin(line)
    await judge_all(line, [*LOTS, *LOTS[:50]])
    rows = await sql.fetch(
        "SELECT arm, outcome, count(*) FROM judgment.execution WHERE tenant = $1 GROUP BY arm, outcome", line.tenant
    )
    report = (await line.GetExperimentReport(name=NAME)).report
    counted = {(it.arm.name, outcome): count for it in report.arms for outcome, count in it.outcomes.items()}
    assert counted == {(row["arm"], row["outcome"]): row["count"] for row in rows}
    assert {it.arm.name: it.units for it in report.arms} == Counter(drawn(HALF, key) for key in LOTS)
    assert report.sample_ratio_p_value > 0.001


async def test_units_are_known_while_it_runs_and_their_number_after_it(line, service, sql):
    known = "SELECT count(*) FROM judgment.experiment_unit WHERE tenant = $1"
    await begin(line, guardrails=[{**MORE_CRITICAL, "max_increase": 1.0}])
    await judge_all(line, LOTS)
    units = Removal("units", service.platform.database, experiment_store.forget_units, pause_seconds=600)
    await units.run_once()
    assert await sql.fetchval(known, line.tenant) == len(LOTS)
    await line.StopExperiment(name=NAME, reason="enough")
    await units.run_once()
    assert (await line.GetExperimentReport(name=NAME)).report.guardrails
    ended = "UPDATE judgment.experiment SET end_time = end_time - interval '30 days' WHERE tenant = $1"
    await sql.execute(ended, line.tenant)
    while await units.run_once():
        pass
    assert await sql.fetchval(known, line.tenant) == 0
    assert not await sql.fetchval(known.replace("unit", "tally"), line.tenant)
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.units for arm in report.arms) == len(LOTS)
    assert not report.guardrails
    assert report.warnings[0].code == "UNITS_FORGOTTEN"


async def test_two_replicas_count_each_unit_once(line, settings, service, connected):
    await begin(line)
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        await asyncio.gather(*(judge_all(client, LOTS) for client in (line, second) for _ in range(4)))
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.units for arm in report.arms) == len(LOTS)
    assert sum(arm.executions for arm in report.arms) == 8 * len(LOTS)
    assert "CLUSTERED_DATA" in {warning.code for warning in report.warnings}


async def test_a_judgment_that_is_sent_twice_counts_once(line):
    await begin(line)
    for _ in range(2):
        await line.judge(input=COLD, routing_key="lot-1", idempotency_key="k")
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.executions for arm in report.arms) == 1


async def test_inputs_that_cannot_be_judged_count_as_errors(line):
    await begin(line)
    refusal = await refused(line.judge(input=given(defect_rate="much"), routing_key="lot-1"))
    assert refusal.reason == "INVALID_INPUT"
    report = (await line.GetExperimentReport(name=NAME)).report
    assert {it.arm.name: dict(it.outcomes) for it in report.arms if it.outcomes} == {drawn(HALF, "lot-1"): {"ERROR": 1}}


@pytest.mark.parametrize("has_row", [True, False])
async def test_a_batch_whose_commit_nobody_saw_is_counted_once(line, service, has_row):
    """It comes again; refused inputs of it leave no row, and may have come without any that does."""
    await begin(line)
    judged = await line.judge(input=COLD)
    database = service.platform.database
    async with database.snapshot(line.tenant) as connection:
        row = await executions.get(connection, uuid.UUID(judged.name.partition("/")[2]))
    again = new_id(time.time_ns())
    row = row._replace(execution=again, judge_time=time_of(again))
    parts = [Part(line.tenant, "tighter-limit", 0, "control", outcome, 1) for outcome in ("normal", "ERROR")]
    group = await _group(line, database, Item(row if has_row else None, part=parts[0]), Item(None, part=parts[1]))
    for is_repeated in (False, True):
        async with database.transaction(ALL_TENANTS) as connection:
            assert await store(connection, [group], is_repeated=is_repeated) == [[None, None]]
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.outcomes["ERROR"] for arm in report.arms) == 1
    assert sum(arm.outcomes["normal"] + arm.outcomes["critical"] for arm in report.arms) == 2


async def test_a_refusal_whose_commit_nobody_saw_is_not_counted_again_by_another_basis(line, service):
    """The channel has moved meanwhile: what is committed is not judged again; what is not committed is."""
    await begin(line, steps=[step(5000), step(6000)])
    database = service.platform.database
    part = Part(line.tenant, "tighter-limit", 0, "control", "ERROR", 1)
    seen, unseen = [await _group(line, database, Item(None, part=part)) for _ in range(2)]
    async with database.transaction(ALL_TENANTS) as connection:
        await store(connection, [seen], is_repeated=False)
    await line.StepExperiment(name=NAME)
    async with database.transaction(ALL_TENANTS) as connection:
        assert await store(connection, [seen, unseen], is_repeated=True) == [[None], None]
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.outcomes["ERROR"] for arm in report.arms) == 1


async def test_a_refusal_whose_commit_is_seen_only_now_is_looked_up_again(line, service):
    """Its first transaction was still being committed when the second began."""
    await begin(line)
    database = service.platform.database
    group = await _group(line, database, Item(None, part=Part(line.tenant, "tighter-limit", 0, "control", "ERROR", 1)))
    async with database.transaction(ALL_TENANTS) as connection:
        await store(connection, [group], is_repeated=False)
    with pytest.raises(StoredMeanwhile):
        async with database.transaction(ALL_TENANTS) as connection:
            await store(connection, [group], is_repeated=False)
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.outcomes["ERROR"] for arm in report.arms) == 1


async def test_refused_inputs_are_counted_once_when_the_end_of_their_flush_is_lost(line, service, monkeypatch):
    """On the way of every call: the recorder stores them again until it has seen that they are."""
    await begin(line)
    database = service.platform.database
    transaction, ends = database.transaction, []
    counted = "SELECT count(*) FROM judgment.experiment_count WHERE tenant = $1"

    @asynccontextmanager
    async def losing(tenant):
        async with transaction(tenant) as connection:
            yield connection
            is_flush = tenant == ALL_TENANTS and await connection.fetchval(counted, line.tenant)
        if is_flush and not ends:
            ends.append("lost")
            raise ConnectionResetError

    monkeypatch.setattr(database, "transaction", losing)
    inputs = [{"input": given(defect_rate="much"), "routing_key": "lot-1"}] * 3
    answer = await line.JudgeBatch(ruleset=RULESET, inputs=inputs)
    assert [each.WhichOneof("result") for each in answer.results] == ["error"] * 3
    assert ends
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.outcomes["ERROR"] for arm in report.arms) == 3


async def test_marks_go_after_an_hour(line, service, sql):
    await begin(line)
    await refused(line.judge(input=given(defect_rate="much"), routing_key="lot-1"))
    marks = "SELECT count(*) FROM judgment.experiment_mark WHERE tenant = $1"
    removal = Removal("marks", service.platform.database, trials.forget_marks, 1)
    await removal.run_once()
    assert await sql.fetchval(marks, line.tenant) == 1
    older = "UPDATE judgment.experiment_mark SET create_time = create_time - interval '61 min' WHERE tenant = $1"
    await sql.execute(older, line.tenant)
    await removal.run_once()
    assert await sql.fetchval(marks, line.tenant) == 0


async def _group(line, database, *items):
    """Items of one request, by what `prod` is now."""
    target = Target(line.tenant, RULESET.partition("/")[2], "prod")
    versions = Versions(database)
    try:
        return Group(target, (await versions.look(target)).stamp, items)
    finally:
        await versions.close()


async def test_a_preview_of_a_judgment_counts_nothing(line):
    await begin(line)
    assert (await line.judge(routing_key="lot-1", validate_only=True)).arm == drawn(HALF, "lot-1")
    report = (await line.GetExperimentReport(name=NAME)).report
    assert sum(arm.executions for arm in report.arms) == 0


async def test_a_split_that_is_not_as_planned_withholds_the_guardrails(line):
    await begin(line, guardrails=[MORE_CRITICAL])
    await judge_all(line, keys(HALF, 100, "tighter"))
    report = (await line.GetExperimentReport(name=NAME)).report
    assert report.sample_ratio_p_value < 0.001
    assert not report.guardrails
    assert report.warnings[0].code == "SAMPLE_RATIO_MISMATCH"
    assert set(report.warnings[0].texts) == {"en", "ko"}


# How they go on and end.


async def test_a_canary_goes_through_its_steps_and_keeps_its_units(line):
    steps = [step(1000), step(5000)]
    await begin(line, steps=steps)
    before = await judge_all(line, LOTS)
    stepped = await line.StepExperiment(name=NAME, reason="looks well")
    assert (stepped.experiment.step, stepped.release.operation) == (1, release_pb2.Release.OPERATION_EXPERIMENT_STEP)
    after = await judge_all(line, LOTS)
    got = [
        {each for each, judged in zip(LOTS, found, strict=True) if judged.arm == "tighter"} for found in (before, after)
    ]
    assert got[0] < got[1]
    assert (await refused(line.StepExperiment(name=NAME))).kind == ("FAILED_PRECONDITION", "LAST_STEP")


async def test_a_step_that_is_sent_twice_is_one_step(line):
    await begin(line, steps=[step(1000), step(2000), step(5000)])
    request_id = str(uuid.uuid4())
    for _ in range(2):
        assert (await line.StepExperiment(name=NAME, request_id=request_id)).experiment.step == 1


async def test_an_etag_holds_off_what_was_decided_on_old_news(line):
    etag = (await begin(line, steps=[step(1000), step(2000), step(5000)])).experiment.etag
    moves = [line.StepExperiment(name=NAME, etag=etag) for _ in range(5)]
    answers = await asyncio.gather(*moves, return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert (await line.GetExperiment(name=NAME)).experiment.step == 1
    assert (await refused(line.PromoteArm(name=NAME, arm="tighter", etag=etag))).reason == "ETAG_MISMATCH"


async def test_once_it_is_stopped_all_is_judged_by_the_channels_version(line):
    await begin(line, steps=[step(10_000)])
    stopped = await line.StopExperiment(name=NAME, reason="lunch")
    assert (stopped.experiment.state, stopped.experiment.end_reason) == (Experiment.STATE_STOPPED, "lunch")
    assert stopped.experiment.HasField("end_time")
    assert (stopped.release.from_version, stopped.release.to_version) == (2, 1)
    assert {(each.version, each.arm) for each in await judge_all(line, LOTS)} == {(version(1), "")}
    again = await line.StopExperiment(name=NAME, reason="again")
    assert again.experiment == stopped.experiment
    assert not again.HasField("release")
    for call in (line.StepExperiment(name=NAME), line.PromoteArm(name=NAME, arm="tighter")):
        assert (await refused(call)).kind == ("FAILED_PRECONDITION", "EXPERIMENT_ENDED")


async def test_an_arm_is_promoted(line):
    await begin(line)
    promoted = await line.PromoteArm(name=NAME, arm="tighter", reason="it is better")
    assert promoted.experiment.state == Experiment.STATE_PROMOTED
    assert (promoted.channel.version, promoted.channel.experiment) == (2, "")
    assert (promoted.release.from_version, promoted.release.experiment) == (1, NAME)
    assert {(each.version, each.arm) for each in await judge_all(line, LOTS)} == {(version(2), "")}
    # And back, as from any promotion.
    assert (await line.rollback()).channel.version == 1


async def test_an_arm_that_is_not_there_cannot_be_promoted(line):
    await begin(line)
    assert (await refused(line.PromoteArm(name=NAME, arm="looser"))).kind == ("NOT_FOUND", "ARM_NOT_FOUND")


async def test_a_persons_rollback_takes_the_arm_back_at_once_on_every_replica(line, settings, service, connected):
    await begin(line, steps=[step(10_000)])
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        for client in (line, second):
            assert (await client.judge()).version == version(2)
        answer = await line.rollback()
        assert (answer.channel.version, answer.release.from_version, answer.release.marked_bad) == (1, 2, True)
        found = await asyncio.gather(*(client.judge() for client in (line, second) for _ in range(8)))
        assert {(each.version, each.arm) for each in found} == {(version(1), "")}
    experiment = (await line.GetExperiment(name=NAME)).experiment
    assert (experiment.state, experiment.end_reason) == (Experiment.STATE_ROLLED_BACK, "it is blind")


async def test_nothing_is_judged_with_a_version_that_was_marked_bad(line):
    await begin(line, steps=[step(10_000)])
    assert (await line.judge()).version == version(2)
    await line.MarkVersionBad(version=version(2), reason="blind")
    assert (await line.judge()).version == version(1)
    assert (await line.GetExperiment(name=NAME)).experiment.state == Experiment.STATE_STOPPED


async def test_a_bad_mark_through_another_channel_counts_at_once(line):
    """A rollback there leaves the version here, too, from its commit on."""
    beta = f"{RULESET}/channels/beta"
    for number in (1, 2):
        await line.PromoteVersion(channel=beta, version=number)
    await begin(line, steps=[step(10_000)])
    assert (await line.judge()).version == version(2)
    await line.rollback(channel=beta)
    assert (await line.judge()).version == version(1)


async def test_experiments_are_listed_newest_first(line):
    for number in range(5):
        await begin(line, name=f"experiments/e-{number}")
        await line.StopExperiment(name=f"experiments/e-{number}", reason="next")
    names, token = [], ""
    while True:
        page = await line.ListExperiments(ruleset=RULESET, page_size=2, page_token=token)
        names += [each.name for each in page.experiments]
        if not (token := page.next_page_token):
            break
    assert names == [f"experiments/e-{number}" for number in (4, 3, 2, 1, 0)]
    assert not (await line.ListExperiments(ruleset="rulesets/line.other")).experiments


async def test_its_events_are_the_rows_of_the_log(line, nats):
    connection, messages = await nats_client.connect(nats.url), asyncio.Queue()
    await connection.subscribe(f"millwright.{line.tenant}.judgment.*.line.weld", cb=messages.put)
    await connection.flush()
    started = (await begin(line, steps=[step(1000), step(5000)])).release
    stepped = (await line.StepExperiment(name=NAME)).release
    stopped = (await line.StopExperiment(name=NAME, reason="enough")).release
    heard = {}
    async with asyncio.timeout(30):
        while len(heard) < 3:
            message = await messages.get()
            if ".experiment." in message.headers["ce-type"]:
                heard[message.headers["ce-type"]] = json_format.Parse(message.data, release_pb2.Release())
    await connection.close()
    kinds = ["started", "stepped", "stopped"]
    assert [heard[f"io.millwright.judgment.experiment.{kind}.v1"] for kind in kinds] == [started, stepped, stopped]


async def test_another_tenant_sees_nothing(line, stranger):
    await begin(line)
    calls = [
        stranger.GetExperiment(name=NAME),
        stranger.GetExperimentReport(name=NAME),
        stranger.StopExperiment(name=NAME, reason="mine"),
        stranger.StepExperiment(name=NAME),
        stranger.PromoteArm(name=NAME, arm="tighter"),
    ]
    for call in calls:
        assert (await refused(call)).kind == ("NOT_FOUND", "EXPERIMENT_NOT_FOUND")
    assert not (await stranger.ListExperiments()).experiments


async def test_reading_needs_a_viewer_and_trying_an_operator(line, token):
    viewer = token(tenant=line.tenant, roles=["viewer"])
    await begin(line)
    assert (await line.GetExperiment(name=NAME, token=viewer)).experiment.name == NAME
    assert (await refused(line.StopExperiment(name=NAME, reason="x", token=viewer))).reason == "ROLE_MISSING"


async def _streamed(client, key):
    async def asked():
        request = judgment_service_pb2.JudgeRequest(ruleset=RULESET, input=COLD, routing_key=key)
        yield judgment_service_pb2.JudgeStreamRequest(number=1, request=request)

    (answer,) = [answer async for answer in client.judge_stream(asked())]
    return answer.result.judged.execution
