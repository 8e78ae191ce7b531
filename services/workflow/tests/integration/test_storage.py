"""What every storage of the engine does: the one in Postgres, and the one in memory that the simulation believes in."""

import asyncio
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import pytest
import redis.asyncio
from millwright_local.processes import until
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.signals import Signals
from millwright_runtime.json import to_text
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.idempotency import Requests
from millwright_runtime.service import Platform
from millwright_runtime.valkey import Valkey
from millwright_workflow.domain import partitions
from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.execution import End, Progress, Step, Tenure
from millwright_workflow.domain.instances import Happening, InstanceEvent, State
from millwright_workflow.domain.interpreter.effects import TaskResult, WorkflowError
from millwright_workflow.domain.releases import RunPolicy
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.storage import PostgresStorage
from workflow_rig.stages import WORKFLOW, MemoryStage, PostgresStage

LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=50)
LONG_AGO = timedelta(seconds=-1)
ALL = range(partitions.COUNT)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
TABLES = "instance, task_result, task_progress, worker, hold, channel, event, outbox"


@pytest.fixture
async def postgres_stage(urls, valkey):
    """A stage on Postgres, with nobody else on it."""
    admin = await asyncpg.connect(urls.superuser)
    await admin.execute(f"TRUNCATE {', '.join(f'workflow.{table.strip()}' for table in TABLES.split(','))} CASCADE")
    await admin.execute("UPDATE workflow.partition SET owner = NULL")
    await admin.close()
    database = await Database.open(urls.service, 10, application="storage")
    cache = Valkey(valkey.url)
    platform = Platform(database, cache, Signals(), Requests(database, "workflow"), None)
    log = EventLog("workflow")
    checkpoints = Checkpoints(cache)
    yield PostgresStage(PostgresStorage(platform, log, checkpoints), platform, log, checkpoints)
    await cache.close()
    await database.close()


@pytest.fixture(params=["memory", "postgres"])
def bare_stage(request):
    """A stage of either kind."""
    return MemoryStage() if request.param == "memory" else request.getfixturevalue("postgres_stage")


@pytest.fixture
async def stage(bare_stage):
    """A stage with a workflow of two versions, `prod` pointing to the second."""
    await bare_stage.prepare()
    return bare_stage


@pytest.fixture
def storage(stage):
    """The storage of the stage."""
    return stage.storage


@pytest.fixture
async def owner(storage) -> Tenure:
    """A worker that owns every partition."""
    return await joined(storage)


async def joined(storage, lease=LEASE, wanted=ALL) -> Tenure:
    worker = uuid.uuid4()
    await storage.renew(worker, lease)
    return Tenure(worker, await storage.acquire(worker, wanted))


async def begun(stage, owner):
    await stage.start()
    (active,) = await stage.storage.claim(owner, 10)
    return active


def step(active, number=1, reference="/do/0/note", **more) -> Step:
    """A step that finishes a task, or what `more` says."""
    instance = active.instance
    sequence = instance.sequence + number
    happening = more.pop("happening", Happening.TASK_COMPLETED)
    event = happening and InstanceEvent(
        *instance.key,
        sequence,
        happening,
        instance.workflow,
        instance.version,
        datetime.now(UTC),
        instance.day,
        reference,
    )
    if happening is Happening.TASK_COMPLETED:
        more["result"] = TaskResult(reference, b"hash", {"n": number}, {}, "continue")
        more |= {"output": f'{{"n":{number}}}', "context": "{}"}
    return Step(event, *instance.key, number, sequence, datetime.now(UTC), **more)


def ended(active, number, state=State.COMPLETED, **more) -> Step:
    happening = {
        State.COMPLETED: Happening.COMPLETED,
        State.PAUSED: Happening.PAUSED,
        State.COMPENSATING: Happening.COMPENSATION_STARTED,
        State.FAULTED: Happening.FAULTED,
        State.CANCELLED: Happening.CANCELLED,
    }[state]
    return step(active, number, happening=happening, end=End(state, **more))


# Leases.


async def test_who_renews_is_alive_and_owns_nothing_yet(storage) -> None:
    worker = uuid.uuid4()
    view = await storage.renew(worker, LEASE)
    assert view.alive == {worker}
    assert set(view.owners) == set(view.epochs) == set(ALL)
    assert set(view.owners.values()) == {None}


async def test_a_partition_that_nobody_owns_is_taken_under_a_new_epoch(storage) -> None:
    worker = uuid.uuid4()
    before = await storage.renew(worker, LEASE)
    epochs = await storage.acquire(worker, [3, 5])
    assert epochs == {3: before.epochs[3] + 1, 5: before.epochs[5] + 1}
    after = await storage.renew(worker, LEASE)
    assert {part for part, owner in after.owners.items() if owner == worker} == {3, 5}
    assert {part: after.epochs[part] for part in epochs} == epochs


async def test_of_two_who_want_a_partition_one_has_it(storage) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    for worker in (first, second):
        await storage.renew(worker, LEASE)
    won = await asyncio.gather(storage.acquire(first, ALL), storage.acquire(second, ALL))
    assert sorted([*won[0], *won[1]]) == list(ALL)


async def test_nothing_is_taken_from_the_living(storage) -> None:
    owner = await joined(storage, wanted=[1, 2])
    other = await joined(storage)
    assert other.epochs.keys() == set(ALL) - {1, 2}
    view = await storage.renew(other.worker, LEASE)
    assert view.alive == {owner.worker, other.worker}
    assert view.owners[1] == owner.worker


async def test_what_the_dead_owned_is_free(storage) -> None:
    dead = await joined(storage, lease=LONG_AGO, wanted=[1])
    worker = uuid.uuid4()
    view = await storage.renew(worker, LEASE)
    assert view.alive == {worker}
    assert view.owners[1] is None
    assert await storage.acquire(worker, [1]) == {1: dead.epochs[1] + 1}


async def test_who_lives_is_told_when_the_first_of_the_others_would_not(storage) -> None:
    assert (await storage.renew(uuid.uuid4(), LEASE)).next_lapse is None
    worker = uuid.uuid4()
    await joined(storage, lease=LEASE * 2)
    await joined(storage, lease=LONG_AGO)
    view = await storage.renew(worker, LEASE * 3)
    assert timedelta(0) < view.next_lapse <= LEASE


async def test_who_comes_back_to_life_in_time_keeps_what_it_owned(storage) -> None:
    owner = await joined(storage, lease=LONG_AGO, wanted=[1])
    await storage.renew(owner.worker, LEASE)
    assert (await joined(storage)).epochs.keys() == set(ALL) - {1}


async def test_an_owner_may_take_its_own_anew(storage) -> None:
    owner = await joined(storage, wanted=[1])
    assert await storage.acquire(owner.worker, [1]) == {1: owner.epochs[1] + 1}


async def test_what_is_given_up_is_free_and_the_rest_is_not(storage) -> None:
    owner = await joined(storage)
    await storage.release(owner.worker, [1, 2])
    assert (await joined(storage)).epochs == {1: owner.epochs[1] + 1, 2: owner.epochs[2] + 1}


async def test_nobody_gives_up_what_is_anothers(storage) -> None:
    owner = await joined(storage)
    await storage.release(uuid.uuid4(), ALL)
    assert set((await storage.renew(owner.worker, LEASE)).owners.values()) == {owner.worker}


async def test_who_leaves_is_gone_and_owns_nothing(storage) -> None:
    gone = await joined(storage)
    await storage.leave(gone.worker)
    other = await joined(storage)
    assert other.epochs.keys() == set(ALL)
    assert (await storage.renew(other.worker, LEASE)).alive == {other.worker}


# Claims.


async def test_a_claim_binds_to_what_the_channel_points_to(stage, storage, owner) -> None:
    key = await stage.start()
    (active,) = await storage.claim(owner, 10)
    assert (active.instance.key, active.instance.version, active.step) == (key, 2, 0)
    assert active.instance.state is State.RUNNING
    seen = await stage.look(key)
    assert (seen.state, seen.version) == (State.RUNNING, 2)
    assert seen.events == [(1, "CREATED"), (2, "STARTED")]
    assert seen.sequence == active.instance.sequence == 2


async def test_an_instance_that_was_started_on_a_version_begins_on_it(stage, storage, owner) -> None:
    await stage.start(version=1)
    assert [active.instance.version for active in await storage.claim(owner, 10)] == [1]


async def test_a_claim_takes_no_more_than_its_limit_and_each_instance_once(stage, storage, owner) -> None:
    keys = {await stage.start() for _ in range(3)}
    claimed = [active.instance.key for _ in range(3) for active in await storage.claim(owner, 2)]
    assert len(claimed) == 3
    assert set(claimed) == keys


async def test_a_claim_reaches_into_the_tenures_partitions_alone(stage, storage, owner) -> None:
    _, instance = await stage.start()
    elsewhere = {part: epoch for part, epoch in owner.epochs.items() if part != partitions.of(instance)}
    assert not await storage.claim(Tenure(owner.worker, elsewhere), 10)
    assert len(await storage.claim(owner, 10)) == 1


async def test_a_former_owner_claims_nothing(stage, storage, owner) -> None:
    await stage.start()
    await storage.acquire(owner.worker, ALL)
    assert not await storage.claim(owner, 10)
    assert not await storage.claim(Tenure(uuid.uuid4(), owner.epochs), 10)


async def test_after_a_rollback_nothing_begins_on_the_version_left(stage, storage, owner) -> None:
    through, pinned = await stage.start(), await stage.start(version=2)
    await stage.roll_back(RunPolicy.DRAIN)
    assert [active.instance.key for active in await storage.claim(owner, 10)] == [through]
    assert (await stage.look(through)).version == 1
    seen = await stage.look(pinned)
    assert (seen.state, seen.has_error) == (State.FAULTED, True)
    assert seen.events == [(1, "CREATED"), (2, "FAULTED")]


async def test_one_that_was_cancelled_before_it_began_is_not_claimed(stage, storage, owner) -> None:
    key = await stage.start()
    await stage.cancel(key)
    assert not await storage.claim(owner, 10)
    assert (await stage.look(key)).events == [(1, "CREATED"), (2, "CANCELLED")]


# Steps.


async def test_a_step_is_written_with_its_result_and_event(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    assert await storage.write(owner, [step(active)]) == {active.instance.key: False}
    seen = await stage.look(active.instance.key)
    assert seen.results == ["/do/0/note"]
    assert (seen.sequence, seen.finished_tasks) == (3, 1)
    assert seen.events[2:] == [(3, "TASK_COMPLETED")]
    (memory,) = await storage.recall([replace(active, step=1)])
    (kept,) = memory.checkpoints
    assert (kept.number, kept.result.output, kept.result.task_hash) == (1, {"n": 1}, b"hash")


async def test_a_step_is_written_once(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await storage.write(owner, [step(active)])
    before = await stage.look(active.instance.key)
    assert await storage.write(owner, [step(active)]) == {}
    assert await stage.look(active.instance.key) == before


async def test_a_step_that_skips_another_is_refused(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    assert await storage.write(owner, [step(active, 2)]) == {}
    assert (await stage.look(active.instance.key)).results == []


async def test_steps_of_many_instances_are_written_together_and_refused_alone(stage, storage, owner) -> None:
    first, second = await begun(stage, owner), await begun(stage, owner)
    batch = [step(first), step(second, 5), step(first, 2, "/do/1/more")]
    assert await storage.write(owner, batch) == {first.instance.key: False}
    assert (await stage.look(first.instance.key)).results == ["/do/0/note", "/do/1/more"]
    assert (await stage.look(second.instance.key)).results == []


async def test_a_former_owner_writes_nothing(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    renewed = Tenure(owner.worker, await storage.acquire(owner.worker, ALL))
    assert await storage.write(owner, [step(active)]) == {}
    assert await storage.write(Tenure(uuid.uuid4(), renewed.epochs), [step(active)]) == {}
    assert await storage.write(renewed, [step(active)]) == {active.instance.key: False}


async def test_a_task_has_one_result(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await storage.write(owner, [step(active)])
    with pytest.raises(Exception, match=r"task_result\w*_pkey"):
        await storage.write(owner, [step(active, 2)])
    assert (await stage.look(active.instance.key)).sequence == 3


async def test_progress_is_kept_without_an_event_and_begins_once(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    begin, due = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    first = Progress("wait /do/0/rest", begin, due)
    later = Progress("wait /do/0/rest", begin + timedelta(hours=1), due + timedelta(hours=1))
    for number, progress in enumerate((first, later), 1):
        written = replace(step(active, number, happening=None, progress=progress), sequence=2)
        assert await storage.write(owner, [written])
    (memory,) = await storage.recall([replace(active, step=2)])
    assert memory.progress == {first.key: replace(later, begin_time=begin)}
    assert (await stage.look(active.instance.key)).sequence == 2


async def test_each_instance_has_its_own_kept_as_of_its_last_step(stage, storage, owner) -> None:
    first, second, untouched = [await begun(stage, owner) for _ in range(3)]
    timer = Progress("wait /do/2/rest", datetime(2026, 3, 2, tzinfo=UTC))
    await storage.write(owner, [step(first), step(second), step(first, 2, "/do/1/more")])
    await storage.write(owner, [replace(step(second, 2, happening=None, progress=timer), sequence=3)])
    found = [replace(second, step=2), untouched, replace(first, step=2)]
    memories = await storage.recall(found)
    kept = [[each.result.reference for each in memory.checkpoints] for memory in memories]
    assert kept == [["/do/0/note"], [], ["/do/0/note", "/do/1/more"]]
    assert [list(memory.progress) for memory in memories] == [[timer.key], [], []]


async def test_an_end_is_the_last_step(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    assert await storage.write(owner, [step(active), ended(active, 2, output={"ok": True})])
    seen = await stage.look(active.instance.key)
    assert (seen.state, seen.output, seen.has_error) == (State.COMPLETED, {"ok": True}, False)
    assert seen.events[-1] == (4, "COMPLETED")
    assert await storage.write(owner, [step(active, 3, "/do/1/more")]) == {}
    assert not await storage.running(ALL)


async def test_a_fault_keeps_its_error(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await storage.write(owner, [ended(active, 1, State.FAULTED, error=WorkflowError("urn:test", 500))])
    seen = await stage.look(active.instance.key)
    assert (seen.state, seen.has_error, seen.output) == (State.FAULTED, True, None)


# What is found, and what is wanted.


async def test_running_instances_are_found_by_their_partitions(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await storage.write(owner, [step(active)])
    part = partitions.of(active.instance.instance)
    (found,) = await storage.running([part])
    assert (found.instance.key, found.step, found.instance.sequence) == (active.instance.key, 1, 3)
    assert not await storage.running(set(ALL) - {part})


async def test_a_wish_to_cancel_is_told_until_it_is_fulfilled(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    assert not await storage.wishes(ALL)
    await stage.cancel(active.instance.key)
    (wish,) = await storage.wishes(ALL)
    assert (wish.key, wish.run_policy, wish.reason) == (active.instance.key, RunPolicy.CANCEL, "enough")
    await storage.write(owner, [ended(active, 1, State.CANCELLED)])
    assert not await storage.wishes(ALL)


async def test_a_wish_to_pause_holds_an_instance_until_it_has_paused(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.pause(active.instance.key)
    (wish,) = await storage.wishes(ALL)
    assert (wish.key, wish.run_policy) == (active.instance.key, RunPolicy.PAUSE)
    assert await storage.write(owner, [step(active)]) == {active.instance.key: True}
    assert await storage.write(owner, [ended(active, 2, State.PAUSED)]) == {active.instance.key: False}
    assert (await stage.look(active.instance.key)).state is State.PAUSED
    assert not await storage.wishes(ALL)
    assert not await storage.running(ALL)


async def test_a_rollback_holds_whoever_was_bound_before_it(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.roll_back(RunPolicy.PAUSE)
    later = await begun(stage, owner)
    assert [(wish.key, wish.run_policy) for wish in await storage.wishes(ALL)] == [
        (active.instance.key, RunPolicy.PAUSE)
    ]
    written = await storage.write(owner, [step(active), step(later)])
    assert written == {active.instance.key: True, later.instance.key: False}


async def test_a_resumed_instance_is_taken_once_and_past_its_holds(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.roll_back(RunPolicy.PAUSE)
    await storage.write(owner, [ended(active, 1, State.PAUSED)])
    assert not await storage.take_resumed(owner)
    await stage.resume(active.instance.key)
    assert not await storage.take_resumed(Tenure(uuid.uuid4(), owner.epochs))
    (taken,) = await storage.take_resumed(owner)
    assert (taken.instance.key, taken.step, taken.instance.sequence) == (active.instance.key, 1, 4)
    assert not await storage.take_resumed(owner)
    assert not await storage.wishes(ALL)
    again = replace(step(taken, 2), sequence=5, event=replace(step(taken, 2).event, sequence=5))
    assert await storage.write(owner, [again]) == {active.instance.key: False}


async def test_one_that_paused_although_it_was_to_be_cancelled_is_cancelled(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.cancel(active.instance.key)
    await storage.write(owner, [ended(active, 1, State.PAUSED)])
    assert [instance.key for instance in await storage.cancel_paused(10)] == [active.instance.key]
    assert not await storage.cancel_paused(10)
    seen = await stage.look(active.instance.key)
    assert seen.state is State.CANCELLED
    assert seen.events[-2:] == [(3, "PAUSED"), (4, "CANCELLED")]


WRONG = WorkflowError(type="https://plant.example/errors/wrong", status=500)


async def test_one_that_is_to_be_undone_leaves_and_is_taken_once(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    begins = ended(active, 2, State.COMPENSATING, error=WRONG, compensation=CompensationState.RUNNING)
    await storage.write(owner, [step(active), begins])
    (taken,) = await storage.take_resumed(owner)
    assert not await storage.take_resumed(owner)
    assert (taken.instance.state, taken.instance.error, taken.step) == (State.COMPENSATING, None, 2)
    assert taken.instance.compensation == Compensation(CompensationState.RUNNING, WRONG)
    assert [each.instance.key for each in await storage.running(ALL)] == [active.instance.key]
    undo = step(active, 3, "/do/0/note/metadata/undo")
    end = ended(active, 4, State.FAULTED, error=WRONG, compensation=CompensationState.COMPLETED)
    assert await storage.write(owner, [undo]) == {active.instance.key: False}
    assert await storage.write(owner, [end])
    seen = await stage.look(active.instance.key)
    assert (seen.state, seen.finished_tasks, seen.has_error) == (State.FAULTED, 2, True)
    assert seen.compensation == Compensation(CompensationState.COMPLETED, WRONG)


async def test_what_is_being_undone_is_held_by_nothing_and_told_only_to_stop(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    key = active.instance.key
    await stage.pause(key)
    await stage.cancel(key, compensates=True)
    [wish] = await storage.wishes(ALL)
    assert (wish.run_policy, wish.reason, wish.state) == (RunPolicy.CANCEL_COMPENSATE, "enough", State.RUNNING)
    begins = ended(active, 1, State.COMPENSATING, error=WRONG, compensation=CompensationState.RUNNING)
    await storage.write(owner, [begins])
    await stage.roll_back(RunPolicy.PAUSE)
    assert not await storage.wishes(ALL)
    assert await storage.write(owner, [step(active, 2, "/do/0/note/metadata/undo")]) == {key: False}
    await stage.cancel(key)
    [wish] = await storage.wishes(ALL)
    assert (wish.run_policy, wish.state) == (RunPolicy.CANCEL, State.COMPENSATING)


async def test_one_that_paused_although_it_was_to_be_undone_is_undone(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.cancel(active.instance.key, compensates=True)
    await storage.write(owner, [ended(active, 1, State.PAUSED)])
    assert [instance.key for instance in await storage.cancel_paused(10)] == [active.instance.key]
    (taken,) = await storage.take_resumed(owner)
    assert (taken.instance.state, taken.step) == (State.COMPENSATING, 2)
    seen = await stage.look(active.instance.key)
    assert seen.events[-2:] == [(3, "PAUSED"), (4, "COMPENSATION_STARTED")]


async def test_one_that_ended_before_it_could_be_undone_has_no_compensation(stage, storage, owner) -> None:
    active = await begun(stage, owner)
    await stage.cancel(active.instance.key, compensates=True)
    await storage.write(owner, [step(active), ended(active, 2)])
    assert (await stage.look(active.instance.key)).compensation is None


async def test_the_workflow_of_every_instance_is_the_stages(stage, storage, owner) -> None:
    assert (await begun(stage, owner)).instance.workflow == WORKFLOW


# In Postgres, what takes long is waited for.


async def waits(observer, count) -> bool:
    return await observer.fetchval(WAITING) == count


async def test_an_owner_cannot_come_back_to_life_while_its_partitions_are_taken(postgres_stage, urls) -> None:
    storage = postgres_stage.storage
    dead = await joined(storage, lease=LONG_AGO, wanted=[1])
    writing = await asyncpg.connect(urls.superuser)
    transaction = writing.transaction()
    await transaction.start()
    await writing.execute("SELECT FROM workflow.partition WHERE part = 1 FOR SHARE")
    heir = uuid.uuid4()
    await storage.renew(heir, LEASE)
    taking = asyncio.ensure_future(storage.acquire(heir, [1]))
    observer = await asyncpg.connect(urls.superuser)
    await until(partial(waits, observer, 1), 10)
    renewing = asyncio.ensure_future(storage.renew(dead.worker, LEASE))
    await until(partial(waits, observer, 2), 10)
    await transaction.rollback()
    assert await taking == {1: dead.epochs[1] + 1}
    assert (await renewing).owners[1] == heir
    await writing.close()
    await observer.close()


# In Valkey, what is not whole is not believed.


@pytest.mark.parametrize("lost", ["result /do/0/a", "result /do/1/b", "progress wait /do/2/c", "step", "size"])
@pytest.mark.parametrize("grows", [False, True])
async def test_a_checkpoint_that_has_lost_a_field_is_not_believed(postgres_stage, valkey, lost, grows) -> None:
    await postgres_stage.prepare()
    storage, checkpoints = postgres_stage.storage, postgres_stage.checkpoints
    owner = await joined(storage)
    active = await begun(postgres_stage, owner)
    timer = Progress("wait /do/2/c", datetime(2026, 3, 2, tzinfo=UTC))
    waits = replace(step(active, 3, happening=None, progress=timer), sequence=4)
    for each in (step(active, 1, "/do/0/a"), step(active, 2, "/do/1/b"), waits):
        await storage.write(owner, [each])
    await checkpoints.drain()
    assert await checkpoints.recall([replace(active, step=3)])
    async with redis.asyncio.from_url(valkey.url) as client:
        name = f"millwright:workflow:checkpoint:{active.instance.tenant}:{{{active.instance.instance}}}"
        assert await client.hdel(name, lost) == 1
    if grows:
        last = step(active, 4, "/do/3/d")
        await storage.write(owner, [replace(last, sequence=5, event=replace(last.event, sequence=5))])
        await checkpoints.drain()
    number = 4 if grows else 3
    assert not await checkpoints.recall([replace(active, step=number)])
    (memory,) = await storage.recall([replace(active, step=number)])
    assert [kept.number for kept in memory.checkpoints] == [1, 2, 4][: number - 1]
    assert memory.progress.keys() == {"wait /do/2/c"}
    assert await checkpoints.recall([replace(active, step=number)])


# Large outputs.


def large(active, number, reference, megabytes) -> Step:
    """A step whose output is random, so that compressing it saves little."""
    output = to_text(random.Random(number).randbytes(int(megabytes * 2**19)).hex())
    return replace(step(active, number, reference), output=output)


async def test_a_large_output_comes_back_from_postgres_and_is_kept_out_of_valkey(postgres_stage) -> None:
    await postgres_stage.prepare()
    storage, checkpoints = postgres_stage.storage, postgres_stage.checkpoints
    owner = await joined(storage)
    active = await begun(postgres_stage, owner)
    steps = [step(active, 1, "/do/0/a"), large(active, 2, "/do/1/b", 1), step(active, 3, "/do/2/c")]
    for each in steps:
        await storage.write(owner, [each])
        await checkpoints.drain()
    now = replace(active, step=3)
    assert not await checkpoints.recall([now])
    (memory,) = await storage.recall([now])
    assert [kept.output for kept in memory.checkpoints] == [each.output for each in steps]
    assert not await checkpoints.recall([now])


async def test_what_compresses_well_is_in_valkey_too(postgres_stage) -> None:
    await postgres_stage.prepare()
    storage, checkpoints = postgres_stage.storage, postgres_stage.checkpoints
    owner = await joined(storage)
    active = await begun(postgres_stage, owner)
    wide = replace(step(active), output=to_text(["SMT-1"] * 200_000))
    await storage.write(owner, [wide])
    await checkpoints.drain()
    memory = (await checkpoints.recall([replace(active, step=1)]))[active.instance.key]
    assert [kept.output for kept in memory.checkpoints] == [wide.output]
