"""Tenants do not see one another: by name, in lists, by filter, watch, page token or request id."""

import uuid

import pytest
from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from workflow_rig.client import RPCS
from workflow_rig.definitions import NAME, PROD, SET, WAIT, version_name, written

FOREIGN = {
    "GetWorkflow": ({"name": NAME}, "WORKFLOW_NOT_FOUND"),
    "GetVersion": ({"name": version_name(1)}, "VERSION_NOT_FOUND"),
    "ListVersions": ({"workflow": NAME}, "WORKFLOW_NOT_FOUND"),
    "DiffVersions": ({"workflow": NAME, "from_version": 1, "to_version": 2}, "VERSION_NOT_FOUND"),
    "PromoteVersion": ({"channel": PROD, "version": 1}, "VERSION_NOT_FOUND"),
    "RollbackVersion": ({"channel": PROD, "reason": "mine"}, "CHANNEL_NOT_FOUND"),
    "StartCanary": ({"channel": PROD, "version": 1, "steps": [{"weight_bp": 1}]}, "CHANNEL_NOT_FOUND"),
    "StepCanary": ({"channel": PROD}, "CHANNEL_NOT_FOUND"),
    "AbortCanary": ({"channel": PROD, "reason": "mine"}, "CHANNEL_NOT_FOUND"),
    "GetRunJob": ({"name": f"runJobs/{uuid.UUID(int=1)}"}, "RUN_JOB_NOT_FOUND"),
    "ListRunJobOutcomes": ({"run_job": f"runJobs/{uuid.UUID(int=1)}"}, "RUN_JOB_NOT_FOUND"),
    "CancelRunJob": ({"name": f"runJobs/{uuid.UUID(int=1)}"}, "RUN_JOB_NOT_FOUND"),
    "WatchRunJob": ({"name": f"runJobs/{uuid.UUID(int=1)}"}, "RUN_JOB_NOT_FOUND"),
    "MarkVersionBad": ({"version": version_name(1), "reason": "mine"}, "VERSION_NOT_FOUND"),
    "MarkVersionGood": ({"version": version_name(1), "reason": "mine"}, "VERSION_NOT_FOUND"),
    "GetChannel": ({"name": PROD}, "CHANNEL_NOT_FOUND"),
    "ListReleases": ({"workflow": NAME}, "WORKFLOW_NOT_FOUND"),
    "WatchReleases": ({"workflow": NAME}, "WORKFLOW_NOT_FOUND"),
    "ListReleaseEvents": ({"workflow": NAME}, "WORKFLOW_NOT_FOUND"),
    "StartInstance": ({"workflow": NAME}, "WORKFLOW_NOT_FOUND"),
    "GetInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "CancelInstance": ({"name": "INSTANCE", "reason": "mine"}, "INSTANCE_NOT_FOUND"),
    "ResumeInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "PauseInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "RetryInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "ForkInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "ListCheckpoints": ({"instance": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "GetCheckpoint": ({"instance": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "WatchInstance": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "ListInstanceEvents": ({"name": "INSTANCE"}, "INSTANCE_NOT_FOUND"),
    "GetApproval": ({"name": f"approvals/{uuid.UUID(int=1)}"}, "APPROVAL_NOT_FOUND"),
    "DecideApproval": ({"name": f"approvals/{uuid.UUID(int=1)}"}, "APPROVAL_NOT_FOUND"),
}
"""Each RPC that names something, with what it answers about another tenant's."""
EMPTY = {
    "ListWorkflows": "workflows",
    "ListInstances": "instances",
    "ListSchedules": "schedules",
    "ListApprovals": "approvals",
}
"""Each RPC that lists without naming, with where the list is."""
NEW = {"PublishVersion", "PublishEvents"}
"""RPCs that make something of the caller's own."""
SHARED = {"ListCircuits"}
"""RPCs that tell what concerns everybody."""


@pytest.fixture
async def owner(client):
    """A tenant with two versions, a channel and an instance that waits."""
    await client.release(SET, WAIT)
    client.instance = await client.start()
    await client.reached(client.instance, instance_pb2.InstanceEvent.KIND_STARTED)
    return client


def test_every_rpc_has_its_case():
    assert set(RPCS) == {*FOREIGN, *EMPTY, *NEW, *SHARED}


@pytest.mark.parametrize("rpc", FOREIGN)
async def test_what_another_tenant_has_is_not_found(owner, stranger, rpc):
    fields, reason = FOREIGN[rpc]
    fields = {key: owner.instance if value == "INSTANCE" else value for key, value in fields.items()}
    refusal = await refused(getattr(stranger, rpc)(**fields))
    assert refusal.kind == ("NOT_FOUND", reason)


@pytest.mark.parametrize("rpc", FOREIGN)
async def test_what_another_tenant_tries_changes_nothing(owner, stranger, rpc):
    fields, _ = FOREIGN[rpc]
    fields = {key: owner.instance if value == "INSTANCE" else value for key, value in fields.items()}
    before = await everything(owner)
    await refused(getattr(stranger, rpc)(**fields))
    assert await everything(owner) == before


async def everything(client):
    """Give what the tenant sees of its own."""
    answers = (
        await client.GetWorkflow(name=NAME),
        await client.ListVersions(workflow=NAME),
        await client.ListReleases(workflow=NAME),
        await client.GetInstance(name=client.instance),
    )
    return [answer.SerializeToString(deterministic=True) for answer in answers]


@pytest.mark.parametrize("rpc", EMPTY)
async def test_lists_of_another_tenant_are_empty(owner, stranger, rpc):
    assert not getattr(await getattr(stranger, rpc)(), EMPTY[rpc])


async def test_a_filter_finds_nothing_of_another_tenant(owner, stranger):
    answer = await stranger.ListInstances(workflow=NAME, states=[instance_pb2.Instance.STATE_RUNNING])
    assert not answer.instances


async def test_publishing_the_same_definition_makes_a_workflow_of_ones_own(owner, stranger):
    answer = await stranger.PublishVersion(definition=written())
    assert answer.created
    assert (await stranger.GetWorkflow(name=NAME)).workflow.latest_version == 1
    assert (await owner.GetWorkflow(name=NAME)).workflow.latest_version == 2


async def test_a_page_token_of_another_tenant_is_refused(owner, stranger):
    token = (await owner.ListVersions(workflow=NAME, page_size=1)).next_page_token
    await stranger.publish()
    refusal = await refused(stranger.ListVersions(workflow=NAME, page_size=1, page_token=token))
    assert refusal.kind == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH")


async def test_a_request_id_of_another_tenant_is_free(owner, stranger):
    request_id = str(uuid.uuid4())
    await owner.PublishVersion(definition=written(), request_id=request_id)
    answer = await stranger.PublishVersion(definition=written(WAIT), request_id=request_id)
    assert (answer.replayed, answer.created) == (False, True)


async def test_instances_of_the_same_id_are_two(client, stranger):
    """Callers choose ids, so two tenants may choose the same."""
    instance_id = str(uuid.uuid4())
    await client.release(WAIT)
    await stranger.release([{"mine": {"set": {"whose": "the stranger's"}}}])
    await client.start(instance_id=instance_id)
    ended = await stranger.run(instance_id=instance_id)
    assert ended.output == Value(struct_value={"fields": {"whose": Value(string_value="the stranger's")}})
    assert (await client.get(ended.name)).state == instance_pb2.Instance.STATE_RUNNING


async def test_instances_of_the_same_id_begin_each_on_the_version_of_its_own(client, stranger, sql):
    instance_id = str(uuid.uuid4())
    await client.release(WAIT)
    await stranger.release(SET, [{"other": {"set": {"ok": False}}}])
    async with sql.transaction():  # no claim ends meanwhile, so that the next one finds both
        await sql.execute("LOCK TABLE workflow.worker IN ACCESS EXCLUSIVE MODE")
        await client.start(instance_id=instance_id)
        await stranger.start(instance_id=instance_id)
    name = f"instances/{instance_id}"
    assert (await stranger.ended(name)).version == 2
    started = await client.reached(name, instance_pb2.InstanceEvent.KIND_STARTED)
    assert started.version == 1


async def test_cancelling_an_instance_does_not_touch_its_namesake(client, stranger):
    instance_id = str(uuid.uuid4())
    for each in (client, stranger):
        await each.release(WAIT)
        await each.start(instance_id=instance_id)
    name = f"instances/{instance_id}"
    await client.reached(name, instance_pb2.InstanceEvent.KIND_STARTED)
    await stranger.CancelInstance(name=name)
    await stranger.ended(name)
    assert not (await client.get(name)).cancel_requested
