"""A workflow runs another: the child is started once, awaited, found by its parent, and cancelled with it."""

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import instance_pb2
from millwright_local.processes import until
from millwright_workflow.commands import running
from millwright_workflow.domain import names
from workflow_rig.definitions import NAME, RAISE, SET, get, written
from workflow_rig.events import event, listen, one

State = instance_pb2.Instance
PART = "workflows/plant.part"


def run(version="latest", name="part", *, is_awaited=True, **more):
    """Give a task that runs `plant.part`."""
    workflow = {"namespace": "plant", "name": name, "version": version, **more}
    return {"build": {"run": {"workflow": workflow, **({} if is_awaited else {"await": False})}}}


def part(do, version="1.0.0", name="part"):
    """Write a definition of the child."""
    return written(do, version).replace('"name": "line"', f'"name": "{name}"')


@pytest.fixture
def publish(client):
    """Give a function that publishes a child's tasks, promoted, and the parent's."""

    async def make(child, *parent):
        await client.PublishVersion(definition=part(child), promote_to="prod")
        await client.release(list(parent))

    return make


async def only_child(client, parent):
    """Wait for the one child of an instance."""
    found = []

    async def there():
        found[:] = (await client.ListInstances(parent=parent)).instances
        return bool(found)

    await until(there, 10.0)
    assert len(found) == 1
    return found[0].name


async def test_the_output_of_the_child_is_what_the_task_gives(client, publish):
    await publish([{"make": {"set": {"made": "${ .size * 2 }"}}}], run(input={"size": 21}))
    ended = await client.run()
    assert json_format.MessageToDict(ended.output) == {"made": 42}


async def test_a_child_that_is_given_no_input_takes_the_tasks(client, publish):
    await publish([{"make": {"set": {"got": "${ . }"}}}], run())
    ended = await client.run(input=json_format.ParseDict({"a": 1}, Value()))
    assert json_format.MessageToDict(ended.output) == {"got": {"a": 1}}


async def test_an_input_that_no_caller_could_give_is_a_fault_and_starts_nothing(client, publish):
    await publish(SET, run(input={"note": '${ "x" * 300000 }'}))
    parent = await client.run()
    assert (parent.state, parent.error.type.rpartition("/")[2]) == (State.STATE_FAULTED, "validation")
    assert "262144 bytes" in parent.error.detail
    assert (await client.ListInstances(parent=parent.name)).instances == []


async def test_the_child_tells_its_parent_and_the_task_and_is_found_by_it(client, publish):
    await publish(SET, run())
    parent = await client.run()
    (child,) = (await client.ListInstances(parent=parent.name)).instances
    assert (child.workflow, child.channel) == (PART, "prod")
    assert (child.parent, child.parent_task) == (parent.name, "/do/0/build")
    assert child.state == State.STATE_COMPLETED
    assert (await client.ListInstances(parent=child.name)).instances == []
    assert parent.parent == ""


async def test_a_version_that_is_named_is_the_one_that_runs(client, publish):
    await publish([{"make": {"set": {"v": 1}}}], run("1.0.0"))
    await client.PublishVersion(definition=part([{"make": {"set": {"v": 2}}}], "2.0.0"), promote_to="prod")
    assert json_format.MessageToDict((await client.run()).output) == {"v": 1}


async def test_latest_is_what_prod_points_to(client, publish):
    await publish([{"make": {"set": {"v": 1}}}], run())
    await client.PublishVersion(definition=part([{"make": {"set": {"v": 2}}}], "2.0.0"))
    assert json_format.MessageToDict((await client.run()).output) == {"v": 1}


@pytest.mark.parametrize("task", [run(name="none"), run("9.9.9")])
async def test_what_does_not_exist_is_a_configuration_fault(client, publish, task):
    await publish(SET, task)
    ended = await client.run()
    assert ended.error.type.endswith("/configuration")
    assert ended.error.instance == "/do/0/build"


async def test_a_fault_of_the_child_is_the_tasks(client, publish):
    await publish(RAISE, run())
    ended = await client.run()
    assert (ended.error.title, ended.error.status, ended.error.instance) == ("Seal", 500, "/do/0/build")


async def test_a_child_that_is_not_awaited_goes_its_own_way(client, publish, web):
    await publish([get(web.hold("/slow"))], run(is_awaited=False))
    parent = await client.run(input=json_format.ParseDict({"a": 1}, Value()))
    assert json_format.MessageToDict(parent.output) == {"a": 1}
    child = await only_child(client, parent.name)
    await web.arrival("/slow")
    web.let_go("/slow")
    assert (await client.ended(child)).state == State.STATE_COMPLETED


async def test_cancelling_the_parent_cancels_the_child_that_it_awaits(client, publish):
    await publish([listen(one("never"))], run())
    parent = await client.start()
    child = await only_child(client, parent)
    await client.CancelInstance(name=parent, reason="enough")
    ended = await client.ended(child)
    assert ended.state == State.STATE_CANCELLED
    assert parent in ended.error.detail


async def test_a_child_of_a_child_is_cancelled_too(client):
    await client.PublishVersion(definition=part([listen(one("never"))], name="leaf"), promote_to="prod")
    await client.PublishVersion(definition=part([run(name="leaf")]), promote_to="prod")
    await client.release([run()])
    parent = await client.start()
    leaf = await only_child(client, await only_child(client, parent))
    await client.CancelInstance(name=parent)
    assert (await client.ended(leaf)).state == State.STATE_CANCELLED


async def test_a_child_is_cancelled_when_its_task_has_run_out_of_time(client, publish):
    timely = {"build": {**run()["build"], "timeout": {"after": {"milliseconds": 500}}}}
    attempt = {"attempt": {"try": [timely], "catch": {"do": [{"note": {"set": {"late": True}}}]}}}
    await publish([listen(one("never"))], attempt)
    parent = await client.start()
    child = await only_child(client, parent)
    assert json_format.MessageToDict((await client.ended(parent)).output) == {"late": True}
    assert (await client.ended(child)).state == State.STATE_CANCELLED


async def test_a_child_that_was_cancelled_is_a_runtime_fault_of_the_task(client, publish):
    await publish([listen(one("never"))], run())
    parent = await client.start()
    await client.CancelInstance(name=await only_child(client, parent), reason="broken")
    ended = await client.ended(parent)
    assert ended.error.type.endswith("/runtime")
    assert "broken" in ended.error.detail


async def test_a_workflow_that_runs_itself_stops_at_the_depth_limit(client):
    await client.release([run(name="line")])
    ended = await client.ended(await client.start())
    assert ended.state == State.STATE_FAULTED
    assert "16 deep" in ended.error.detail
    assert len((await client.ListInstances(workflow=NAME, page_size=100)).instances) == 17


async def test_a_child_hears_events_while_its_parent_waits(client, publish, sql):
    await publish([listen(one("go"))], run())
    parent = await client.start()
    await only_child(client, parent)

    async def listening():
        return await sql.fetchval("SELECT count(*) FROM workflow.subscription WHERE tenant = $1", client.tenant) == 1

    await until(listening, 10.0)
    await client.PublishEvents(events=[event("go", 5)])
    assert json_format.MessageToDict((await client.ended(parent)).output) == [5]


async def test_nothing_is_left_of_what_was_awaited(client, publish, sql):
    await publish(SET, run())
    await client.run()

    async def gone():
        return await sql.fetchval("SELECT count(*) FROM workflow.child WHERE tenant = $1", client.tenant) == 0

    await until(gone, 10.0)


async def test_a_child_that_cannot_be_cancelled_stops_no_other(client, publish, monkeypatch):
    both = {"fork": {"branches": [{"left": run()["build"]}, {"right": run()["build"]}]}}
    await publish([listen(one("never"))], {"both": both})
    parent = await client.start()
    found = []

    async def are_there():
        found[:] = [child.name for child in (await client.ListInstances(parent=parent)).instances]
        return len(found) == 2

    await until(are_there, 10.0)
    first = []
    cancel = running.cancel

    async def fail_at_the_first(connection, log, instance, *rest, **more):
        name = names.instance(instance)
        if name in found and name == (first or [name])[0]:
            first[:] = [name]
            raise ZeroDivisionError
        return await cancel(connection, log, instance, *rest, **more)

    monkeypatch.setattr(running, "cancel", fail_at_the_first)
    await client.CancelInstance(name=parent)
    await until(lambda: first_is_known(first), 10.0)
    (other,) = set(found) - set(first)
    assert (await client.ended(other)).state == State.STATE_CANCELLED
    monkeypatch.undo()
    assert (await client.ended(first[0])).state == State.STATE_CANCELLED


async def first_is_known(first):
    return bool(first)
