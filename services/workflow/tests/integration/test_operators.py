"""What operators do with instances: pause, resume, retry, fork, and look at what is kept of them."""

import pytest
from aiohttp.web import Response
from millwright.workflow.v1 import checkpoint_pb2, instance_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import SET, WAIT, get

Instance, Kind, Checkpoint = instance_pb2.Instance, instance_pb2.InstanceEvent, checkpoint_pb2.Checkpoint


@pytest.fixture
async def held(client, web):
    """A client with an instance that has done the first of three tasks, and is in the second."""
    tasks = [get(web.url + "/one", "one"), get(web.hold("/two"), "two"), get(web.url + "/three", "three")]
    await client.release(tasks)
    client.instance = await client.start()
    await web.arrival("/two")
    return client


async def test_a_paused_instance_finishes_its_task_and_goes_on_when_it_is_resumed(held, web):
    await held.PauseInstance(name=held.instance, reason="the line is being cleaned")
    web.let_go("/two")
    await held.reached(held.instance, Kind.KIND_PAUSED)
    assert not web.hits["/three"]
    await held.ResumeInstance(name=held.instance)
    ended = await held.ended(held.instance)
    assert (ended.state, ended.finished_tasks) == (Instance.STATE_COMPLETED, 3)
    assert [len(web.hits[path]) for path in ("/one", "/two", "/three")] == [1, 1, 1]


async def test_what_has_ended_cannot_be_paused(client):
    await client.release(SET)
    instance = await client.run()
    refusal = await refused(client.PauseInstance(name=instance.name))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_RUNNING")


async def test_a_faulted_instance_goes_on_at_the_task_that_failed(client, web):
    web.answer("/two", lambda _: Response(status=500), lambda _: Response(text="done"))
    await client.release([get(web.url + "/one", "one"), get(web.url + "/two", "two"), get(web.url + "/three", "three")])
    instance = await client.run()
    assert instance.state == Instance.STATE_FAULTED
    await client.RetryInstance(name=instance.name)
    await client.reached(instance.name, Kind.KIND_COMPLETED)
    ended = await client.get(instance.name)
    assert (ended.state, ended.finished_tasks) == (Instance.STATE_COMPLETED, 3)
    assert not ended.HasField("error")
    assert [len(web.hits[path]) for path in ("/one", "/two", "/three")] == [1, 2, 1]
    events = await client.events(instance.name)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_what_has_completed_has_nothing_to_retry(client):
    await client.release(SET)
    refusal = await refused(client.RetryInstance(name=(await client.run()).name))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_FAULTED")


async def test_checkpoints_are_listed_newest_first_by_pages(client):
    await client.release([{name: {"set": {"at": name}}} for name in "abc"])
    instance = (await client.run()).name
    first = await client.ListCheckpoints(instance=instance, page_size=2)
    rest = await client.ListCheckpoints(instance=instance, page_size=2, page_token=first.next_page_token)
    tasks = [kept.task for kept in [*first.checkpoints, *rest.checkpoints]]
    assert tasks == ["/do/2/c", "/do/1/b", "/do/0/a"]
    assert not rest.next_page_token


async def test_a_checkpoint_of_an_instance_that_runs_here_comes_from_memory(held):
    kept = (await held.GetCheckpoint(instance=held.instance)).checkpoint
    assert (kept.task, kept.tier) == ("/do/0/one", Checkpoint.TIER_MEMORY)


async def test_a_checkpoint_of_an_instance_that_has_ended_comes_from_postgres(client):
    await client.release(SET)
    instance = await client.run()
    kept = (await client.GetCheckpoint(instance=instance.name)).checkpoint
    assert kept.tier == Checkpoint.TIER_POSTGRES
    assert kept.output == instance.output


async def test_a_checkpoint_that_is_not_there_is_not_found(client):
    await client.release(SET)
    refusal = await refused(client.GetCheckpoint(instance=(await client.run()).name, sequence=99))
    assert refusal.kind == ("NOT_FOUND", "CHECKPOINT_NOT_FOUND")


async def test_a_fork_takes_over_what_is_the_same_and_runs_the_rest_on_another_version(client, web):
    one, two = get(web.url + "/one", "one"), get(web.url + "/two", "two")
    await client.release([one, two])
    instance = await client.run()
    better = await client.publish([one, two, get(web.url + "/three", "three")], "2.0.0")
    kept = (await client.ListCheckpoints(instance=instance.name)).checkpoints
    forked = await client.ForkInstance(
        name=instance.name, version=better.version.number, from_checkpoint=kept[-1].sequence
    )
    assert forked.adopted_tasks == 1
    ended = await client.ended(forked.instance.name)
    assert (ended.state, ended.finished_tasks, ended.version) == (Instance.STATE_COMPLETED, 3, 2)
    assert [len(web.hits[path]) for path in ("/one", "/two", "/three")] == [1, 2, 1]
    assert (await client.get(instance.name)).state == Instance.STATE_COMPLETED


async def test_a_fork_over_a_task_that_differs_is_refused_by_task(client):
    await client.release(SET)
    instance = await client.run()
    other = await client.publish(WAIT, "2.0.0")
    refusal = await refused(client.ForkInstance(name=instance.name, version=other.version.number))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOT_COMPATIBLE")
    assert refusal.fields


async def test_a_fork_that_is_only_checked_starts_nothing(client):
    await client.release(SET)
    instance = await client.run()
    answer = await client.ForkInstance(name=instance.name, validate_only=True)
    assert answer.adopted_tasks == 1
    assert len((await client.ListInstances()).instances) == 1
