"""The release log is only ever added to: whoever connects to the database as the service, or as the schema's owner."""

import asyncpg
import pytest
from workflow_rig.definitions import NAME, SET, WAIT

CHANGES = {
    "change": "UPDATE workflow.release SET reason = 'nothing happened'",
    "delete": "DELETE FROM workflow.release",
    "empty": "TRUNCATE workflow.release",
    "replace": "INSERT INTO workflow.release SELECT * FROM workflow.release ON CONFLICT (tenant, workflow, revision) "
    "DO UPDATE SET reason = 'nothing happened'",
}
OTHERS = {
    "rename a version": "UPDATE workflow.version SET number = 9",
    "change a definition": "UPDATE workflow.version SET canonical = '{}'",
    "delete a version": "DELETE FROM workflow.version",
    "delete a channel": "DELETE FROM workflow.channel",
    "change an event": "UPDATE workflow.event SET data = '{}'",
    "delete an event": "DELETE FROM workflow.event",
    "change a result": "UPDATE workflow.task_result SET output = '1'",
    "switch the trigger off": "ALTER TABLE workflow.release DISABLE TRIGGER append_only",
    "switch all triggers off": "SET session_replication_role = 'replica'",
}


@pytest.fixture
async def log(client):
    """Give a function that reads the log of a workflow that was rolled back."""
    await client.release(SET, WAIT)
    await client.rollback()

    async def read():
        return (await client.ListReleases(workflow=NAME)).SerializeToString(deterministic=True)

    return read


@pytest.fixture
async def attempt(client):
    """Give a function that runs a statement on the tenant's rows as some role, and must be refused."""

    async def attempt(url, statement):
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("SELECT set_config('millwright.tenant', $1, false)", client.tenant)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()

    return attempt


@pytest.mark.parametrize("role", ["service", "owner"])
@pytest.mark.parametrize("what", CHANGES)
async def test_no_role_can_change_the_log(urls, log, attempt, role, what):
    before = await log()
    await attempt(getattr(urls, role), CHANGES[what])
    assert await log() == before


@pytest.mark.parametrize("what", OTHERS)
async def test_the_service_can_change_nothing_else_that_is_final(urls, log, attempt, what):
    before = await log()
    await attempt(urls.service, OTHERS[what])
    assert await log() == before
