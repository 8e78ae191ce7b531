"""A canary whose replicas die between its verdict and the commit: it is rolled back all the same, and once."""

import asyncio

from millwright.workflow.v1.instance_pb2 import Instance
from millwright.workflow.v1.instance_service_pb2 import GetInstanceRequest, StartInstanceRequest
from millwright.workflow.v1.release_pb2 import CanaryStep, Gate, Release
from millwright.workflow.v1.release_service_pb2 import ListReleasesRequest, StartCanaryRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.databases import DATABASE
from millwright_local.processes import until
from millwright_local.workflow_client import WorkflowClient

WORKFLOW = "workflows/test.trial"
CHANNEL = f"{WORKFLOW}/channels/prod"
DOCUMENT = "document: {{dsl: 1.0.1, namespace: test, name: trial, version: {version}}}"
FAULT = "raise: {error: {type: 'https://plant.example/errors/seal', status: 500, title: Seal}}"
DEFINITIONS = [
    f"{DOCUMENT.format(version='1.0.0')}\ndo: [{{note: {{set: {{ok: true}}}}}}]",
    f"{DOCUMENT.format(version='2.0.0')}\ndo: [{{fail: {{{FAULT}}}}}]",
]
LOCK = "SELECT FROM workflow.workflow WHERE tenant = $1 AND workflow = 'test.trial' FOR NO KEY UPDATE"
LOOKS_THAT_WAIT = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%workflow.workflow%FOR NO KEY%'
"""


async def begin(client: WorkflowClient) -> None:
    """Begin a canary of a version that always faults, for all instances, with a gate on five."""
    for number, definition in enumerate(DEFINITIONS):
        request = PublishVersionRequest(definition=definition, promote_to="" if number else "prod")
        await client.call(client.workflows.PublishVersion, request)
    step = CanaryStep(weight_bp=10_000, min_instances=5, gates=[Gate(min_success_rate=0.9)])
    await client.call(client.releases.StartCanary, StartCanaryRequest(channel=CHANNEL, version=2, steps=[step]))


async def log(client: WorkflowClient) -> list[Release]:
    """Give the release log, oldest first."""
    answer = await client.call(client.releases.ListReleases, ListReleasesRequest(workflow=WORKFLOW))
    return list(reversed(answer.releases))


async def test_a_verdict_outlives_the_replicas_that_die_before_its_commit(replicas, connect, tenant) -> None:
    client = connect(replicas.first)
    await begin(client)
    postgres = replicas.stack.postgres
    async with postgres.connect(DATABASE) as holder, postgres.connect(DATABASE) as observer:

        async def has_decided() -> bool:
            return bool(await observer.fetchval(LOOKS_THAT_WAIT))

        async with holder.transaction():
            await holder.execute(LOCK, tenant)  # whoever decides waits here, and has committed nothing
            for _ in range(5):
                await client.call(client.instances.StartInstance, StartInstanceRequest(workflow=WORKFLOW))
            await until(has_decided, 20)
            for replica in (replicas.first, replicas.second):
                await replica.kill()
    async with postgres.connect(DATABASE) as observer:
        rows = await observer.fetchval("SELECT count(*) FROM workflow.release WHERE tenant = $1", tenant)
    assert rows == 4  # two publications, a promotion, the canary
    await asyncio.gather(replicas.first.start(), replicas.second.start())

    async def is_rolled_back() -> bool:
        return (await log(client))[-1].operation == Release.OPERATION_ROLLBACK

    await until(is_rolled_back, 20)
    request = StartInstanceRequest(workflow=WORKFLOW)
    instance = (await client.call(client.instances.StartInstance, request)).instance.name

    async def has_ended() -> bool:
        answer = await client.call(client.instances.GetInstance, GetInstanceRequest(name=instance))
        return answer.instance.state == Instance.STATE_COMPLETED

    await until(has_ended, 20)
    releases = await log(client)
    assert [release.revision for release in releases] == list(range(1, 6))
    assert (releases[-1].from_version, releases[-1].to_version, releases[-1].automatic) == (2, 1, True)
    assert releases[-1].evidence[0].canary_instances == 5
