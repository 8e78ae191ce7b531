"""What an instance did is undone: after a cancel, a fault or a rollback, past crashes, and each thing once."""

import pytest
from aiohttp.web import Response, json_response
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import SET, get
from workflow_rig.owner import Owner

Instance, Kind, Compensation = instance_pb2.Instance, instance_pb2.InstanceEvent, instance_pb2.Compensation
ON_FAULT = {"compensate": "on-fault"}
UNDONE = ["/do/1/drill", "/do/0/clamp"]


def delete(url: str) -> dict:
    """Give a function that takes something back."""
    return {"call": "http", "with": {"method": "delete", "endpoint": url, "body": "${ . }"}}


def undone_by(function: str, task: dict) -> dict:
    """Give a task that names its undo."""
    [(name, what)] = task.items()
    return {name: {**what, "metadata": {"undo": function}}}


@pytest.fixture
def line(web):
    """The tasks of a line: two that can be undone, one that holds it up, and what undoes them."""
    web.answer("/clamp", lambda _: json_response({"part": 7}))
    tasks = [
        undone_by("unclamp", get(web.url + "/clamp", "clamp")),
        undone_by("fill", get(web.url + "/drill", "drill")),
        get(web.hold("/paint"), "paint"),
        {"dry": {"wait": {"hours": 1}}},
    ]
    use = {"functions": {"unclamp": delete(web.url + "/unclamp"), "fill": delete(web.url + "/fill")}}
    return {"do": tasks, "use": use}


@pytest.fixture
async def painting(client, web, line):
    """A client with an instance that has clamped and drilled, and is being painted; its `prod` is at version 2."""
    await client.publish(SET, "1.0.0", promote_to="prod")
    await client.publish(version="2.0.0", promote_to="prod", **line)
    client.instance = await client.start()
    await web.arrival("/paint")
    return client


def taken_back(web) -> list[int]:
    """Tell how often each was undone."""
    return [len(web.hits[path]) for path in ("/fill", "/unclamp")]


async def kinds_of(client, instance) -> list[str]:
    """Give the kinds of all events of an instance that has ended."""
    return [Kind.Kind.Name(event.kind).removeprefix("KIND_") for event in await client.events(instance)]


async def test_a_cancelled_instance_is_undone_the_last_to_finish_first(painting, web):
    await painting.CancelInstance(name=painting.instance, reason="wrong part", compensate=True)
    ended = await painting.ended(painting.instance)
    assert (ended.state, ended.error.detail, ended.finished_tasks) == (Instance.STATE_CANCELLED, "wrong part", 4)
    assert (ended.compensation.state, ended.compensation.undone) == (Compensation.STATE_COMPLETED, UNDONE)
    assert ended.compensation.cause == ended.error
    assert taken_back(web) == [1, 1]
    assert web.hits["/unclamp"][0][3] == b'{"part":7}'


async def test_undoing_is_told_from_its_beginning_to_its_end_without_a_gap(painting):
    await painting.CancelInstance(name=painting.instance, compensate=True)
    await painting.ended(painting.instance)
    events = await painting.events(painting.instance)
    assert [event.sequence for event in events] == list(range(1, 9))
    assert (await kinds_of(painting, painting.instance))[4:] == [
        "COMPENSATION_STARTED",
        "TASK_COMPLETED",
        "TASK_COMPLETED",
        "CANCELLED",
    ]
    assert [event.task for event in events[5:7]] == [f"{task}/metadata/undo" for task in UNDONE]


async def test_what_is_cancelled_without_compensation_is_left_as_it_is(painting, web):
    await painting.CancelInstance(name=painting.instance)
    ended = await painting.ended(painting.instance)
    assert not ended.HasField("compensation")
    assert taken_back(web) == [0, 0]


async def test_what_was_cancelled_can_be_undone_later(painting, web):
    await painting.CancelInstance(name=painting.instance, reason="wrong part")
    await painting.ended(painting.instance)
    answer = await painting.CancelInstance(name=painting.instance, compensate=True)
    assert answer.instance.state == Instance.STATE_COMPENSATING
    assert not answer.instance.HasField("end_time")
    await painting.reached(painting.instance, Kind.KIND_COMPENSATION_STARTED)
    last = (await painting.events(painting.instance))[-1]
    assert (last.kind, last.error.detail) == (Kind.KIND_CANCELLED, "wrong part")
    assert taken_back(web) == [1, 1]


async def test_a_paused_instance_is_undone(painting, web):
    await painting.PauseInstance(name=painting.instance)
    web.let_go("/paint")
    await painting.reached(painting.instance, Kind.KIND_PAUSED)
    await painting.CancelInstance(name=painting.instance, reason="wrong part", compensate=True)
    ended = await painting.ended(painting.instance)
    assert (ended.state, ended.compensation.undone) == (Instance.STATE_CANCELLED, UNDONE)


async def test_a_fault_has_what_was_done_undone_where_the_document_asks_for_it(client, web, line):
    web.answer("/paint", lambda _: Response(status=500))
    web.let_go("/paint")
    await client.publish(metadata=ON_FAULT, promote_to="prod", **line)
    ended = await client.run()
    assert (ended.state, ended.error.instance) == (Instance.STATE_FAULTED, "/do/2/paint")
    assert (ended.compensation.state, ended.compensation.undone) == (Compensation.STATE_COMPLETED, UNDONE)
    assert ended.compensation.cause == ended.error
    assert "COMPENSATION_STARTED" in await kinds_of(client, ended.name)


async def test_a_fault_undoes_nothing_by_itself_and_stays_what_it_is_when_it_is_undone(client, web, line):
    web.answer("/paint", lambda _: Response(status=500))
    web.let_go("/paint")
    await client.publish(promote_to="prod", **line)
    faulted = await client.run()
    assert (faulted.state, taken_back(web)) == (Instance.STATE_FAULTED, [0, 0])
    await client.CancelInstance(name=faulted.name, compensate=True)
    await client.reached(faulted.name, Kind.KIND_COMPENSATION_STARTED)
    assert (await client.events(faulted.name))[-1].kind == Kind.KIND_FAULTED
    undone = await client.get(faulted.name)
    assert (undone.state, undone.error) == (faulted.state, faulted.error)
    assert taken_back(web) == [1, 1]


async def test_a_rollback_may_have_the_instances_on_the_version_left_undone(painting, web):
    preview = await painting.rollback(run_policy="RUN_POLICY_CANCEL_COMPENSATE", validate_only=True)
    assert (preview.impact.running, taken_back(web)) == (1, [0, 0])
    await painting.rollback(run_policy="RUN_POLICY_CANCEL_COMPENSATE", reason="it leaks")
    ended = await painting.ended(painting.instance)
    assert (ended.state, ended.error.detail) == (Instance.STATE_CANCELLED, "it leaks")
    assert (ended.compensation.undone, taken_back(web)) == (UNDONE, [1, 1])


async def test_a_rollback_has_instances_undone_that_are_paused_already(painting, web):
    await painting.PauseInstance(name=painting.instance)
    web.let_go("/paint")
    await painting.reached(painting.instance, Kind.KIND_PAUSED)
    answer = await painting.rollback(run_policy="RUN_POLICY_CANCEL_COMPENSATE", reason="it leaks")
    assert (answer.impact.running, answer.impact.paused) == (0, 1)
    ended = await painting.ended(painting.instance)
    assert (ended.error.detail, ended.compensation.undone) == ("it leaks", UNDONE)


async def test_undoing_goes_on_elsewhere_after_what_is_undone_and_repeats_a_call_under_its_key(painting, web, sql):
    web.hold("/unclamp")
    await painting.CancelInstance(name=painting.instance, compensate=True)
    await web.arrival("/unclamp")
    await Owner(sql, painting.instance).become(None)
    await web.arrival("/unclamp", 2)
    undoing = await painting.get(painting.instance)
    assert (undoing.state, undoing.compensation.undone) == (Instance.STATE_COMPENSATING, UNDONE[:1])
    web.let_go("/unclamp")
    ended = await painting.ended(painting.instance)
    assert (ended.state, ended.compensation.undone) == (Instance.STATE_CANCELLED, UNDONE)
    assert taken_back(web) == [1, 2]
    first, second = (headers["idempotency-key"] for _, headers, _, _ in web.hits["/unclamp"])
    assert first == second
    assert first != web.hits["/clamp"][0][1]["idempotency-key"]


async def test_an_undo_that_faults_leaves_the_rest_done_and_goes_on_when_it_is_retried(painting, web):
    web.answer("/unclamp", lambda _: Response(status=500), lambda _: json_response({}))
    await painting.CancelInstance(name=painting.instance, reason="wrong part", compensate=True)
    faulted = await painting.ended(painting.instance)
    assert (faulted.state, faulted.error.instance) == (Instance.STATE_FAULTED, "/do/0/clamp/metadata/undo")
    assert (faulted.compensation.state, faulted.compensation.undone) == (Compensation.STATE_STOPPED, UNDONE[:1])
    assert faulted.compensation.cause.detail == "wrong part"
    await painting.RetryInstance(name=painting.instance)
    await painting.reached(painting.instance, Kind.KIND_CANCELLED)
    ended = await painting.get(painting.instance)
    assert (ended.state, ended.error.detail) == (Instance.STATE_CANCELLED, "wrong part")
    assert (ended.compensation.state, ended.compensation.undone) == (Compensation.STATE_COMPLETED, UNDONE)
    assert taken_back(web) == [1, 2]


async def test_undoing_is_stopped_where_it_is_and_can_go_on_later(painting, web):
    web.hold("/unclamp")
    await painting.CancelInstance(name=painting.instance, reason="wrong part", compensate=True)
    await web.arrival("/unclamp")
    await painting.CancelInstance(name=painting.instance, reason="we do it by hand")
    stopped = await painting.ended(painting.instance)
    assert (stopped.state, stopped.error.detail) == (Instance.STATE_CANCELLED, "we do it by hand")
    assert (stopped.compensation.state, stopped.compensation.undone) == (Compensation.STATE_STOPPED, UNDONE[:1])
    web.let_go("/unclamp")
    await painting.RetryInstance(name=painting.instance)
    await painting.reached(painting.instance, Kind.KIND_COMPENSATION_STARTED)
    assert (await painting.events(painting.instance))[-1].error.detail == "wrong part"
    assert taken_back(web) == [1, 2]


async def test_what_is_being_undone_is_not_paused_and_not_resumed(painting, web):
    web.hold("/fill")
    await painting.CancelInstance(name=painting.instance, compensate=True)
    await web.arrival("/fill")
    refusal = await refused(painting.PauseInstance(name=painting.instance))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_RUNNING")
    refusal = await refused(painting.ResumeInstance(name=painting.instance))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_NOT_PAUSED")
    await painting.rollback(run_policy="RUN_POLICY_PAUSE")
    web.let_go("/fill")
    assert (await painting.ended(painting.instance)).state == Instance.STATE_CANCELLED


async def test_from_what_is_undone_nothing_goes_on(painting):
    await painting.CancelInstance(name=painting.instance, compensate=True)
    await painting.ended(painting.instance)
    for call in (painting.RetryInstance(name=painting.instance), painting.ForkInstance(name=painting.instance)):
        assert (await refused(call)).kind == ("FAILED_PRECONDITION", "INSTANCE_COMPENSATED")
    again = await painting.CancelInstance(name=painting.instance, compensate=True)
    assert again.instance.state == Instance.STATE_CANCELLED


async def test_what_has_not_begun_or_has_completed_has_nothing_to_undo(client, sql):
    await client.release(SET)
    done = await client.run()
    refusal = await refused(client.CancelInstance(name=done.name, compensate=True))
    assert refusal.kind == ("FAILED_PRECONDITION", "INSTANCE_ENDED")


async def test_a_child_that_was_awaited_is_undone_with_its_parent(client, web, line):
    await client.publish(version="1.0.0", promote_to="prod", **line)
    run = {"workflow": {"namespace": "plant", "name": "line", "version": "1.0.0"}}
    use = {"functions": {"fill": delete(web.url + "/scrap")}}
    await client.publish([undone_by("fill", SET[0]), {"order": {"run": run}}], "2.0.0", use=use, promote_to="prod")
    parent = await client.start(version=2)
    await web.arrival("/paint")
    await client.CancelInstance(name=parent, compensate=True)
    [child] = (await client.ListInstances(parent=parent)).instances
    ended = await client.ended(child.name)
    assert (ended.state, ended.compensation.undone) == (Instance.STATE_CANCELLED, UNDONE)
    assert (await client.ended(parent)).compensation.undone == ["/do/0/measure"]
    assert (taken_back(web), len(web.hits["/scrap"])) == ([1, 1], 1)
