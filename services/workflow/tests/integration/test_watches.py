"""Watch streams and their unary twins: a snapshot, then every event in order, from any sequence on, to the end."""

import asyncio
from functools import partial

import pytest
from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from millwright_runtime.events import watch
from workflow_rig.definitions import NAME, PROD, SET, WAIT, get

Instance, Kind = instance_pb2.Instance, instance_pb2.InstanceEvent


async def taken(stream, count):
    """Read so many messages of a stream, then leave it."""
    messages = []
    async for message in stream:
        messages.append(message)
        if len(messages) == count:
            stream.cancel()
            break
    return messages


@pytest.fixture
async def released(client):
    """A client whose log has two rows."""
    await client.release(SET)
    return client


async def test_a_watch_begins_with_the_state_as_it_is(released):
    (first,) = await taken(released.WatchReleases(workflow=NAME), 1)
    assert first.sequence == 2
    assert first.snapshot.workflow == (await released.GetWorkflow(name=NAME)).workflow
    assert [channel.name for channel in first.snapshot.channels] == [PROD]


async def test_after_the_snapshot_comes_what_is_committed_later(released):
    stream = released.WatchReleases(workflow=NAME)
    await anext(aiter(stream))
    await released.publish(WAIT, "2.0.0", promote_to="prod")
    releases = [message.release for message in await taken(stream, 2)]
    assert [release.revision for release in releases] == [3, 4]
    assert releases == list(reversed((await released.ListReleases(workflow=NAME, page_size=2)).releases))


async def test_from_sequence_0_everything_comes_and_no_snapshot(released):
    messages = await taken(released.WatchReleases(workflow=NAME, from_sequence=0), 2)
    assert [message.release.revision for message in messages] == [1, 2]


async def test_a_watch_that_breaks_goes_on_without_a_gap_or_a_repeat(released):
    (first,) = await taken(released.WatchReleases(workflow=NAME, from_sequence=0), 1)
    (second,) = await taken(released.WatchReleases(workflow=NAME, from_sequence=first.sequence), 1)
    assert (first.sequence, second.sequence) == (1, 2)


async def test_many_writers_leave_no_gap(released, service, connected):
    stream = released.WatchReleases(workflow=NAME)
    await anext(aiter(stream))
    async with connected(service, released.tenant) as other:
        await asyncio.gather(
            *(
                client.PromoteVersion(channel=f"{NAME}/channels/c-{number}", version=1)
                for number in range(40)
                for client in (released, other)
            )
        )
    messages = await taken(stream, 40)
    assert [message.sequence for message in messages] == list(range(3, 43))


async def test_a_sequence_that_has_not_come_yet_is_refused(released):
    refusal = await refused(released.WatchReleases(workflow=NAME, from_sequence=3))
    assert refusal.kind == ("OUT_OF_RANGE", "SEQUENCE_AHEAD")
    assert refusal.info.metadata["newest"] == "2"


@pytest.mark.parametrize("rpc", ["WatchReleases", "ListReleaseEvents"])
async def test_a_negative_sequence_is_refused(released, rpc):
    refusal = await refused(getattr(released, rpc)(workflow=NAME, from_sequence=-1))
    assert refusal.faults == [("from_sequence", "OUT_OF_RANGE")]


async def test_a_quiet_watch_shows_that_it_lives(released, monkeypatch):
    monkeypatch.setattr(watch, "follow", partial(watch.follow, heartbeat_seconds=0.05))
    _, second, third = await taken(released.WatchReleases(workflow=NAME), 3)
    assert [second.WhichOneof("message"), third.WhichOneof("message")] == ["heartbeat", "heartbeat"]
    assert second.sequence == third.sequence == 2


async def test_an_instance_is_watched_to_its_end(released, web):
    await released.publish([get(web.hold("/first"))], "2.0.0", promote_to="prod")
    instance = await released.start()
    await web.arrival("/first")
    stream = released.WatchInstance(name=instance)
    snapshot = (await anext(aiter(stream))).snapshot
    assert snapshot.state == Instance.STATE_RUNNING
    web.let_go("/first")
    kinds = [message.event.kind async for message in stream]
    assert kinds == [Kind.KIND_TASK_COMPLETED, Kind.KIND_COMPLETED]


async def test_the_events_of_an_instance_are_dense_and_say_what_happened(released):
    ended = await released.run()
    events = await released.events(ended.name)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [Kind.Kind.Name(event.kind) for event in events] == [
        "KIND_CREATED",
        "KIND_STARTED",
        "KIND_TASK_COMPLETED",
        "KIND_COMPLETED",
    ]
    assert [event.version for event in events] == [0, 1, 1, 1]
    assert events[2].task == "/do/0/measure"
    assert ended.sequence == 4


async def test_the_event_of_a_task_that_jumps_tells_where_to(released):
    switch = {"choose": {"switch": [{"bad": {"when": "${ true }", "then": "sort"}}]}}
    tasks = [switch, {"pack": {"set": {"n": 1}}}, {"sort": {"set": {"n": 2}, "then": "end"}}]
    await released.publish(tasks, "2.0.0")
    ended = await released.run(version=2)
    done = [event for event in await released.events(ended.name) if event.kind == Kind.KIND_TASK_COMPLETED]
    assert [(event.task, event.then) for event in done] == [("/do/0/choose", "sort"), ("/do/2/sort", "end")]


async def test_the_watch_of_what_has_ended_is_its_state_and_nothing_more(released):
    ended = await released.run()
    (only,) = [message async for message in released.WatchInstance(name=ended.name)]
    assert only.snapshot == ended


async def test_a_watch_from_the_end_ends_at_once(released):
    ended = await released.run()
    assert not [message async for message in released.WatchInstance(name=ended.name, from_sequence=ended.sequence)]


async def test_the_event_of_a_fault_tells_the_error(released):
    await released.publish([{"fail": {"raise": {"error": {"type": "https://p.example/e", "status": 418}}}}], "2.0.0")
    ended = await released.run(version=2)
    assert (await released.events(ended.name))[-1].error == ended.error


async def test_polling_gives_at_once_what_is_there(released):
    answer = await released.ListReleaseEvents(workflow=NAME, wait=Duration(seconds=10))
    assert [release.revision for release in answer.releases] == [1, 2]
    assert answer.sequence == 2


async def test_polling_goes_on_page_by_page(released):
    first = await released.ListReleaseEvents(workflow=NAME, page_size=1)
    second = await released.ListReleaseEvents(workflow=NAME, page_size=1, from_sequence=first.sequence)
    assert (first.sequence, second.sequence) == (1, 2)


async def test_polling_waits_for_what_comes(released):
    poll = asyncio.ensure_future(released.ListReleaseEvents(workflow=NAME, from_sequence=2, wait=Duration(seconds=20)))
    await released.publish(WAIT, "2.0.0")
    assert [release.revision for release in (await poll).releases] == [3]


async def test_polling_gives_up_when_its_time_is_over(released):
    answer = await released.ListReleaseEvents(workflow=NAME, from_sequence=2, wait=Duration(nanos=50_000_000))
    assert (list(answer.releases), answer.sequence) == ([], 2)


async def test_polling_answers_before_the_deadline_of_the_call(released):
    answer = await released.ListReleaseEvents(workflow=NAME, from_sequence=2, wait=Duration(seconds=30), deadline=0.7)
    assert answer.sequence == 2


async def test_polling_for_more_than_half_a_minute_is_refused(released):
    for seconds in (-1, 31, 2**60):
        refusal = await refused(released.ListReleaseEvents(workflow=NAME, wait=Duration(seconds=seconds)))
        assert refusal.faults == [("wait", "OUT_OF_RANGE")]


async def test_polling_an_instance_that_has_ended_does_not_wait(released):
    ended = await released.run()
    answer = await released.ListInstanceEvents(
        name=ended.name, from_sequence=ended.sequence, wait=Duration(seconds=30), deadline=10
    )
    assert not answer.events


async def test_polling_an_instance_past_its_newest_event_is_refused(released):
    ended = await released.run()
    refusal = await refused(released.ListInstanceEvents(name=ended.name, from_sequence=ended.sequence + 1))
    assert refusal.kind == ("OUT_OF_RANGE", "SEQUENCE_AHEAD")


async def test_polling_an_instance_gives_what_watching_gives(released):
    ended = await released.run()
    polled = (await released.ListInstanceEvents(name=ended.name)).events
    assert list(polled) == await released.events(ended.name)
