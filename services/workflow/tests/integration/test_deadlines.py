"""A deadline that passes ends the call, and what it had begun is undone."""

import uuid

import asyncpg
import pytest
from millwright_local.testing.refusals import refused
from workflow_rig.definitions import NAME, PROD, SET, WAIT, version_name, written

CALLS = {
    "PublishVersion": {"definition": written(WAIT, "9.0.0"), "promote_to": "prod"},
    "PromoteVersion": {"channel": PROD, "version": 1},
    "RollbackVersion": {"channel": PROD, "reason": "it leaks"},
    "MarkVersionBad": {"version": version_name(1), "reason": "it leaks"},
}


@pytest.mark.parametrize("rpc", CALLS)
async def test_a_change_whose_deadline_passes_is_not_made(client, urls, rpc):
    await client.release(SET, WAIT)
    before = await client.ListReleases(workflow=NAME)
    other, request_id = await asyncpg.connect(urls.superuser), str(uuid.uuid4())
    async with other.transaction():  # somebody else decides about the workflow, and takes long
        await other.execute("SELECT FROM workflow.workflow WHERE tenant = $1 FOR UPDATE", client.tenant)
        refusal = await refused(getattr(client, rpc)(**CALLS[rpc], request_id=request_id, deadline=0.5))
    await other.close()
    assert refusal.kind == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert await client.ListReleases(workflow=NAME) == before
    answer = await getattr(client, rpc)(**CALLS[rpc], request_id=request_id)
    assert not answer.replayed
