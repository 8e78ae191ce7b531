"""Canaries: who gets one, what its gates do with it, and that nothing begins on it once it is taken back."""

import asyncio
import json
import uuid
from datetime import timedelta

import nats as nats_client
import pytest
from aiohttp import web as http
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import instance_pb2, release_pb2, workflow_pb2
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.events.log import EventLog
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from millwright_workflow.domain.canaries import bucket
from millwright_workflow.engine.canaries import Canaries
from workflow_rig.canaries import WORKFLOW, GateResult, Release, begin, step
from workflow_rig.definitions import NAME, PROD, SET, get, version_name

Instance = instance_pb2.Instance
BAD = workflow_pb2.Version.STATE_BAD
PASS, FAIL, INCONCLUSIVE = GateResult.VERDICT_PASS, GateResult.VERDICT_FAIL, GateResult.VERDICT_INCONCLUSIVE
OTHER = [{"weigh": {"set": {"kg": 12}}}]


def rate(least):
    return {"min_success_rate": least}


def failing(_request):
    return http.Response(status=500)


async def slow(_request):
    await asyncio.sleep(0.3)
    return http.json_response({})


@pytest.fixture
async def two(client, web):
    """A client with two versions that each ask a path of the web server, `/stable` and `/canary`; `prod` is at 1."""
    await client.publish([get(web.url + "/stable")], "1.0.0", promote_to="prod")
    await client.publish([get(web.url + "/canary")], "2.0.0")
    return client


@pytest.fixture
async def plain(client):
    """A client with three versions that do nothing but complete; `prod` is at 1."""
    for number, do in enumerate((SET, OTHER, [*SET, *OTHER]), 1):
        await client.publish(do, f"{number}.0.0", promote_to="prod" if number == 1 else "")
    return client


# Who gets it.


async def test_a_key_gets_the_version_that_its_hash_draws(plain):
    trial = await begin(plain, step(3000, min_instances=10_000))
    drawn = await trial.run(10)
    others = await trial.run(10, is_drawn=False)
    assert {instance.version for instance in drawn} == {2}
    assert {instance.version for instance in others} == {1}


async def test_a_key_keeps_its_version_within_a_step_and_the_canary_as_the_share_grows(plain):
    trial = await begin(plain, step(3000, min_instances=10_000), step(6000, min_instances=10_000))
    (drawn,), (other,) = trial.keys(1), trial.keys(1, is_drawn=False)
    for _ in range(3):
        assert (await plain.run(routing_key=drawn)).version == 2
        assert (await plain.run(routing_key=other)).version == 1
    await plain.StepCanary(channel=PROD)
    assert (await plain.run(routing_key=drawn)).version == 2


async def test_without_a_key_the_id_draws(plain):
    trial = await begin(plain, step(5000, min_instances=10_000))
    ids = [str(uuid.uuid4()) for _ in range(20)]
    for instance_id in ids:
        is_drawn = bucket(WORKFLOW, "prod", trial.channel.canary.revision, instance_id) < 5000
        assert (await plain.run(instance_id=instance_id)).version == (2 if is_drawn else 1)


async def test_the_whole_of_a_share_of_all_gets_it(plain):
    await begin(plain, step(10_000, min_instances=10_000))
    assert {(await plain.run()).version for _ in range(10)} == {2}


async def test_instances_started_by_number_and_through_other_channels_are_not_drawn(plain):
    await plain.PromoteVersion(channel=f"{NAME}/channels/line-2", version=1)
    await begin(plain, step(10_000, min_instances=10_000))
    assert (await plain.run(version=1)).version == 1
    assert (await plain.run(channel="line-2")).version == 1


@pytest.mark.parametrize("key", ["x" * 201, "a\0b"])
async def test_a_wrong_routing_key_is_refused(plain, key):
    assert (await refused(plain.start(routing_key=key))).fields == ["routing_key"]


async def test_its_events_are_the_rows_of_the_log(two, web, nats):
    connection, messages = await nats_client.connect(nats.url), asyncio.Queue()
    await connection.subscribe(f"millwright.{two.tenant}.workflow.*.plant.line", cb=messages.put)
    await connection.flush()
    web.answer("/canary", failing)
    gates = [rate(0.9), {"max_p95_duration": Duration(seconds=1, nanos=500_000_000)}]
    trial = await begin(two, step(2500, *gates), step(5000, *gates))
    await two.StepCanary(channel=PROD)
    trial.channel = await trial.now()
    await trial.run(5)
    await trial.next_release()
    releases = list(reversed((await two.ListReleases(workflow=NAME, page_size=3)).releases))
    heard = {}
    async with asyncio.timeout(45):
        while len(heard) < 3:
            message = await messages.get()
            body = json_format.Parse(message.data, Release())
            assert json.loads(message.data) == json_format.MessageToDict(body)
            if body.revision >= releases[0].revision:
                heard[message.headers["ce-type"]] = body
    kinds = ["canary.started", "canary.stepped", "channel.rolled-back"]
    assert [heard[f"io.millwright.workflow.{kind}.v1"] for kind in kinds] == releases
    await connection.close()


@pytest.mark.timeout(180)
async def test_of_ten_thousand_instances_a_tenth_begins_on_a_canary_of_a_tenth(plain, sql):
    await begin(plain, step(1000, min_instances=10_000))
    seats = asyncio.Semaphore(64)

    async def start():
        async with seats:
            await plain.start(deadline=60.0)

    await asyncio.gather(*(start() for _ in range(10_000)))

    async def all_have_ended():
        ended = "SELECT count(*) FROM workflow.instance WHERE tenant = $1 AND state = 'COMPLETED'"
        return await sql.fetchval(ended, plain.tenant) == 10_000

    await until(all_have_ended, 120, poll_seconds=0.5)
    share = "SELECT version, count(*) FROM workflow.instance WHERE tenant = $1 GROUP BY version"
    counts = dict(await sql.fetch(share, plain.tenant))
    assert set(counts) == {1, 2}
    assert abs(counts[2] - 1000) <= 4 * (10_000 * 0.1 * 0.9) ** 0.5  # four sigma: once in 16,000 runs


# What its gates do.


async def test_a_canary_that_fails_is_rolled_back_with_its_evidence(two, web):
    web.answer("/canary", failing)
    trial = await begin(two, step(5000, rate(0.9), seconds=3600))
    await trial.run(5)
    release = await trial.next_release()
    assert release.operation == Release.OPERATION_ROLLBACK
    assert (release.from_version, release.to_version) == (2, 1)
    assert (release.marked_bad, release.automatic, release.actor) == (True, True, "millwright")
    assert release.reason == "gate failed: MIN_SUCCESS_RATE 0.9, measured 0"
    (evidence,) = release.evidence
    assert (evidence.verdict, evidence.value, evidence.canary_instances) == (FAIL, 0.0, 5)
    assert evidence.gate.min_success_rate == 0.9
    assert not trial.channel.HasField("canary")
    assert trial.channel.version == 1
    assert trial.channel.freeze_time.ToDatetime() - trial.channel.update_time.ToDatetime() == timedelta(hours=1)
    assert (await two.GetVersion(name=version_name(2))).version.state == BAD
    assert {instance.version for instance in await trial.run(3)} == {1}


async def test_the_rate_is_that_of_all_that_ended(two, web):
    web.answer("/canary", failing, lambda _: http.json_response({}))
    trial = await begin(two, step(5000, rate(0.9), min_instances=4))
    await trial.run(4)
    (evidence,) = (await trial.next_release()).evidence
    assert (evidence.value, evidence.canary_instances) == (0.75, 4)


async def test_a_drop_against_the_stable_version_of_the_same_time_fails(two, web):
    web.answer("/canary", failing)
    trial = await begin(two, step(5000, {"max_success_rate_drop": 0.2}))
    await trial.run(5)
    await trial.run(5, is_drawn=False)
    (evidence,) = (await trial.next_release()).evidence
    assert (evidence.verdict, evidence.value, evidence.stable_instances) == (FAIL, 1.0, 5)


async def test_a_line_that_fails_both_versions_speaks_against_neither(two, web):
    web.answer("/canary", failing)
    web.answer("/stable", failing)
    trial = await begin(two, step(5000, {"max_success_rate_drop": 0.2}))
    await trial.run(5)
    await trial.run(5, is_drawn=False)
    (result,) = (await trial.held()).gates
    assert (result.verdict, result.value) == (PASS, 0.0)


async def test_what_the_stable_version_did_before_is_not_compared_with(two, web):
    for _ in range(5):
        await two.run()
    web.answer("/canary", failing)
    trial = await begin(two, step(5000, {"max_success_rate_drop": 0.2}))
    await trial.run(5)
    (result,) = (await trial.held()).gates
    assert (result.verdict, result.canary_instances, result.stable_instances) == (INCONCLUSIVE, 5, 0)


async def test_a_canary_that_is_slow_fails(two, web):
    web.answer("/canary", slow)
    trial = await begin(two, step(5000, {"max_p95_duration": Duration(nanos=200_000_000)}))
    await trial.run(5)
    release = await trial.next_release()
    assert release.operation == Release.OPERATION_ROLLBACK
    assert release.evidence[0].value > 0.3


async def test_a_canary_that_is_slower_than_the_stable_version_fails(two, web):
    web.answer("/canary", slow)
    trial = await begin(two, step(5000, {"max_p95_ratio": 1.5}))
    await trial.run(5, is_drawn=False)
    await trial.run(5)
    release = await trial.next_release()
    assert release.operation == Release.OPERATION_ROLLBACK
    assert release.evidence[0].value > 1.5


async def test_a_good_canary_goes_through_its_steps_and_is_promoted(two):
    gates = (rate(0.9), {"max_p95_duration": Duration(seconds=10)})
    trial = await begin(two, step(2000, *gates), step(10_000, *gates), promote_at_end=True)
    await trial.run(5)
    stepped = await trial.next_release()
    assert (stepped.operation, stepped.automatic) == (Release.OPERATION_CANARY_STEP, True)
    assert (stepped.canary_version, stepped.canary_weight_bp, stepped.from_version, stepped.to_version) == (
        2,
        10_000,
        1,
        1,
    )
    assert [result.verdict for result in stepped.evidence] == [PASS, PASS]
    assert (trial.channel.canary.step, trial.channel.canary.weight_bp) == (1, 10_000)
    await trial.run(5)
    promoted = await trial.next_release()
    assert (promoted.operation, promoted.from_version, promoted.to_version) == (Release.OPERATION_PROMOTE, 1, 2)
    assert (trial.channel.version, trial.channel.HasField("canary")) == (2, False)


async def test_what_ended_before_a_step_does_not_count_for_it(two):
    trial = await begin(two, step(2000, rate(0.9)), step(5000, rate(0.9)))
    await trial.run(8)
    await trial.next_release()
    (result,) = (await trial.held()).gates
    assert (result.verdict, result.canary_instances) == (INCONCLUSIVE, 0)


async def test_without_promote_at_end_a_good_canary_is_held_until_a_person_promotes_it(two):
    trial = await begin(two, step(5000, rate(0.9)))
    await trial.run(5)
    canary = await trial.held()
    assert [result.verdict for result in canary.gates] == [PASS]
    answer = await two.StepCanary(channel=PROD, reason="good enough")
    assert answer.release.operation == Release.OPERATION_PROMOTE
    assert (answer.channel.version, answer.channel.HasField("canary")) == (2, False)


async def test_a_canary_without_instances_is_held_and_never_passes(two):
    trial = await begin(two, step(1000, rate(0.0), {"max_p95_duration": Duration(seconds=10)}), promote_at_end=True)
    canary = await trial.held()
    assert [result.verdict for result in canary.gates] == [INCONCLUSIVE, INCONCLUSIVE]
    assert (await trial.now()).revision == trial.channel.revision


async def test_a_held_canary_goes_on_once_its_sample_is_there(two):
    trial = await begin(two, step(5000, rate(0.9)), step(10_000))
    await trial.held()
    await trial.run(5)
    assert (await trial.next_release()).operation == Release.OPERATION_CANARY_STEP


async def test_a_held_canary_is_still_rolled_back(two, web):
    trial = await begin(two, step(5000, rate(0.9)))
    await trial.held()
    web.answer("/canary", failing)
    await trial.run(5)
    assert (await trial.next_release()).operation == Release.OPERATION_ROLLBACK


async def test_cancelled_instances_tell_nothing_of_a_version(two, web):
    web.hold("/canary")
    trial = await begin(two, step(5000, rate(0.9)))
    names = [await two.start(routing_key=key) for key in trial.keys(5)]
    await web.arrival("/canary", 5)
    for name in names:
        await two.CancelInstance(name=name)
        assert (await two.ended(name)).state == Instance.STATE_CANCELLED
    (result,) = (await trial.held()).gates
    assert (result.verdict, result.canary_instances) == (INCONCLUSIVE, 0)


async def test_a_frozen_channel_promotes_no_canary_by_itself(two):
    await two.publish(OTHER, "3.0.0", promote_to="prod")
    await two.rollback()
    trial = await begin(two, step(5000), promote_at_end=True)
    await trial.run(5)
    await trial.held()
    assert (await trial.now()).version == 1


async def test_the_clocks_of_the_replicas_do_not_matter(two, web, sql):
    """Every time that a process has written is wrong by years; the gates go by the database's."""
    web.answer("/canary", failing)
    trial = await begin(two, step(5000, rate(0.9), {"max_p95_duration": Duration(seconds=60)}, min_instances=6))
    await trial.run(5)
    wrong = "UPDATE workflow.instance SET start_time = start_time + $2, end_time = end_time - $2 WHERE tenant = $1"
    await sql.execute(wrong, two.tenant, timedelta(days=1000))
    await trial.run(1)
    release = await trial.next_release()
    assert [(result.verdict, result.canary_instances) for result in release.evidence] == [(FAIL, 6), (INCONCLUSIVE, 0)]


# What people do with it.


async def test_an_abort_takes_it_back(plain):
    trial = await begin(plain, step(10_000, min_instances=10_000))
    answer = await plain.AbortCanary(channel=PROD, reason="lunch")
    assert (answer.release.operation, answer.release.from_version) == (Release.OPERATION_CANARY_ABORT, 2)
    assert not answer.channel.HasField("canary")
    assert not answer.release.marked_bad
    assert {instance.version for instance in await trial.run(5)} == {1}


async def test_an_abort_marks_the_version_bad_if_told(plain):
    await begin(plain, step())
    answer = await plain.AbortCanary(channel=PROD, reason="it smokes", mark_bad=True)
    assert answer.release.marked_bad
    version = (await plain.GetVersion(name=version_name(2))).version
    assert (version.state, version.bad_reason) == (BAD, "it smokes")


async def test_a_rollback_of_a_person_leaves_the_canary_and_keeps_the_stable_version(plain):
    await begin(plain, step(10_000, min_instances=10_000))
    answer = await plain.rollback()
    assert (answer.release.from_version, answer.release.to_version, answer.release.marked_bad) == (2, 1, True)
    assert (answer.channel.version, answer.channel.HasField("canary")) == (1, False)
    assert (await plain.run()).version == 1


async def test_a_rollback_pauses_the_instances_on_the_canary_alone(two, web):
    web.hold("/canary")
    web.hold("/stable")
    trial = await begin(two, step(5000, min_instances=10_000))
    (drawn,), (other,) = trial.keys(1), trial.keys(1, is_drawn=False)
    on_canary, on_stable = await two.start(routing_key=drawn), await two.start(routing_key=other)
    await web.arrival("/canary")
    await web.arrival("/stable")
    answer = await two.rollback(run_policy=release_pb2.RUN_POLICY_CANCEL)
    assert answer.impact.running == 1
    assert (await two.ended(on_canary)).state == Instance.STATE_CANCELLED
    web.let_go("/stable")
    assert (await two.ended(on_stable)).state == Instance.STATE_COMPLETED


async def test_a_rollback_to_an_older_version_ends_the_canary_too(plain):
    await plain.PromoteVersion(channel=PROD, version=3)
    await begin(plain, step(10_000, min_instances=10_000))
    answer = await plain.rollback(target_version=1)
    assert (answer.release.from_version, answer.release.to_version) == (3, 1)
    assert not answer.channel.HasField("canary")
    assert (await plain.run()).version == 1


async def test_a_promotion_meanwhile_is_refused_unless_it_is_a_persons_of_the_canarys_version(plain):
    trial = await begin(plain, step())
    refusal = await refused(plain.PromoteVersion(channel=PROD, version=3))
    assert refusal.kind == ("FAILED_PRECONDITION", "CANARY_UNDER_WAY")
    revision = trial.channel.revision
    automatic = plain.PromoteVersion(channel=PROD, version=2, automatic=True, expected_revision=revision)
    assert (await refused(automatic)).reason == "CANARY_UNDER_WAY"
    answer = await plain.PromoteVersion(channel=PROD, version=2)
    assert (answer.channel.version, answer.channel.HasField("canary")) == (2, False)


async def test_a_version_that_is_marked_bad_is_drawn_no_more_and_its_canary_is_aborted(plain):
    trial = await begin(plain, step(10_000, min_instances=10_000))
    marked = await plain.MarkVersionBad(version=version_name(2), reason="it smokes")
    assert marked.changed
    assert (await plain.run()).version == 1
    trial.channel.revision += 1  # the mark's
    release = await trial.next_release()
    assert (release.operation, release.automatic) == (Release.OPERATION_CANARY_ABORT, True)
    assert release.reason == "version 2 is marked bad: it smokes"


async def test_a_canary_that_fails_beside_a_bad_stable_version_is_aborted(two, web):
    """There is nothing good to roll back to; the canary is left in any case."""
    await two.PromoteVersion(channel=f"{NAME}/channels/line-2", version=1)
    await two.publish(OTHER, "3.0.0")
    web.answer("/canary", failing)
    trial = await begin(two, step(10_000, rate(0.9), min_instances=2))
    web.hold("/canary")
    names = [await two.start() for _ in range(2)]
    await web.arrival("/canary", 2)
    await two.rollback(channel=f"{NAME}/channels/line-2", target_version=3)
    trial.channel.revision += 1  # that rollback's
    web.let_go("/canary")
    for name in names:
        await two.ended(name)
    release = await trial.next_release()
    assert (release.operation, release.marked_bad) == (Release.OPERATION_CANARY_ABORT, True)
    assert release.evidence[0].verdict == FAIL


async def test_one_canary_at_a_time(plain):
    await begin(plain, step())
    again = plain.StartCanary(channel=PROD, version=3, steps=[step()])
    assert (await refused(again)).kind == ("FAILED_PRECONDITION", "CANARY_UNDER_WAY")


async def test_a_channel_that_moved_is_told_with_its_revision(plain):
    trial = await begin(plain, step())
    revision = trial.channel.revision
    for call in (
        plain.StepCanary(channel=PROD, expected_revision=revision - 1),
        plain.AbortCanary(channel=PROD, expected_revision=revision - 1, reason="late"),
        plain.rollback(expected_revision=revision - 1),
    ):
        refusal = await refused(call)
        assert refusal.kind == ("ABORTED", "REVISION_MISMATCH")
        assert refusal.info.metadata["revision"] == str(revision)


WRONG = {
    "no steps": ({"steps": []}, "steps"),
    "too many steps": ({"steps": [step(n) for n in range(1, 22)]}, "steps"),
    "a weight of 0": ({"steps": [step(0)]}, "steps[0].weight_bp"),
    "a weight over all": ({"steps": [step(10_001)]}, "steps[0].weight_bp"),
    "weights that do not grow": ({"steps": [step(500), step(500)]}, "steps[1].weight_bp"),
    "a negative time": ({"steps": [step(seconds=-1)]}, "steps[0].min_duration"),
    "a time over 30 days": ({"steps": [step(seconds=31 * 86400)]}, "steps[0].min_duration"),
    "a negative sample": ({"steps": [step(min_instances=-1)]}, "steps[0].min_instances"),
    "a sample over the limit": ({"steps": [step(min_instances=10_001)]}, "steps[0].min_instances"),
    "too many gates": ({"steps": [step(5000, *[rate(0.9)] * 9)]}, "steps[0].gates"),
    "a gate of nothing": ({"steps": [step(5000, {})]}, "steps[0].gates[0]"),
    "a rate over 1": ({"steps": [step(5000, rate(1.1))]}, "steps[0].gates[0].min_success_rate"),
    "a rate that is no number": ({"steps": [step(5000, rate(float("nan")))]}, "steps[0].gates[0].min_success_rate"),
    "a negative drop": (
        {"steps": [step(5000, {"max_success_rate_drop": -0.1})]},
        "steps[0].gates[0].max_success_rate_drop",
    ),
    "a duration of 0": (
        {"steps": [step(5000, {"max_p95_duration": Duration()})]},
        "steps[0].gates[0].max_p95_duration",
    ),
    "a ratio without end": (
        {"steps": [step(5000, {"max_p95_ratio": float("inf")})]},
        "steps[0].gates[0].max_p95_ratio",
    ),
    "nothing to compare with": ({"steps": [step(10_000, {"max_p95_ratio": 2})]}, "steps[0].gates[0].max_p95_ratio"),
    "no version": ({"version": 0}, "version"),
    "automatic without a revision": ({"automatic": True}, "expected_revision"),
    "a negative revision": ({"expected_revision": -1}, "expected_revision"),
    "a reason too long": ({"reason": "x" * 1001}, "reason"),
    "a malformed channel": ({"channel": "prod"}, "channel"),
    "a request_id that is none": ({"request_id": "x"}, "request_id"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_field_is_named_and_nothing_changes(plain, what):
    fields, field = WRONG[what]
    refusal = await refused(plain.StartCanary(**{"channel": PROD, "version": 2, "steps": [step()], **fields}))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.fields == [field]
    assert not (await plain.GetChannel(name=PROD)).channel.HasField("canary")


async def test_an_abort_needs_a_reason(plain):
    await begin(plain, step())
    assert (await refused(plain.AbortCanary(channel=PROD, reason=" "))).fields == ["reason"]


@pytest.mark.parametrize("rpc", ["StepCanary", "AbortCanary"])
async def test_without_a_canary_there_is_nothing_to_move(plain, rpc):
    refusal = await refused(getattr(plain, rpc)(channel=PROD, reason="mine"))
    assert refusal.kind == ("FAILED_PRECONDITION", "NO_CANARY")


async def test_validating_only_answers_as_starting_would_and_writes_nothing(plain):
    fields = {"channel": PROD, "version": 2, "steps": [step()]}
    before = await plain.GetChannel(name=PROD)
    preview = await plain.StartCanary(validate_only=True, **fields)
    assert await plain.GetChannel(name=PROD) == before
    real = await plain.StartCanary(**fields)
    for answer in (preview, real):
        answer.channel.ClearField("update_time")
        answer.channel.canary.ClearField("start_time")
        answer.channel.canary.ClearField("step_time")
        answer.release.ClearField("create_time")
    assert preview == real


@pytest.mark.parametrize(
    ("rpc", "fields"),
    [("StartCanary", {"version": 2, "steps": [step()]}), ("StepCanary", {}), ("AbortCanary", {"reason": "lunch"})],
)
async def test_a_request_id_gives_the_first_answer_again(plain, rpc, fields):
    if rpc != "StartCanary":
        await begin(plain, step(), step(6000))
    request_id = str(uuid.uuid4())
    first = await getattr(plain, rpc)(channel=PROD, request_id=request_id, **fields)
    again = await getattr(plain, rpc)(channel=PROD, request_id=request_id, **fields)
    assert again.replayed
    again.replayed = False
    assert again == first


# Several at once.


async def test_many_looks_at_once_make_one_step(plain, service):
    """Nobody waits between looks, as if every replica's second ended in the same moment."""
    steps = [step(weight, min_instances=1) for weight in (1000, 2000, 10_000)]
    trial = await begin(plain, *steps)
    looks = [Canaries(service.platform, EventLog("workflow"), timedelta(0)) for _ in range(8)]
    await trial.run(1)
    await asyncio.gather(*(each.run_once() for each in looks * 5))
    assert (await trial.now()).canary.step == 1
    releases = (await plain.ListReleases(workflow=NAME)).releases
    assert [release.operation for release in releases].count(Release.OPERATION_CANARY_STEP) == 1


async def test_a_look_that_was_overtaken_changes_nothing(two, service, sql, web):
    """Between the decision to roll back and its commit a person aborts the canary: the person's word stands."""
    trial = await begin(two, step(5000, rate(0.9), min_instances=3))
    web.answer("/canary", failing)
    async with sql.transaction():
        await sql.execute("SELECT FROM workflow.workflow WHERE tenant = $1 FOR NO KEY UPDATE", two.tenant)
        abort = asyncio.ensure_future(two.AbortCanary(channel=PROD, reason="lunch"))
        await until(lambda: _waiting(service, 1), 10)
        await trial.run(3)
        await until(lambda: _waiting(service, 2), 10)
    await abort
    release = (await two.ListReleases(workflow=NAME, page_size=1)).releases[0]
    assert release.operation == Release.OPERATION_CANARY_ABORT
    looks = Canaries(service.platform, EventLog("workflow"), timedelta(0))
    assert await looks.run_once() == 0
    assert (await trial.now()).revision == release.revision
    assert (await two.GetVersion(name=version_name(2))).version.state != BAD


async def _waiting(service, count):
    """Tell whether so many wait for the lock of a workflow."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with service.platform.database.snapshot("*") as connection:
        return await connection.fetchval(waiting) >= count


async def test_two_replicas_take_a_canary_through_its_steps_once(settings, service, plain, connected):
    async with running(SERVICE, settings) as second, connected(second, plain.tenant) as other:
        weights = (1000, 3000, 6000, 10_000)
        trial = await begin(
            plain, *(step(weight, rate(0.9), min_instances=3) for weight in weights), promote_at_end=True
        )
        while (await trial.now()).version == 1:
            await asyncio.gather(*(client.run(routing_key=key) for client in (plain, other) for key in trial.keys(2)))
        releases = list(reversed((await plain.ListReleases(workflow=NAME)).releases))[4:]
    operations = [Release.OPERATION_CANARY_START, *[Release.OPERATION_CANARY_STEP] * 3, Release.OPERATION_PROMOTE]
    assert [release.operation for release in releases] == operations
    assert [release.canary_weight_bp for release in releases] == [*weights, 0]
