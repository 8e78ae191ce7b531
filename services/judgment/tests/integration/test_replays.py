"""Replays: past executions judged again, on real servers. Nothing of it is stored as an execution."""

import json
import uuid
from collections import Counter

import asyncpg
import pytest
from judgment_rig.client import PROD, RULESET, given, value, version
from judgment_samples.documents import FIELDS, weld, weld_rows
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2, replay_pb2
from millwright_judgment.app import SERVICE
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.store import execution_pages, replays
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.service import running

Replay, Comparison, Cause = replay_pb2.Replay, replay_pb2.Comparison, replay_pb2.Cause
DRAFT = f"{RULESET}/drafts/tight"
EXECUTIONS = 300
STRICT = {"decision": weld(weld_rows(r_critical={"defect_rate": "> 0.04"}))["decision"]}
"""What version 2 says: a tighter limit."""
CHANGED = sum(0.04 < number % 100 / 1000 <= 0.08 for number in range(EXECUTIONS))


def on(number):
    return replay_pb2.Target(version=version(number))


OTHER = replay_pb2.Target(version="rulesets/line.other/versions/1")
RECORDED = replay_pb2.Target(recorded=True)


@pytest.fixture
async def line(client):
    """A weld line that judges by version 1; version 2, which is stricter, is published."""
    await client.publish("1.0.0", promote_to="prod")
    await client.publish("2.0.0", **STRICT)
    return client


@pytest.fixture
async def judged(line):
    """A line that has judged: every rate from 0 to 0.099, on three lines, ten to a lot."""
    await judge_many(line, EXECUTIONS)
    return line


async def judge_many(client, count):
    """Judge `count` inputs, rate by rate."""
    for begin in range(0, count, 5_000):
        inputs = [
            judgment_service_pb2.BatchInput(
                input=given(defect_rate=number % 100 / 1000),
                segment=judgment_pb2.Segment(line=f"L{number % 3}", unit=f"lot-{number // 10}"),
            )
            for number in range(begin, min(begin + 5_000, count))
        ]
        answer = await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
        assert not any(result.HasField("error") for result in answer.results)


def every():
    return replay_pb2.Selection(filter=judgment_service_pb2.ExecutionFilter(ruleset=RULESET))


async def create(client, **fields):
    """Create a replay of all executions on version 2, unless told otherwise."""
    return (await client.CreateReplay(**{"selection": every(), "targets": [on(2)], **fields})).replay


async def ended(client, replay):
    """Watch a replay to its end, and give it."""
    async for message in client.WatchReplay(name=replay.name, deadline=60):
        last = message
    assert last.HasField("event") or last.snapshot.state > Replay.STATE_RUNNING
    return (await client.GetReplay(name=replay.name)).replay


async def report(client, **fields):
    """Replay to the end, and give the report."""
    replay = await ended(client, await create(client, **fields))
    assert replay.state == Replay.STATE_COMPLETED, replay
    return (await client.GetReplayReport(name=replay.name)).report


async def test_one_execution_is_compared_side_by_side_with_why(line):
    judged = await line.judge()
    answer = await line.ReplayExecution(execution=judged.name, targets=[on(2), RECORDED])
    assert answer.original == judged
    strict, recorded = answer.comparisons
    assert (strict.target, strict.judgment.outcome, strict.change) == (
        version(2),
        "critical",
        Comparison.CHANGE_OUTCOME,
    )
    assert strict.cause.kind == Cause.KIND_RULE_STARTED_MATCHING
    (edit,), (flip,) = strict.cause.minimal_edits, strict.cause.flips
    assert (edit.rule, edit.before, edit.after) == ("r-critical", "> 0.08", "> 0.04")
    assert (flip.value, flip.held_before, flip.held_after) == (value(0.05), False, True)
    assert flip.margin_after == pytest.approx(0.01)
    assert "r-critical" in strict.cause.texts["en"]
    assert "r-critical" in strict.cause.texts["ko"]
    assert (recorded.target, recorded.change) == (version(1), Comparison.CHANGE_NONE)
    assert recorded.judgment == judged.judgment


async def test_a_channel_and_a_draft_can_be_replayed_on(line):
    judged = await line.judge()
    await line.SaveDraft(name=DRAFT, document=_text(weld(weld_rows(r_warm={"temperature": "> 90"}), version="3.0.0")))
    targets = [replay_pb2.Target(channel=PROD), replay_pb2.Target(draft=DRAFT)]
    channel, draft = (await line.ReplayExecution(execution=judged.name, targets=targets)).comparisons
    assert (channel.target, channel.change) == (version(1), Comparison.CHANGE_NONE)
    assert (draft.target, draft.judgment.outcome) == (DRAFT, "normal")
    assert draft.cause.kind == Cause.KIND_RULE_STOPPED_MATCHING


async def test_what_if_the_input_were_another(line):
    judged = await line.judge()
    changes = [replay_pb2.InputChange(field="defect_rate", multiply=2)]
    answer = await line.ReplayExecution(execution=judged.name, targets=[RECORDED], input_changes=changes)
    (compared,) = answer.comparisons
    assert answer.input == given(defect_rate=0.1)
    assert (compared.judgment.outcome, compared.cause.kind) == ("critical", Cause.KIND_INPUT_CHANGED)
    removed = [replay_pb2.InputChange(field="defect_rate", remove=True)]
    answer = await line.ReplayExecution(execution=judged.name, targets=[RECORDED], input_changes=removed)
    (compared,) = answer.comparisons
    assert (compared.change, [(it.field, it.code) for it in compared.problems]) == (
        Comparison.CHANGE_ERROR,
        [("defect_rate", "MISSING")],
    )


@pytest.mark.parametrize(
    "change",
    [
        "confidence = 0.5",
        "matched = '\\x0f'",
        "outputs = '{\"cooling\": 3}'",
        "actions = NULL",
        "actions = '[[\"inspect\",1]]'",
    ],
)
async def test_an_execution_that_does_not_come_out_again_is_not_compared(line, sql, change):
    judged = await line.judge()
    await sql.execute(
        f"UPDATE judgment.execution SET {change} WHERE execution = $1", uuid.UUID(judged.name.split("/")[1])
    )
    answer = await line.ReplayExecution(execution=judged.name, targets=[on(2)])
    (compared,) = answer.comparisons
    assert (compared.change, compared.HasField("cause")) == (Comparison.CHANGE_NOT_REPRODUCIBLE, False)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"targets": []}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"targets": [RECORDED] * 6}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        ({"targets": [replay_pb2.Target()]}, ("INVALID_ARGUMENT", "INVALID_FIELDS")),
        (
            {"targets": [replay_pb2.Target(version="rulesets/line.other/versions/1")]},
            ("INVALID_ARGUMENT", "INVALID_FIELDS"),
        ),
        ({"targets": [on(9)]}, ("NOT_FOUND", "VERSION_NOT_FOUND")),
        ({"targets": [replay_pb2.Target(channel=f"{RULESET}/channels/beta")]}, ("NOT_FOUND", "CHANNEL_NOT_FOUND")),
        ({"targets": [replay_pb2.Target(draft=DRAFT)]}, ("NOT_FOUND", "DRAFT_NOT_FOUND")),
        ({"execution": f"executions/{uuid.uuid4()}"}, ("NOT_FOUND", "EXECUTION_NOT_FOUND")),
        (
            {"input_changes": [replay_pb2.InputChange(field="colour", add=1)]},
            ("INVALID_ARGUMENT", "INVALID_FIELDS"),
        ),
        (
            {"input_changes": [replay_pb2.InputChange(field="product", add=1)]},
            ("INVALID_ARGUMENT", "INVALID_FIELDS"),
        ),
        (
            {"input_changes": [replay_pb2.InputChange(field="defect_rate", set=value("much"))]},
            ("INVALID_ARGUMENT", "INVALID_FIELDS"),
        ),
    ],
)
async def test_what_cannot_be_replayed_is_refused(line, fields, kind):
    judged = await line.judge()
    refusal = await refused(line.ReplayExecution(**{"execution": judged.name, "targets": [on(2)], **fields}))
    assert refusal.kind == kind


async def test_a_version_that_was_retired_can_be_replayed(judged):
    await judged.RetireVersion(name=version(2), reason="never went out")
    assert (await report(judged)).targets[0].changed_outcomes == CHANGED


async def test_a_draft_with_faults_is_refused(line):
    judged = await line.judge()
    await line.SaveDraft(name=DRAFT, document=_text(weld(weld_rows(r_warm={"temperature": "> hot"}))))
    refusal = await refused(line.ReplayExecution(execution=judged.name, targets=[replay_pb2.Target(draft=DRAFT)]))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_RULESET")


async def test_a_strangers_execution_and_replay_are_not_there(judged, stranger):
    execution = (await judged.ListExecutions()).executions[0]
    replay = await create(judged)
    await stranger.publish("1.0.0", promote_to="prod")
    refusal = await refused(stranger.ReplayExecution(execution=execution.name, targets=[on(1)]))
    assert refusal.kind == ("NOT_FOUND", "EXECUTION_NOT_FOUND")
    for call in (
        stranger.GetReplay(name=replay.name),
        stranger.CancelReplay(name=replay.name),
        stranger.GetReplayReport(name=replay.name),
        stranger.WatchReplay(name=replay.name),
    ):
        assert (await refused(call)).kind == ("NOT_FOUND", "REPLAY_NOT_FOUND")


async def test_many_executions_are_replayed_with_a_report(judged):
    found = await report(judged)
    (target,) = found.targets
    assert (found.selected, found.reproduced, target.compared) == (EXECUTIONS, EXECUTIONS, EXECUTIONS)
    assert (target.target, target.changed_outcomes, target.escalated, target.relaxed) == (
        version(2),
        CHANGED,
        CHANGED,
        0,
    )
    assert sum(it.executions for it in target.transitions) == EXECUTIONS
    (cause,) = target.causes
    assert (cause.cause.id, cause.cause.kind) == ("c1", Cause.KIND_RULE_STARTED_MATCHING)
    assert (cause.executions, cause.share, len(cause.examples)) == (CHANGED, 1.0, 5)
    nearest = (await judged.GetExecution(name=cause.examples[0])).execution
    assert nearest.input.values["defect_rate"].number == 0.041
    assert target.change_rate.low < CHANGED / EXECUTIONS < target.change_rate.high
    assert {(it.dimension, it.value) for it in target.segments} == {("line", "L0"), ("line", "L1"), ("line", "L2")}
    assert {test.name for test in target.tests} == {"mcnemar-exact", "stuart-maxwell", "sign"}
    assert {"WHOLE_POPULATION", "SELECTION", "CLUSTERED_DATA"} <= {it.code for it in target.warnings}


async def test_the_report_is_a_page_in_english_or_korean(judged):
    replay = await ended(judged, await create(judged))
    pages = {
        language: (await judged.GetReplayReport(name=replay.name, with_html=True, language=language)).html
        for language in ("", "en", "ko")
    }
    assert pages[""] == pages["en"]
    assert all(page.startswith("<!doctype html>") for page in pages.values())
    assert "재실행" in pages["ko"]
    refusal = await refused(judged.GetReplayReport(name=replay.name, with_html=True, language="fr"))
    assert refusal.faults == [("language", "UNKNOWN_VALUE")]


async def test_a_replay_is_a_dry_run(judged, sql):
    async def others():
        rows = "SELECT count(*) FROM judgment.execution WHERE tenant = $1"
        told = "SELECT count(*) FROM judgment.event WHERE tenant = $1 AND resource NOT LIKE 'replays/%'"
        return await sql.fetchval(rows, judged.tenant), await sql.fetchval(told, judged.tenant)

    before = await others()
    await report(judged, targets=[on(2), RECORDED], input_changes=[replay_pb2.InputChange(field="temperature", add=9)])
    assert await others() == before


async def test_differences_are_listed_by_what_they_are(judged):
    replay = await ended(judged, await create(judged))
    found, token = [], ""
    while True:
        page = await judged.ListReplayDifferences(replay=replay.name, page_size=50, page_token=token)
        found += page.differences
        token = page.next_page_token
        if not token:
            break
    assert len({it.execution for it in found}) == len(found) == CHANGED
    assert {(it.to_outcome, it.to_rule, it.cause) for it in found} == {("critical", "r-critical", "c1")}
    by_outcome = Counter(it.from_outcome for it in found)
    for outcome, count in by_outcome.items():
        page = await judged.ListReplayDifferences(replay=replay.name, from_outcome=outcome, cause="c1", page_size=500)
        assert len(page.differences) == count
    assert not (await judged.ListReplayDifferences(replay=replay.name, cause="c2")).differences
    assert (await refused(judged.ListReplayDifferences(replay=replay.name, target=1))).fields == ["target"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"sample_rate": 0.5, "seed": 1}, range(100, 200)),
        ({"max_executions": 120}, [120]),
        ({"filter": {"line": "L1"}}, [EXECUTIONS // 3]),
        ({"filter": {"outcomes": ["critical"]}}, [EXECUTIONS // 100 * 19]),
    ],
)
async def test_a_part_of_them_can_be_replayed(judged, selection, expected):
    wanted = every()
    for name, each in selection.pop("filter", {}).items():
        if isinstance(each, list):
            getattr(wanted.filter, name).extend(each)
        else:
            setattr(wanted.filter, name, each)
    wanted.MergeFrom(replay_pb2.Selection(**selection))
    counted = (await judged.CreateReplay(selection=wanted, targets=[on(2)], validate_only=True)).replay
    assert counted.name == ""
    assert counted.progress.total in expected
    assert (await report(judged, selection=wanted)).selected == counted.progress.total


async def test_executions_can_be_named(judged):
    listed = (await judged.ListExecutions(page_size=7)).executions
    named = replay_pb2.Selection(executions=replay_pb2.ExecutionNames(names=[it.name for it in listed]))
    assert (await report(judged, selection=named)).selected == 7
    named.executions.names.append(f"executions/{uuid.uuid4()}")
    refusal = await refused(judged.CreateReplay(selection=named, targets=[on(2)]))
    assert refusal.kind == ("NOT_FOUND", "EXECUTION_NOT_FOUND")


async def test_a_replay_of_nothing_is_refused(line):
    refusal = await refused(line.CreateReplay(selection=every(), targets=[on(2)]))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOTHING_SELECTED")
    refusal = await refused(line.CreateReplay(targets=[on(2)]))
    assert refusal.fields == ["selection"]


async def test_few_of_many_are_found_by_looking_at_some_at_a_time(judged, monkeypatch):
    """One statement would look at the whole table, run into its time limit, and be sent again for ever."""
    monkeypatch.setattr(execution_pages, "LOOKED_AT", 7)
    wanted = every()
    wanted.filter.unit = "lot-3"
    assert (await report(judged, selection=wanted)).selected == 10
    wanted = every()
    wanted.filter.outcomes.append("critical")
    assert (await report(judged, selection=wanted)).selected == EXECUTIONS // 100 * 19
    wanted = every()
    wanted.MergeFrom(replay_pb2.Selection(sample_rate=0.02, seed=3))
    counted = (await judged.CreateReplay(selection=wanted, targets=[on(2)], validate_only=True)).replay
    assert (await report(judged, selection=wanted)).selected == counted.progress.total


async def test_a_replay_that_finds_nothing_in_a_large_table_ends(judged, monkeypatch):
    """How many there are was an estimate when it was created: there were too many to look at them all."""
    monkeypatch.setattr(execution_pages, "LOOKED_AT", 7)
    wanted = every()
    wanted.filter.line = "L9"
    refusal = await refused(judged.CreateReplay(selection=wanted, targets=[on(2)]))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOTHING_SELECTED")
    monkeypatch.setattr(execution_pages, "_COUNTED", 100)
    replay = await ended(judged, await create(judged, selection=wanted))
    assert (replay.state, replay.error) == (Replay.STATE_FAILED, "The selection has no executions.")


async def test_what_does_not_come_out_as_recorded_is_not_compared(judged, sql):
    await sql.execute(
        "UPDATE judgment.execution SET outcome = 'normal' WHERE tenant = $1 AND winning_rule = 'r-critical'",
        judged.tenant,
    )
    replay = await ended(judged, await create(judged))
    assert replay.state == Replay.STATE_NOT_REPRODUCIBLE
    assert "executions/" in replay.error
    refusal = await refused(judged.GetReplayReport(name=replay.name))
    assert refusal.kind == ("FAILED_PRECONDITION", "REPLAY_NOT_COMPLETED")
    assert not (await judged.ListReplayDifferences(replay=replay.name)).differences


@pytest.mark.parametrize("missing", ["error", "allow"])
async def test_a_number_far_outside_comes_out_again_as_it_was_recorded(client, missing):
    temperature = {"field": "temperature", "type": "number", "outside": "indeterminate", "missing": missing}
    await client.publish("1.0.0", promote_to="prod", inputs=[FIELDS[0], temperature, FIELDS[2]])
    for far in (1e30, -1e30):
        judged = await client.judge(input=given(temperature=far))
        assert judged.judgment.status == judgment_pb2.Judgment.STATUS_INDETERMINATE
    (target,) = (await report(client, targets=[RECORDED])).targets
    assert target.unchanged == 2
    (compared,) = (await client.ReplayExecution(execution=judged.name, targets=[RECORDED])).comparisons
    assert compared.change == Comparison.CHANGE_NONE


async def test_inputs_that_are_large_are_read_in_smaller_pages(client, service):
    """A page ends after 16 MiB of inputs; what is selected is replayed all the same."""
    names = [f"note_{number}" for number in range(8)]
    notes = [{"field": name, "type": "string"} for name in names]
    await client.publish("1.0.0", promote_to="prod", inputs=[*FIELDS, *notes])
    large = given(**{name: name * 650 for name in names})
    for _ in range(6):
        inputs = [judgment_service_pb2.BatchInput(input=large)] * 100
        await client.JudgeBatch(ruleset=RULESET, inputs=inputs)
    wanted = Selection(filter=Filter(ruleset="line.weld"))
    async with service.platform.database.snapshot(client.tenant) as connection:
        page = await execution_pages.page(connection, wanted, "", 32_768)
    assert 500 < page.rows < 600
    assert (await report(client, targets=[RECORDED])).targets[0].unchanged == 600


async def test_a_replay_is_kept_for_30_days_after_its_end(judged, service, sql):
    old, new = [await ended(judged, await create(judged)) for _ in range(2)]
    await sql.execute(
        "UPDATE judgment.replay SET end_time = end_time - interval '31 days' WHERE replay = $1",
        uuid.UUID(old.name.split("/")[1]),
    )
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        assert await replays.forget(connection) == 1
    refusal = await refused(judged.GetReplay(name=old.name))
    assert refusal.kind == ("NOT_FOUND", "REPLAY_NOT_FOUND")
    assert not await sql.fetchval(
        "SELECT count(*) FROM judgment.replay_difference WHERE replay = $1", uuid.UUID(old.name.split("/")[1])
    )
    assert (await judged.GetReplayReport(name=new.name)).report.selected == EXECUTIONS


async def test_a_tenant_has_at_most_20_replays_that_have_not_ended(judged, sql):
    """Who locks the open ones keeps them from going on: they are counted all the same."""
    async with sql.transaction():
        await sql.execute("LOCK TABLE judgment.replay_tally")
        for _ in range(20):
            await create(judged)
        refusal = await refused(judged.CreateReplay(selection=every(), targets=[on(2)]))
    assert refusal.kind == ("RESOURCE_EXHAUSTED", "TOO_MANY_REPLAYS")
    for replay in (await judged.ListReplays()).replays:
        await judged.CancelReplay(name=replay.name)
    assert (await create(judged)).state == Replay.STATE_PENDING


async def test_another_version_can_be_the_baseline(judged):
    (target,) = (await report(judged, baseline=on(2))).targets
    assert (target.unchanged, target.changed_outcomes) == (EXECUTIONS, 0)


async def test_an_input_that_a_target_refuses_is_counted_as_an_error(judged):
    narrow = [{**FIELDS[0], "max": 0.05}, *FIELDS[1:]]
    await judged.publish("3.0.0", inputs=narrow, blocking=[])
    replay = await ended(judged, await create(judged, targets=[on(3)]))
    (target,) = (await judged.GetReplayReport(name=replay.name)).report.targets
    errors = sum(number % 100 > 50 for number in range(EXECUTIONS))
    assert (replay.progress.errors, replay.progress.changed) == (target.errors, target.changed_outcomes) == (errors, 0)
    assert sum(it.errors for it in target.segments) == errors
    assert "INPUTS_REFUSED" in {it.code for it in target.warnings}
    assert [cause.cause.kind for cause in target.causes] == [Cause.KIND_SCHEMA_CHANGED]


async def test_the_same_request_makes_one_replay(judged):
    request = {"selection": every(), "targets": [on(2)], "request_id": str(uuid.uuid4())}
    first, second = await judged.CreateReplay(**request), await judged.CreateReplay(**request)
    assert (first.replay.name, second.replayed) == (second.replay.name, True)
    assert [it.name for it in (await judged.ListReplays(ruleset=RULESET)).replays] == [first.replay.name]


async def test_its_events_have_no_gap_and_end_with_its_end(judged):
    replay = await create(judged)
    await ended(judged, replay)
    events = [it.event async for it in judged.WatchReplay(name=replay.name, from_sequence=0)]
    assert [it.sequence for it in events] == list(range(1, len(events) + 1))
    assert events[0].state == Replay.STATE_PENDING
    assert (events[-1].state, events[-1].progress.percent) == (Replay.STATE_COMPLETED, 100)
    percents = [it.progress.percent for it in events]
    assert percents == sorted(percents)
    listed = await judged.ListReplayEvents(name=replay.name)
    assert list(listed.events) == events
    assert (await refused(judged.WatchReplay(name=replay.name, from_sequence=99))).kind == (
        "OUT_OF_RANGE",
        "SEQUENCE_AHEAD",
    )


@pytest.fixture
async def alone(service_databases, service_settings, connected):
    """A service that goes page by page of ten, on a database of its own; its client, and one that sees everything."""
    async with service_databases.fresh(SERVICE) as urls:
        settings = service_settings(SERVICE, urls.service, replay_page_executions=10)
        sql = await asyncpg.connect(urls.superuser)
        async with running(SERVICE, settings) as service, connected(service) as client:
            await client.publish("1.0.0", promote_to="prod")
            await client.publish("2.0.0", **STRICT)
            await judge_many(client, 3_000)
            yield client, sql
        await sql.close()


DONE = "SELECT (progress::json->>'done')::int FROM judgment.replay WHERE replay = $1"


async def test_a_replay_whose_owner_is_taken_for_dead_goes_on_after_its_last_page(alone):
    """Whoever takes it over counts nothing twice, and the one who comes back can write nothing."""
    client, sql = alone
    replay = await create(client)
    replay_id = uuid.UUID(replay.name.split("/")[1])
    await until(lambda: _is_under_way(sql, replay_id), 20)
    stolen = "UPDATE judgment.replay SET owner = gen_random_uuid(), lease_time = clock_timestamp() WHERE replay = $1"
    for _ in range(3):
        await sql.execute(stolen, replay_id)
    done = await ended(client, replay)
    assert (done.state, done.progress.done) == (Replay.STATE_COMPLETED, 3_000)
    found = (await client.GetReplayReport(name=replay.name)).report
    changed = sum(0.04 < number % 100 / 1000 <= 0.08 for number in range(3_000))
    assert (found.selected, found.targets[0].compared, found.targets[0].changed_outcomes) == (3_000, 3_000, changed)
    kept = "SELECT count(*) FROM judgment.replay_difference WHERE replay = $1"
    assert await sql.fetchval(kept, replay_id) == changed


async def test_a_cancelled_replay_stops_and_keeps_nothing(alone):
    client, sql = alone
    replay = await create(client)
    replay_id = uuid.UUID(replay.name.split("/")[1])
    await until(lambda: _is_under_way(sql, replay_id), 20)
    cancelled = (await client.CancelReplay(name=replay.name)).replay
    assert cancelled.state == Replay.STATE_CANCELLED
    assert (await client.CancelReplay(name=replay.name)).replay == cancelled
    events = [it.event async for it in client.WatchReplay(name=replay.name, from_sequence=0)]
    assert events[-1].state == Replay.STATE_CANCELLED
    next_one = await ended(client, await create(client))
    assert next_one.state == Replay.STATE_COMPLETED
    assert (await client.GetReplay(name=replay.name)).replay == cancelled
    for table in ("replay_difference", "replay_tally"):
        assert not await sql.fetchval(f"SELECT count(*) FROM judgment.{table} WHERE replay = $1", replay_id)


async def _is_under_way(sql, replay_id):
    return (await sql.fetchval(DONE, replay_id)) > 0


def _text(document):
    return json.dumps(document)
