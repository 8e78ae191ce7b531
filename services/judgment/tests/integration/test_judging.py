"""Judging: what comes back, what is stored, and what is refused."""

import asyncio
import math
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from judgment_rig.client import PROD, RULESET, given, version
from judgment_samples.documents import FIELDS, WELD_INPUTS, WELD_OUTPUTS, decision, table, weld_rows
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2, replay_pb2
from millwright_judgment.app import SERVICE
from millwright_judgment.domain.executions import time_of
from millwright_judgment.store import executions
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.service import running
from prometheus_client import REGISTRY

Judgment = judgment_pb2.Judgment
HOT = given(defect_rate=0.5)
FULL_BATCH = [judgment_service_pb2.BatchInput(input=HOT)] * 10_000
WAITING = "millwright_judgment_waiting_executions"
COUNT = "SELECT count(*) FROM judgment.execution WHERE tenant = $1"


@pytest.fixture
async def line(client):
    """A client whose weld line judges by version 1."""
    await client.release(1)
    return client


async def test_a_judgment_comes_back_and_can_be_read_again(line):
    """What Judge answers is what GetExecution gives."""
    segment = judgment_pb2.Segment(line="L1", product="P", shift="night", unit="lot-7")
    judged = await line.judge(segment=segment)
    assert judged.judgment.status == Judgment.STATUS_DECIDED
    assert (judged.judgment.outcome, judged.judgment.level, judged.judgment.winning_rule) == ("warning", 1, "r-warm")
    assert list(judged.judgment.matched_rules) == ["r-warm", "r-normal"]
    assert [action.code for action in judged.judgment.actions] == ["inspect"]
    assert (judged.version, judged.channel, judged.segment) == (version(1), "prod", segment)
    assert judged.input == given()
    assert (await line.GetExecution(name=judged.name)).execution == judged


async def test_what_was_recommended_is_in_the_row(line, sql):
    """The most urgent first; nothing is NULL."""
    recommended = "SELECT actions FROM judgment.execution WHERE tenant = $1 ORDER BY execution"
    for rate in (0.5, 0.05, 0.0):
        await line.judge(input=given(defect_rate=rate))
    rows = [row["actions"] for row in await sql.fetch(recommended, line.tenant)]
    assert rows == ['[["stop-line",1],["inspect",2]]', '[["inspect",2]]', None]


async def test_an_id_holds_the_milliseconds_of_its_judgment(line):
    """So that a look-up by id alone finds the day's partition."""
    judged = await line.judge()
    at = judged.judge_time.ToDatetime(UTC)
    assert time_of(uuid.UUID(judged.name.partition("/")[2])) == at
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("rate", "outcome"), [(0.08, "warning"), (0.08000000000000002, "warning"), (0.0805, "warning"), (0.081, "critical")]
)
async def test_a_number_at_a_limit_has_one_answer_on_every_path(line, rate, outcome):
    """Judge, JudgeBatch, JudgeStream and reading again: rounded once, to the field's resolution."""
    judged = await line.judge(input=given(defect_rate=rate))
    batch = await line.JudgeBatch(
        ruleset=RULESET, inputs=[judgment_service_pb2.BatchInput(input=given(defect_rate=rate))]
    )
    streamed = await _streamed(line, [{"input": given(defect_rate=rate)}])
    read = await line.GetExecution(name=judged.name)
    found = [
        judged,
        batch.results[0].judged.execution,
        streamed[0].result.judged.execution,
        read.execution,
    ]
    assert {each.judgment.outcome for each in found} == {outcome}
    assert len({each.input_hash for each in found}) == 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"defect_rate": math.nan}, ("input.values.defect_rate", "NOT_FINITE")),
        ({"defect_rate": math.inf}, ("input.values.defect_rate", "NOT_FINITE")),
        ({"defect_rate": "much"}, ("input.values.defect_rate", "WRONG_TYPE")),
        ({"defect_rate": True}, ("input.values.defect_rate", "WRONG_TYPE")),
        ({"defect_rate": None}, ("input.values.defect_rate", "MISSING")),
        ({"defect_rate": 1.5}, ("input.values.defect_rate", "OUT_OF_RANGE")),
        ({"colour": "red"}, ("input.values.colour", "UNKNOWN_FIELD")),
        ({"product": "w" * 1_000_000}, ("input.values.product", "TEXT_TOO_LONG")),
    ],
)
async def test_a_wrong_input_is_refused_by_its_field(line, changes, fault):
    """Never judged as if it were sound, and nothing is stored."""
    refusal = await refused(line.Judge(ruleset=RULESET, input=given(**changes)))
    assert refusal.kind == ("INVALID_ARGUMENT", "INVALID_INPUT")
    assert refusal.faults == [fault]
    assert not (await line.ListExecutions()).executions


async def test_what_is_missing_may_make_a_judgment_indeterminate(client):
    """By the ruleset's choice; it is stored with what was missing, and never `normal`."""
    inputs = [{**FIELDS[0], "missing": "indeterminate"}, *FIELDS[1:]]
    await client.publish(promote_to="prod", inputs=inputs)
    judged = await client.judge(input=given(defect_rate=None))
    assert judged.judgment.status == Judgment.STATUS_INDETERMINATE
    assert judged.judgment.outcome == ""
    assert [(it.field, it.code) for it in judged.judgment.problems] == [("defect_rate", "MISSING")]
    assert (await client.GetExecution(name=judged.name)).execution == judged


@pytest.mark.parametrize(
    ("ruleset", "kind"),
    [
        ("rulesets/line.other", ("NOT_FOUND", "RULESET_NOT_FOUND")),
        (f"{RULESET}/channels/beta", ("NOT_FOUND", "CHANNEL_NOT_FOUND")),
        (f"{RULESET}/versions/9", ("NOT_FOUND", "VERSION_NOT_FOUND")),
        ("weld", ("INVALID_ARGUMENT", "INVALID_FIELDS")),
    ],
)
async def test_what_is_not_there_cannot_be_judged_by(line, ruleset, kind):
    """Each by its name."""
    assert (await refused(line.Judge(ruleset=ruleset, input=given()))).kind == kind


async def test_wrong_fields_beside_the_values_are_named(line):
    """Segment, event time and keys have limits."""
    later = Timestamp()
    later.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    long = judgment_pb2.Segment(line="L" * 64, unit="\x00")
    cases = {"segment.line": {"segment": long}, "event_time": {"event_time": later}}
    cases["idempotency_key"] = {"idempotency_key": "k" * 129}
    for field, fields in cases.items():
        assert (await refused(line.Judge(ruleset=RULESET, input=given(), **fields))).fields[0] == field


async def test_a_preview_stores_nothing(line):
    """It judges, and has no name."""
    judged = await line.judge(validate_only=True)
    assert (judged.name, judged.judgment.outcome) == ("", "warning")
    assert not (await line.ListExecutions()).executions


async def test_a_batch_gives_each_input_its_own_status(line):
    """One that is wrong harms no other; the order is kept."""
    inputs = [given(), given(defect_rate=math.nan), given(defect_rate=0.5)]
    batch = [judgment_service_pb2.BatchInput(input=each) for each in inputs]
    batch.append(judgment_service_pb2.BatchInput(input=given(), segment=judgment_pb2.Segment(line="L" * 64)))
    answer = await line.JudgeBatch(ruleset=RULESET, inputs=batch)
    assert [each.WhichOneof("result") for each in answer.results] == ["judged", "error", "judged", "error"]
    assert [answer.results[place].judged.execution.judgment.outcome for place in (0, 2)] == ["warning", "critical"]
    assert len((await line.ListExecutions()).executions) == 2


async def test_a_full_batch_is_answered_in_the_basic_view(client, sql):
    """A default client takes 4 MiB: all that repeats the inputs, and explains, is left out."""
    await client.publish(promote_to="prod", decision=_explained())
    answer = await client.JudgeBatch(ruleset=RULESET, inputs=FULL_BATCH, view=judgment_pb2.EXECUTION_VIEW_BASIC)
    assert len(answer.results) == 10_000
    basic = answer.results[0].judged.execution
    whole = (await client.GetExecution(name=basic.name)).execution
    judged = whole.judgment
    assert basic == judgment_pb2.Execution(
        name=whole.name,
        version=whole.version,
        judge_time=whole.judge_time,
        judgment=Judgment(
            status=judged.status,
            outcome="critical",
            level=2,
            confidence=0.95,
            winning_rule="r-critical",
        ),
    )
    assert judged.explanations["en"]
    assert await sql.fetchval(COUNT, client.tenant) == 10_000


async def test_an_answer_that_no_default_client_takes_is_refused_before_anything_is_stored(client, sql):
    """It was stored, and not seen: a repeat without keys judged it twice."""
    await client.publish(promote_to="prod", decision=_explained())
    refusal = await refused(client.JudgeBatch(ruleset=RULESET, inputs=FULL_BATCH))
    assert refusal.kind == ("INVALID_ARGUMENT", "ANSWER_TOO_LARGE")
    assert refusal.info.metadata["limit_bytes"] == str(4 * 1024 * 1024)
    assert int(refusal.info.metadata["size_bytes"]) > 5_000_000
    assert "BASIC" in refusal.message
    assert await sql.fetchval(COUNT, client.tenant) == 0
    fewer = await client.JudgeBatch(ruleset=RULESET, inputs=FULL_BATCH[:5_000])
    assert {each.WhichOneof("result") for each in fewer.results} == {"judged"}


async def test_refusals_count_towards_the_answer_too(line):
    """Each names its fields."""
    wrong = judgment_service_pb2.BatchInput(input=given(defect_rate="much", temperature="hot", colour="red"))
    asked = {"ruleset": RULESET, "inputs": [wrong] * 10_000, "view": judgment_pb2.EXECUTION_VIEW_BASIC}
    assert (await refused(line.JudgeBatch(**asked))).reason == "ANSWER_TOO_LARGE"


async def test_first_answers_that_do_not_fit_are_refused_alone(client, sql):
    """What was judged beside them is stored, and must not be lost on the way."""
    await client.publish(promote_to="prod", decision=_explained())
    keyed = [judgment_service_pb2.BatchInput(input=HOT, idempotency_key=f"k-{n}") for n in range(7_000)]
    for half in (keyed[:3_500], keyed[3_500:]):
        await client.JudgeBatch(ruleset=RULESET, inputs=half)
    await client.publish("2.0.0", "prod", decision=_explained(explanation_en="", explanation_ko="", actions=""))
    answer = await client.JudgeBatch(ruleset=RULESET, inputs=[*keyed, judgment_service_pb2.BatchInput(input=HOT)])
    *first, new = answer.results
    assert {each.error.code for each in first} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
    assert (await client.GetExecution(name=new.judged.execution.name)).execution == new.judged.execution
    refusal = await refused(client.JudgeBatch(ruleset=RULESET, inputs=keyed))
    assert refusal.reason == "ANSWER_TOO_LARGE"
    basic = await client.JudgeBatch(ruleset=RULESET, inputs=keyed, view=judgment_pb2.EXECUTION_VIEW_BASIC)
    assert all(each.judged.replayed for each in basic.results)
    assert await sql.fetchval(COUNT, client.tenant) == 7_001


async def test_a_view_that_is_none_is_refused(line):
    """A newer client may know more of them."""
    batch = [judgment_service_pb2.BatchInput(input=given())]
    assert (await refused(line.JudgeBatch(ruleset=RULESET, inputs=batch, view=7))).fields == ["view"]


@pytest.mark.parametrize("count", [0, 10_001])
async def test_a_batch_has_a_size(line, count):
    """1 to 10,000."""
    inputs = [judgment_service_pb2.BatchInput()] * count
    assert (await refused(line.JudgeBatch(ruleset=RULESET, inputs=inputs))).fields == ["inputs"]


async def test_the_same_key_gives_the_first_answer_again(line):
    """Also after the channel has moved; another body is refused."""
    first = await line.Judge(ruleset=RULESET, input=given(), idempotency_key="k")
    await line.publish("2.0.0", "prod", titles={"en": "two"})
    again = await line.Judge(ruleset=RULESET, input=given(), idempotency_key="k")
    assert again.replayed
    assert again.execution == first.execution
    other = await refused(line.Judge(ruleset=RULESET, input=given(temperature=1), idempotency_key="k"))
    assert other.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert len((await line.ListExecutions()).executions) == 1


async def test_the_first_answer_comes_even_when_the_version_is_bad_by_now(line):
    """The promise of a key does not end with its version."""
    first = await line.Judge(ruleset=version(1), input=given(), idempotency_key="k")
    await line.publish("2.0.0", "prod", titles={"en": "two"})
    await line.MarkVersionBad(version=version(1), reason="blind")
    assert (await line.Judge(ruleset=version(1), input=given(), idempotency_key="k")).execution == first.execution
    assert (await refused(line.Judge(ruleset=version(1), input=given()))).kind == ("FAILED_PRECONDITION", "VERSION_BAD")


async def test_a_key_that_is_used_many_times_at_once_is_used_once(line):
    """By single calls, and by the inputs of one batch."""
    calls = [line.Judge(ruleset=RULESET, input=given(), idempotency_key="k") for _ in range(20)]
    answers = await asyncio.gather(*calls)
    assert len({answer.execution.name for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    same = judgment_service_pb2.BatchInput(input=given(), idempotency_key="b")
    other = judgment_service_pb2.BatchInput(input=given(temperature=1), idempotency_key="b")
    results = (await line.JudgeBatch(ruleset=RULESET, inputs=[same, same, other])).results
    assert [each.WhichOneof("result") for each in results] == ["judged", "judged", "error"]
    assert results[0].judged.execution == results[1].judged.execution
    assert len((await line.ListExecutions()).executions) == 2


async def test_a_stream_answers_in_order(line):
    """More than its window, each with its number, wrong ones among them."""
    asked = [{"input": given(defect_rate=math.nan if number % 50 == 7 else 0.05)} for number in range(600)]
    answers = await _streamed(line, asked)
    assert [answer.number for answer in answers] == list(range(600))
    assert {answer.number % 50 for answer in answers if answer.result.WhichOneof("result") == "error"} == {7}


async def test_a_stream_ends_with_its_replica_and_hears_how_to_go_on(urls, service_settings, connected):
    async def asked():
        request = judgment_service_pb2.JudgeRequest(ruleset=RULESET, input=given())
        yield judgment_service_pb2.JudgeStreamRequest(number=7, request=request)
        await asyncio.Event().wait()

    async with running(SERVICE, service_settings(SERVICE, urls.service)) as replica, connected(replica) as client:
        await client.release(1)
        answers = client.judge_stream(asked())
        assert (await anext(aiter(answers))).number == 7
        replica.platform.signals.drain()
        refusal = await refused(answers)
    assert refusal.kind == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert "idempotency keys" in refusal.message


async def test_executions_are_listed_newest_first_by_what_they_are(line):
    """Filters hold together, and pages leave nothing out."""
    for place in range(5):
        segment = judgment_pb2.Segment(line=f"L{place % 2}")
        await line.judge(input=given(defect_rate=0.05 if place < 3 else 0.5), segment=segment)
    names, token = [], ""
    while True:
        page = await line.ListExecutions(page_size=2, page_token=token)
        names += [each.name for each in page.executions]
        if not (token := page.next_page_token):
            break
    assert names == sorted(names, reverse=True)
    assert len(names) == 5
    critical = await line.ListExecutions(filter={"ruleset": RULESET, "outcomes": ["critical"], "line": "L1"})
    assert [each.name for each in critical.executions] == [names[1]]
    assert not (await line.ListExecutions(filter={"outcomes": ["INDETERMINATE"]})).executions
    assert not (await line.ListExecutions(filter={"ruleset": version(2)})).executions


@pytest.mark.parametrize("page_size", [1, 2, 50])
async def test_few_of_many_are_listed_by_looking_at_some_at_a_time(line, monkeypatch, page_size):
    """One statement looked at all there is, and ran into its time limit: pages are short or empty, and go on."""
    monkeypatch.setattr(executions, "LOOKED_AT", 7)
    inputs = [
        judgment_service_pb2.BatchInput(input=given(), segment=judgment_pb2.Segment(line=f"L{place in (0, 1, 2, 20)}"))
        for place in range(40)
    ]
    results = (await line.JudgeBatch(ruleset=RULESET, inputs=inputs)).results
    wanted = [results[place].judged.execution.name for place in (20, 2, 1, 0)]
    pages, token = [], ""
    while True:
        asked = {"filter": {"ruleset": RULESET, "line": "LTrue"}, "page_size": page_size, "page_token": token}
        page = await line.ListExecutions(**asked)
        pages.append([each.name for each in page.executions])
        if not (token := page.next_page_token):
            break
    assert [name for page in pages for name in page] == wanted
    assert pages[:2] == [[], []]
    refusal = await refused(line.ListExecutions(filter={"line": "L9"}, page_token=await _token(line)))
    assert refusal.reason == "PAGE_TOKEN_MISMATCH"


async def test_an_execution_is_explained(line):
    """The rules, the condition that failed, and the nearest change that would matter."""
    judged = await line.judge()
    answer = await line.ExplainExecution(name=judged.name)
    assert answer.execution == judged
    won = [rule.rule for rule in answer.explanation.rules if rule.won]
    assert won == ["r-warm"]
    assert "defect_rate" in {each.field for each in answer.explanation.counterfactuals}
    assert answer.explanation.texts["en"]


_INSPECT_FIRST = judgment_pb2.Action(code="inspect", priority=1, labels={"en": "Inspect", "ko": "검사"})
REFUSED = '{"defect_rate":7.0,"temperature":80.0,"product":"widget"}'


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("outcome = 'warning'", {"outcome": "warning", "level": 1}),
        ("outcome = 'lava'", {"outcome": "lava", "level": 0}),
        ("status = 2, outcome = NULL", {"status": Judgment.STATUS_INDETERMINATE, "outcome": "", "level": 0}),
        ("confidence = 0.5", {"confidence": 0.5}),
        ("winning_rule = 'r-hot'", {"winning_rule": "r-hot"}),
        ("matched = '\\x0b'", {"matched_rules": ["r-critical", "r-warm", "r-normal"]}),
        ("outputs = '{\"cooling\": 3}'", {"outputs": {"cooling": judgment_pb2.Value(number=3)}}),
        ("actions = NULL", {"actions": []}),
        ("actions = '[[\"inspect\", 1]]'", {"actions": [_INSPECT_FIRST]}),
        (f"input = '{REFUSED}'", {}),
    ],
)
async def test_what_was_recorded_is_answered_whatever_the_code_says_today(line, sql, change, expected):
    """It is found by what it is, shown as what it is, and not explained as something else."""
    whole = await line.judge(input=HOT, idempotency_key="k")
    assert whole.judgment.explanations["en"]
    other = await line.judge()
    await sql.execute(f"UPDATE judgment.execution SET {change} WHERE execution = $1", _id(whole))
    recorded = judgment_pb2.Execution()
    recorded.CopyFrom(whole)
    recorded.not_reproducible = True
    recorded.judgment.ClearField("explanations")
    for name in expected:
        recorded.judgment.ClearField(name)
    recorded.judgment.MergeFrom(Judgment(**expected))
    if "input" in change:
        recorded.input.CopyFrom(given(defect_rate=7.0))

    assert (await line.GetExecution(name=whole.name)).execution == recorded
    assert list((await line.ListExecutions()).executions) == [other, recorded]
    label = recorded.judgment.outcome or "INDETERMINATE"
    assert recorded in (await line.ListExecutions(filter={"outcomes": [label]})).executions
    again = await line.Judge(ruleset=RULESET, input=HOT, idempotency_key="k")
    assert (again.replayed, again.execution) == (True, recorded)
    replayed = await line.ReplayExecution(execution=whole.name, targets=[replay_pb2.Target(recorded=True)])
    assert replayed.original == recorded
    assert [it.change for it in replayed.comparisons] == [replay_pb2.Comparison.CHANGE_NOT_REPRODUCIBLE]
    refusal = await refused(line.ExplainExecution(name=whole.name))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOT_REPRODUCIBLE")
    assert dict(refusal.info.metadata) == {"execution": whole.name, "version": version(1)}


async def test_another_tenant_sees_nothing(line, stranger):
    """Not the execution, not the list, not the ruleset, not the key."""
    judged = await line.judge(idempotency_key="k")
    for call in (stranger.GetExecution(name=judged.name), stranger.ExplainExecution(name=judged.name)):
        assert (await refused(call)).kind == ("NOT_FOUND", "EXECUTION_NOT_FOUND")
    assert not (await stranger.ListExecutions()).executions
    assert (await refused(stranger.judge(idempotency_key="k"))).kind == ("NOT_FOUND", "RULESET_NOT_FOUND")


async def test_reading_needs_a_viewer_and_judging_an_operator(line, token):
    """As the protos say."""
    viewer = token(tenant=line.tenant, roles=["viewer"])
    judged = await line.judge()
    assert (await line.GetExecution(name=judged.name, token=viewer)).execution == judged
    refusal = await refused(line.Judge(ruleset=RULESET, input=given(), token=viewer))
    assert refusal.kind == ("PERMISSION_DENIED", "ROLE_MISSING")


async def test_nothing_is_judged_with_the_version_left_on_any_replica(settings, line, service, connected):
    """Once RollbackVersion has answered: both replicas know where the channel points before they answer."""
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        await line.publish("2.0.0", "prod", titles={"en": "two"})
        for client in (line, second):
            assert (await client.judge()).version == version(2)
        for _ in range(10):
            left = (await line.GetChannel(name=PROD)).channel.version
            judging = [asyncio.create_task(_judge_on(client)) for client in (line, second) for _ in range(8)]
            await line.RollbackVersion(
                channel=PROD, target_version=3 - left, reason="storm", allow_bad_target=True, freeze={}
            )
            found = await asyncio.gather(*(client.judge() for client in (line, second) for _ in range(8)))
            assert {each.version for each in found} == {version(3 - left)}
            await asyncio.gather(*judging)


@pytest.mark.parametrize("acknowledge", ["stored", "received"])
@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [("RetireVersion", "name", "VERSION_RETIRED"), ("MarkVersionBad", "version", "VERSION_BAD")],
)
async def test_a_version_that_is_out_of_use_cannot_be_judged_with_by_its_name(
    client, sql, change, field, reason, acknowledge
):
    """Also where it is remembered as one that may be; in each way of judging, and nothing is stored."""
    await client.publish(acknowledge=acknowledge)
    await client.publish("2.0.0", "prod", titles={"en": "two"})
    assert (await client.judge(version(1), idempotency_key="remembered")).version == version(1)
    await getattr(client, change)(**{field: version(1)}, reason="blind")
    for fields in ({}, {"idempotency_key": "new"}, {"input": given(defect_rate="much")}, {"validate_only": True}):
        refusal = await refused(client.judge(version(1), **fields))
        assert refusal.kind == ("FAILED_PRECONDITION", reason)
        assert "blind" in refusal.message
    batch = [judgment_service_pb2.BatchInput(input=given())]
    assert (await refused(client.JudgeBatch(ruleset=version(1), inputs=batch))).reason == reason
    (streamed,) = await _streamed(client, [{"ruleset": version(1), "input": given()}])
    assert streamed.result.error.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert await sql.fetchval(COUNT, client.tenant) == 1


async def test_a_version_is_retired_for_every_replica(settings, line, connected):
    """The one that remembers it, and was not the one that was told."""
    await line.publish("2.0.0", "prod", titles={"en": "two"})
    async with running(SERVICE, settings) as other, connected(other, line.tenant) as second:
        assert (await second.judge(version(1))).version == version(1)
        await line.RetireVersion(name=version(1), reason="done with")
        refusal = await refused(second.Judge(ruleset=version(1), input=given()))
        assert refusal.kind == ("FAILED_PRECONDITION", "VERSION_RETIRED")
        assert (await second.judge()).version == version(2)


async def test_no_row_is_stored_behind_the_rollback_that_left_its_version(line, sql):
    """By the order of commits: judgments hold their channels until they are stored, and a rollback waits for that."""
    await line.publish("2.0.0", "prod", titles={"en": "two"})
    await line.judge()
    tasks = [asyncio.create_task(_judge_on(line)) for _ in range(64)]
    await line.rollback()
    stored = await sql.fetchval(
        "SELECT count(*) FROM judgment.execution WHERE tenant = $1 AND version = 2", line.tenant
    )
    await asyncio.gather(*tasks)
    later = await sql.fetchval("SELECT count(*) FROM judgment.execution WHERE tenant = $1 AND version = 2", line.tenant)
    assert later == stored


async def test_a_ruleset_may_have_its_judgments_answered_before_they_are_stored(client, sql):
    """They are there soon; and a rollback holds for them, too."""
    await client.publish(promote_to="prod", acknowledge="received")
    judged = await client.judge()
    await client.publish("2.0.0", "prod", acknowledge="received", titles={"en": "two"})
    assert (await client.judge()).version == version(2)
    await client.rollback()
    assert (await client.judge()).version == version(1)
    # A judgment with a key waits for the store, and with it for what was queued before.
    await client.judge(idempotency_key="last")
    assert (await client.GetExecution(name=judged.name)).execution == judged
    assert await sql.fetchval("SELECT count(*) FROM judgment.execution WHERE tenant = $1", client.tenant) == 4


async def test_judging_sends_no_event(line, sql):
    """Executions are rows, not events."""
    count = "SELECT count(*) FROM judgment.event WHERE tenant = $1"
    before = await sql.fetchval(count, line.tenant)
    await line.judge()
    assert await sql.fetchval(count, line.tenant) == before


async def test_a_store_that_cannot_keep_up_refuses(settings, connected, sql):
    """With RetryInfo, before anything has happened; what was let in is stored once the store is free."""
    narrow = settings.model_copy(update={"waiting_executions": 1_000})
    async with running(SERVICE, narrow) as service, connected(service) as client:
        await client.release(1)
        await client.judge()
        async with sql.transaction():
            await sql.execute("LOCK TABLE judgment.execution IN ACCESS EXCLUSIVE MODE")
            inputs = [judgment_service_pb2.BatchInput(input=given())] * 900
            first = asyncio.ensure_future(client.JudgeBatch(ruleset=RULESET, inputs=inputs))
            await until(partial(_is_waiting, sql), 15)
            refusal = await refused(client.JudgeBatch(ruleset=RULESET, inputs=inputs))
        assert refusal.kind == ("RESOURCE_EXHAUSTED", "STORE_BUSY")
        assert refusal.retry_info is not None
        assert len((await first).results) == 900
        stored = await sql.fetchval("SELECT count(*) FROM judgment.execution WHERE tenant = $1", client.tenant)
        assert stored == 901


async def test_judgments_that_wait_are_counted_while_the_store_stands(client, sql):
    """Not when it took the last ones: whoever watches it is to see that they become more."""
    await client.release(1)
    async with sql.transaction():
        await sql.execute("LOCK TABLE judgment.execution IN ACCESS EXCLUSIVE MODE")
        first = asyncio.ensure_future(client.judge())
        await until(partial(_is_waiting, sql), 15)
        others = [asyncio.ensure_future(client.judge()) for _ in range(2)]
        await until(_three_wait, 15)
    await asyncio.gather(first, *others)
    assert REGISTRY.get_sample_value(WAITING) == 0


async def _three_wait():
    """Tell whether the metric counts three judgments that wait to be stored."""
    return REGISTRY.get_sample_value(WAITING) == 3


async def _token(client):
    """The token of an empty page."""
    page = await client.ListExecutions(filter={"ruleset": RULESET, "line": "L8"})
    assert not page.executions
    return page.next_page_token


def _id(execution):
    return uuid.UUID(execution.name.partition("/")[2])


async def _is_waiting(sql):
    """Tell whether a statement waits for the lock that the test holds."""
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'judgment.execution'::regclass"
    return bool(await sql.fetchval(waits))


def _explained(**cells):
    """The weld line's tables, where what is critical is explained at some length, or has other cells."""
    why = f'"{{defect_rate}} defects on {{product}}: {"stop the line and look at its electrodes. " * 3}"'
    rows = weld_rows(r_critical={"explanation_en": why, **cells})
    return decision(table(WELD_INPUTS, WELD_OUTPUTS, rows))


async def _judge_on(client):
    return (await client.judge()).version


async def _streamed(client, requests):
    async def asked():
        for number, fields in enumerate(requests):
            request = judgment_service_pb2.JudgeRequest(**{"ruleset": RULESET, **fields})
            yield judgment_service_pb2.JudgeStreamRequest(number=number, request=request)

    return [answer async for answer in client.judge_stream(asked())]
