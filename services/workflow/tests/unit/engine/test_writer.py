"""The writer: steps of many instances together, each whole or not at all, and none at another's cost."""

import asyncio
from dataclasses import replace

import pytest
from millwright_workflow.domain.execution import Active, End, Step
from millwright_workflow.domain.instances import Happening, InstanceEvent, State
from millwright_workflow.domain.interpreter.effects import TaskResult
from millwright_workflow.engine.running.writer import Superseded
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.steps import recall

ATTACH = """
WITH attached AS (UPDATE workflow.instance SET has_attachments = true WHERE tenant = $1 AND instance = $2)
INSERT INTO workflow.emission (tenant, instance, reference, pointer, event) VALUES ($1, $2, $3, $3, '{}')
"""
EMISSIONS = "SELECT reference FROM workflow.emission WHERE tenant = $1 AND instance = $2"
WORK = """
INSERT INTO workflow.work_item
    (tenant, instance, reference, part, id, queue, input, heartbeat, max_failures, state, due_time, create_time)
VALUES ($1, $2, '/do/0/a', 0, gen_random_uuid(), 'press', 'null', '1s', 1, 'QUEUED', now(), now())
"""
ITEMS = "SELECT count(*) FROM workflow.work_item WHERE tenant = $1"
HOLD = """
INSERT INTO workflow.hold (tenant, workflow, channel, version, revision, run_policy, reason, create_time)
VALUES ($1, 'plant.line', 'prod', 1, 9, 'PAUSE', 'it leaks', now())
"""


def step(instance, number=1, reference="/do/0/a"):
    """Give the step that finishes a task."""
    sequence = instance.sequence + number
    event = InstanceEvent(
        instance.tenant,
        instance.instance,
        sequence,
        Happening.TASK_COMPLETED,
        instance.workflow,
        1,
        instance.create_time,
        instance.day,
        task=reference,
    )
    result = TaskResult(reference, b"hash", {"n": number}, None, "continue", is_skipped=False)
    return Step(
        event, *instance.key, number, sequence, instance.create_time, result=result, output=f'{{"n": {number}}}'
    )


@pytest.fixture
def kept(platform):
    """Give a function that tells which task results of an instance are durable."""

    async def kept(instance):
        async with platform.database.snapshot(instance.tenant) as connection:
            memory = await recall(connection, *instance.key)
        return {reference: result.output["n"] for reference, result in memory.history.results.items()}

    return kept


async def test_a_step_is_durable_when_its_future_is_done(writer, begun, kept):
    instance = await begun()
    assert await writer.commit(step(instance)) is False
    assert await kept(instance) == {"/do/0/a": 1}


async def test_steps_of_one_instance_follow_one_another(writer, begun, kept):
    instance = await begun()
    for number in (1, 2, 3):
        await writer.commit(step(instance, number, f"/do/{number}/a"))
    assert await kept(instance) == {"/do/1/a": 1, "/do/2/a": 2, "/do/3/a": 3}


async def test_steps_of_more_instances_than_a_batch_holds_are_all_written(writer, begun, kept):
    instances = [await begun() for _ in range(300)]
    await asyncio.gather(*(writer.commit(step(instance)) for instance in instances))
    assert [await kept(instance) for instance in (instances[0], instances[-1])] == [{"/do/0/a": 1}] * 2


async def test_the_step_of_an_instance_that_another_owns_is_not_written_and_its_neighbours_are(writer, begun, kept):
    ours, other = await begun(), await begun(is_ours=False)
    refused, written = writer.commit(step(other)), writer.commit(step(ours))
    with pytest.raises(Superseded):
        await refused
    await written
    assert (await kept(other), await kept(ours)) == ({}, {"/do/0/a": 1})


@pytest.mark.parametrize("number", [0, 2])
async def test_a_step_that_does_not_follow_the_last_one_is_not_written(writer, begun, kept, number):
    instance = await begun()
    with pytest.raises(Superseded):
        await writer.commit(step(instance, number))
    assert await kept(instance) == {}


async def test_after_the_end_nothing_is_written(writer, begun):
    instance = await begun()
    end = replace(step(instance), end=End(State.COMPLETED, output=1))
    await writer.commit(end)
    with pytest.raises(Superseded):
        await writer.commit(step(instance, 2, "/do/1/b"))


async def test_a_step_that_postgres_refuses_fails_alone(writer, begun, kept):
    good, bad, better = [await begun() for _ in range(3)]
    futures = [writer.commit(step(good)), writer.commit(step(bad, reference="\0")), writer.commit(step(better))]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [outcomes[0], outcomes[2]] == [False, False]
    assert isinstance(outcomes[1], Exception)
    assert (await kept(good), await kept(bad), await kept(better)) == ({"/do/0/a": 1}, {}, {"/do/0/a": 1})


async def test_after_a_refused_step_the_next_one_takes_its_place(writer, begun, kept):
    instance = await begun()
    with pytest.raises(Exception, match="0x00"):
        await writer.commit(step(instance, reference="\0"))
    await writer.commit(step(instance))
    assert await kept(instance) == {"/do/0/a": 1}


async def test_a_step_tells_that_a_rollback_wants_the_instance_paused(writer, begun, sql):
    instance = await begun()
    await sql.execute(HOLD, instance.tenant)
    assert await writer.commit(step(instance)) is True


async def test_what_hangs_on_a_task_goes_with_its_result_and_its_neighbours_are_written_too(writer, begun, kept, sql):
    plain, attached, other = await begun(), await begun(), await begun(is_ours=False)
    for instance in (attached, other):
        for reference in ("/do/0/a", "/do/1/b"):
            await sql.execute(ATTACH, *instance.key, reference)
    futures = [writer.commit(step(instance)) for instance in (plain, attached, other)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert outcomes[:2] == [False, False]
    assert isinstance(outcomes[2], Superseded)
    assert (await kept(plain), await kept(attached), await kept(other)) == ({"/do/0/a": 1}, {"/do/0/a": 1}, {})
    assert [row["reference"] for row in await sql.fetch(EMISSIONS, *attached.key)] == ["/do/1/b"]
    assert len(await sql.fetch(EMISSIONS, *other.key)) == 2


async def test_an_instance_that_faults_lets_go_of_its_work_and_its_neighbours_are_written_too(writer, begun, kept, sql):
    plain, faulted, other = await begun(), await begun(), await begun(is_ours=False)
    for instance in (faulted, other):
        await sql.execute(WORK, *instance.key)
    ends = [Step(None, *it.key, 1, 2, it.create_time, end=End(State.FAULTED)) for it in (faulted, other)]
    await asyncio.gather(*map(writer.commit, [step(plain), *ends]), return_exceptions=True)
    assert await kept(plain) == {"/do/0/a": 1}
    assert await sql.fetchval(ITEMS, faulted.tenant) == 1  # of the other's worker, whose instance goes on


async def test_a_batch_leaves_its_connection_without_a_tenant(platform, writer, begun):
    await asyncio.gather(*[writer.commit(step(await begun())) for _ in range(3)])
    looks = [platform.database.call("SELECT FROM workflow.instance LIMIT 1") for _ in range(4)]
    assert await asyncio.gather(*looks) == [[]] * 4  # on each connection that the pool has


async def test_steps_of_one_instance_in_one_batch_are_written_together(writer, begun, sql):
    instance = await begun()
    futures = [writer.commit(step(instance, number, f"/do/{number}/a")) for number in (1, 2, 3)]
    assert await asyncio.gather(*futures) == [False] * 3
    seen = await sql.fetchrow(
        "SELECT step, sequence, finished_tasks FROM workflow.instance WHERE instance = $1", instance.instance
    )
    assert tuple(seen) == (3, 5, 3)
    queued = await sql.fetch(
        "SELECT sequence FROM workflow.outbox WHERE tenant = $1 ORDER BY position", instance.tenant
    )
    assert [row["sequence"] for row in queued] == [3, 4, 5]


@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_draining_waits_until_everything_is_durable(writer, begun, turns):
    instances = [await begun() for _ in range(20)]
    futures = [writer.commit(step(instance)) for instance in instances]
    for _ in range(turns):
        await asyncio.sleep(0)  # so far the writer has come
    await writer.drain()
    assert all(future.done() for future in futures)


async def test_reading_a_checkpoint_can_be_cancelled_at_any_moment(platform, begun):
    instance, checkpoints = await begun(), Checkpoints(platform.valkey)
    for turns in range(30):
        task = asyncio.create_task(checkpoints.recall([Active(instance, 1)]))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_running = task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == was_running
