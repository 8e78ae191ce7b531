"""Who locks what in which order: a rollback and a claim must never wait for each other."""

import asyncio

from millwright.workflow.v1.release_service_pb2 import RollbackVersionRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest
from millwright_local.databases import DATABASE
from millwright_local.processes import until

WORKFLOW = "workflows/test.locks"
CHANNEL = f"{WORKFLOW}/channels/prod"
DEFINITION = """
document: {{dsl: 1.0.1, namespace: test, name: locks, version: 1.0.{number}}}
do: [{{note: {{set: {{number: {number}}}}}}}]
"""
# As a claim of instances that were started by number locks their versions: in the order of the numbers.
LOCK = "SELECT FROM workflow.version WHERE tenant = $1 AND workflow = 'test.locks' AND number = $2 FOR SHARE"
WAITS = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%workflow.version%')"
)


async def test_a_rollback_to_a_bad_version_does_not_deadlock_with_a_claim_of_both_versions(
    shared_replicas, connect, tenant
) -> None:
    client = connect(shared_replicas.first)
    for number in (1, 2):
        request = PublishVersionRequest(definition=DEFINITION.format(number=number), promote_to="prod")
        await client.call(client.workflows.PublishVersion, request)

    def roll_back(target: int):
        request = RollbackVersionRequest(channel=CHANNEL, target_version=target, reason="a test", allow_bad_target=True)
        return client.call(client.releases.RollbackVersion, request)

    await roll_back(1)  # 2 is bad now
    await roll_back(2)  # and 1 in its place
    postgres = shared_replicas.stack.postgres
    async with postgres.connect(DATABASE) as claim, postgres.connect(DATABASE) as observer:

        async def waits() -> bool:
            return await observer.fetchval(WAITS)

        async with asyncio.TaskGroup() as group, claim.transaction():
            await claim.execute(LOCK, tenant, 1)
            rollback = group.create_task(roll_back(1))
            await until(waits, 10)
            await claim.execute(LOCK, tenant, 2)
    assert rollback.result().channel.version == 1
