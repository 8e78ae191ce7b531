"""`millwright watch` beside all four services: it sees what begins and what is rolled back as it happens."""

import asyncio

from millwright.workflow.v1.release_service_pb2 import RollbackVersionRequest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest

WORKFLOW = "workflows/test.watched"
SEEN_SECONDS = 30


def publication(number: int) -> PublishVersionRequest:
    document = f"dsl: 1.0.1, namespace: test, name: watched, version: 1.0.{number}"
    definition = f"document: {{{document}}}\ndo: [{{rest: {{wait: {{hours: 1}}}}}}]\n"
    return PublishVersionRequest(definition=definition, promote_to="prod")


async def test_an_instance_and_a_rollback_are_seen(watcher, connect, replicas):
    client = connect(replicas.first)
    await client.call(client.workflows.PublishVersion, publication(1))
    [instance] = await client.start(WORKFLOW, [None])
    async with asyncio.timeout(SEEN_SECONDS):
        first = await anext(watcher)  # looking has begun, so that what comes now is news
    assert (first["service"], first["instance"]["name"]) == ("workflow", instance)
    await client.call(client.workflows.PublishVersion, publication(2))
    request = RollbackVersionRequest(channel=f"{WORKFLOW}/channels/prod", reason="seen live")
    await client.call(client.releases.RollbackVersion, request)
    seen = []
    async with asyncio.timeout(SEEN_SECONDS):
        async for told in watcher:
            if release := told.get("release"):
                seen.append((release["operation"], release["reason"]))
                if release["operation"] == "OPERATION_ROLLBACK":
                    break
    assert seen == [("OPERATION_PUBLISH", ""), ("OPERATION_PROMOTE", ""), ("OPERATION_ROLLBACK", "seen live")]
