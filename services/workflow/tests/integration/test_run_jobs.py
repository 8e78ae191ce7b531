"""Run jobs: instances on the version left go on on the target, by migration or by a successor, or are left with why."""

import asyncio
import json
import uuid

import asyncpg
import pytest
from millwright.workflow.v1 import instance_pb2, release_pb2
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.service import running
from millwright_workflow.app import SERVICE
from millwright_workflow.commands import migrating
from workflow_rig.definitions import NAME, PROD, WAIT, get, version_name

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent
RunJob, Outcome = release_pb2.RunJob, release_pb2.RunJobOutcome
MIGRATE, FORK = "RUN_POLICY_MIGRATE_COMPATIBLE", "RUN_POLICY_FORK_FROM_COMMON"
ONE = {"one": {"set": {"one": 1}}}


@pytest.fixture
async def under_way(client, web):
    """Give a function that releases two versions and starts instances on the second, which wait in their second task.

    Of both versions the second task is the same call, and the third makes the difference.
    """

    async def make(count=1, first_of_target=ONE, second_of_target=None):
        call = get(web.hold("/two"), "two")
        good = [first_of_target, second_of_target or call, get(web.url + "/good", "three")]
        await client.release(good, [ONE, call, get(web.url + "/bad", "three")])
        client.instances = [await client.start() for _ in range(count)]
        for instance in client.instances:
            await client.reached(instance, Kind.KIND_STARTED)
        await web.arrival("/two", count)
        return client

    return make


async def ended(client, answer):
    """Wait for the end of a rollback's job, and give it."""
    last = None
    async for message in client.WatchRunJob(name=answer.release.run_job):
        if message.HasField("run_job"):
            last = message.run_job
    return last


async def outcomes(client, answer, **fields):
    """Give what became of each instance of a rollback's job."""
    return list((await client.ListRunJobOutcomes(run_job=answer.release.run_job, **fields)).outcomes)


async def test_a_compatible_instance_goes_on_on_the_target_with_its_results(under_way, web):
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE)
    assert answer.impact.running == 1
    web.let_go("/two")
    instance = await client.ended(client.instances[0])
    assert (instance.state, instance.version, instance.finished_tasks) == (Instance.STATE_COMPLETED, 1, 3)
    assert (len(web.hits["/two"]), len(web.hits["/good"]), len(web.hits["/bad"])) == (1, 1, 0)
    job = await ended(client, answer)
    assert (job.state, job.total, job.counts) == (RunJob.STATE_COMPLETED, 1, release_pb2.RunJobCounts(migrated=1))
    assert job.release == answer.release.name
    (outcome,) = await outcomes(client, answer)
    assert (outcome.instance, outcome.kind) == (client.instances[0], Outcome.KIND_MIGRATED)


async def test_its_events_tell_of_the_pause_and_of_the_version_it_goes_on_on(under_way, web):
    client = await under_way()
    await client.rollback(run_policy=MIGRATE)
    web.let_go("/two")
    await client.ended(client.instances[0])
    events = await client.events(client.instances[0])
    told = [(Kind.Kind.Name(event.kind).removeprefix("KIND_"), event.version) for event in events]
    assert told == [
        ("CREATED", 0),
        ("STARTED", 2),
        ("TASK_COMPLETED", 2),
        ("TASK_COMPLETED", 2),
        ("PAUSED", 2),
        ("RESUMED", 1),
        ("TASK_COMPLETED", 1),
        ("COMPLETED", 1),
    ]
    assert [event.sequence for event in events] == list(range(1, 9))


async def test_one_that_is_not_compatible_stays_paused_with_the_reason(under_way, web):
    client = await under_way(first_of_target={"one": {"set": {"one": "other"}}})
    answer = await client.rollback(run_policy=MIGRATE)
    web.let_go("/two")
    job = await ended(client, answer)
    assert job.counts == release_pb2.RunJobCounts(paused=1)
    (outcome,) = await outcomes(client, answer)
    assert (outcome.kind, outcome.reason) == (Outcome.KIND_PAUSED, "/do/0/one CHANGED at /do/0/one")
    instance = await client.get(client.instances[0])
    assert (instance.state, instance.version) == (Instance.STATE_PAUSED, 2)
    await client.ResumeInstance(name=client.instances[0])
    assert (await client.ended(client.instances[0])).version == 2


async def test_a_wait_goes_on_where_it_was(client, sql):
    rest = [{"rest": {"wait": {"seconds": 2}}}]
    await client.release([*rest, ONE], rest)
    instance = await client.start()
    await client.reached(instance, Kind.KIND_STARTED)
    began = "SELECT min(begin_time) FROM workflow.task_progress WHERE tenant = $1"
    await until(lambda: _has(sql, began, client.tenant), 10)
    before = await sql.fetchval(began, client.tenant)
    await client.rollback(run_policy=MIGRATE)
    ended = await client.ended(instance)
    assert (ended.version, ended.state) == (1, Instance.STATE_COMPLETED)
    assert await sql.fetchval(began, client.tenant) == before


async def _has(sql, query, tenant):
    return await sql.fetchval(query, tenant) is not None


async def test_a_wait_that_the_target_does_not_know_is_an_obstacle(client, sql):
    await client.release([ONE], WAIT)
    instance = await client.start()
    await client.reached(instance, Kind.KIND_STARTED)
    began = "SELECT min(begin_time) FROM workflow.task_progress WHERE tenant = $1"
    await until(lambda: _has(sql, began, client.tenant), 10)
    answer = await client.rollback(run_policy=MIGRATE)
    assert (await ended(client, answer)).counts.paused == 1
    assert (await outcomes(client, answer))[0].reason == "/do/0/rest REMOVED"


async def test_a_forked_instance_is_superseded_by_one_that_begins_at_the_last_common_point(under_way, web):
    client = await under_way(second_of_target=get(web.url + "/other", "two"))
    answer = await client.rollback(run_policy=FORK)
    web.let_go("/two")
    assert (await ended(client, answer)).counts == release_pb2.RunJobCounts(forked=1)
    (outcome,) = await outcomes(client, answer)
    old = await client.get(client.instances[0])
    assert (old.state, old.version) == (Instance.STATE_CANCELLED, 2)
    assert old.error.detail == f"superseded by {outcome.successor} on version 1"
    new = await client.ended(outcome.successor)
    assert (new.state, new.version, new.finished_tasks) == (Instance.STATE_COMPLETED, 1, 3)
    assert (len(web.hits["/other"]), len(web.hits["/good"]), len(web.hits["/bad"])) == (1, 1, 0)
    kinds = [Kind.Kind.Name(event.kind).removeprefix("KIND_") for event in await client.events(outcome.successor)]
    assert kinds == ["CREATED", "STARTED", "TASK_COMPLETED", "TASK_COMPLETED", "COMPLETED"]


async def test_a_child_is_not_forked_since_its_parent_waits_for_it(client, web):
    await client.release([ONE], [get(web.hold("/child"), "ask"), ONE])
    run = {"run": {"workflow": {"namespace": "plant", "name": "line", "version": "latest"}}}
    document = {"dsl": "1.0.1", "namespace": "plant", "name": "parent", "version": "1.0.0"}
    definition = json.dumps({"document": document, "do": [{"sub": run}]})
    await client.PublishVersion(definition=definition, promote_to="prod")
    await client.start(workflow="workflows/plant.parent")
    await web.arrival("/child")
    answer = await client.rollback(run_policy=FORK)
    web.let_go("/child")
    assert (await ended(client, answer)).counts == release_pb2.RunJobCounts(paused=1)
    assert (await outcomes(client, answer))[0].reason.startswith("Another instance waits for it")


async def test_instances_that_end_by_themselves_are_counted(client, web):
    await client.release([ONE], [get(web.hold("/last"), "last")])
    instance = await client.start()
    await web.arrival("/last")
    answer = await client.rollback(run_policy=MIGRATE)
    web.let_go("/last")
    job = await ended(client, answer)
    assert (job.total, job.counts) == (1, release_pb2.RunJobCounts(ended=1))
    assert (await client.get(instance)).state == Instance.STATE_COMPLETED


async def test_a_job_without_instances_is_completed(client):
    await client.release([ONE], WAIT)
    answer = await client.rollback(run_policy=FORK)
    job = await ended(client, answer)
    assert (job.state, job.total) == (RunJob.STATE_COMPLETED, 0)


async def test_only_these_policies_have_a_job(client):
    await client.release([ONE], WAIT)
    answer = await client.rollback(run_policy="RUN_POLICY_PAUSE")
    assert answer.release.run_job == ""


async def test_nothing_goes_on_on_a_target_that_was_marked_bad_meanwhile(under_way, web):
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE)
    await client.MarkVersionGood(version=version_name(2), reason="it was the sensor")
    await client.PromoteVersion(channel=PROD, version=2)
    await client.MarkVersionBad(version=version_name(1), reason="it was not")
    web.let_go("/two")
    assert (await ended(client, answer)).counts.paused == 1
    assert (await outcomes(client, answer))[0].reason == "The target version is marked bad: it was not"


async def test_a_cancelled_job_lets_its_instances_go_on_where_they_are(under_way, web):
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE)
    job = (await client.CancelRunJob(name=answer.release.run_job)).run_job
    assert job.state == RunJob.STATE_CANCELLED
    web.let_go("/two")
    instance = await client.ended(client.instances[0])
    assert (instance.state, instance.version) == (Instance.STATE_COMPLETED, 2)
    assert (await outcomes(client, answer)) == []
    again = (await client.CancelRunJob(name=answer.release.run_job)).run_job
    assert again == job


async def test_instances_that_a_cancelled_job_had_stopped_go_on(under_way, web, sql, urls):
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE)
    watching = await asyncpg.connect(urls.superuser)
    async with sql.transaction():
        await sql.execute("SELECT FROM workflow.run_job WHERE tenant = $1 FOR UPDATE", client.tenant)
        cancelled = asyncio.ensure_future(client.CancelRunJob(name=answer.release.run_job))
        await until(lambda: _waiting(watching, 1), 10)
        web.let_go("/two")
        await client.reached(client.instances[0], Kind.KIND_PAUSED)
        await until(lambda: _waiting(watching, 2), 10)  # whoever deals with it comes after the cancellation
    await cancelled
    await watching.close()
    instance = await client.ended(client.instances[0])
    assert (instance.state, instance.version) == (Instance.STATE_COMPLETED, 2)
    assert await outcomes(client, answer) == []


async def _waiting(sql, count):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return await sql.fetchval(waiting) >= count


async def test_outcomes_come_in_pages_and_by_kind(under_way, web):
    client = await under_way(count=5)
    answer = await client.rollback(run_policy=MIGRATE)
    web.let_go("/two")
    await ended(client, answer)
    seen, token = [], ""
    while True:
        page = await client.ListRunJobOutcomes(run_job=answer.release.run_job, page_size=2, page_token=token)
        seen += [outcome.instance for outcome in page.outcomes]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted(client.instances)
    assert len(await outcomes(client, answer, kind="KIND_MIGRATED")) == 5
    assert await outcomes(client, answer, kind="KIND_FORKED") == []


@pytest.mark.parametrize("policy", [MIGRATE, FORK])
async def test_two_replicas_deal_with_each_instance_once(settings, under_way, web, policy, sql):
    async with running(SERVICE, settings):
        client = await under_way(count=40)
        answer = await client.rollback(run_policy=policy)
        web.let_go("/two")
        job = await ended(client, answer)
        dealt_with = job.counts.migrated + job.counts.forked
        assert (dealt_with, job.total) == (40, 40)
        found = await outcomes(client, answer, page_size=500)
        last = [outcome.successor or outcome.instance for outcome in found]
        assert len(set(last)) == 40
        finals = await asyncio.gather(*(client.ended(name) for name in last))
    assert {(instance.state, instance.version) for instance in finals} == {(Instance.STATE_COMPLETED, 1)}
    assert (len(web.hits["/good"]), len(web.hits["/bad"])) == (40, 0)
    running_still = "SELECT count(*) FROM workflow.instance WHERE tenant = $1 AND end_time IS NULL"
    assert await sql.fetchval(running_still, client.tenant) == 0


@pytest.mark.parametrize("rpc", ["GetRunJob", "CancelRunJob", "WatchRunJob"])
async def test_an_unknown_job_is_not_found(client, rpc):
    refusal = await refused(getattr(client, rpc)(name=f"runJobs/{uuid.uuid4()}"))
    assert refusal.kind == ("NOT_FOUND", "RUN_JOB_NOT_FOUND")


async def test_a_preview_orders_no_job(under_way):
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE, validate_only=True)
    assert (answer.release.run_job, answer.impact.running) == ("", 1)
    assert (await client.GetChannel(name=PROD)).channel.version == 2
    assert (await client.ListReleases(workflow=NAME, page_size=1)).releases[0].operation != answer.release.operation


async def test_what_goes_wrong_is_in_the_log_with_its_trace_under_the_id_that_is_told(
    under_way, web, monkeypatch, caplog
):
    async def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(migrating, "attend", fail)
    client = await under_way()
    answer = await client.rollback(run_policy=MIGRATE)
    web.let_go("/two")
    assert (await ended(client, answer)).counts.failed == 1
    (outcome,) = await outcomes(client, answer)
    (line,) = [line for line in caplog.records if getattr(line, "error_id", "none") in outcome.reason]
    assert line.exc_info[0] is ZeroDivisionError
    assert client.instances[0] == f"instances/{line.instance}"
