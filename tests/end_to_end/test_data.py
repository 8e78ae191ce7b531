"""What a stack holds is there at its next start, and a database that the environment names is used and left alone."""

from pathlib import Path

from millwright.workflow.v1.workflow_service_pb2 import ListWorkflowsRequest, PublishVersionRequest
from millwright_local.databases import create_database
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES
from millwright_local.stack import TENANT, Stack
from millwright_local.workflow_client import WorkflowClient

DEFINITION = (Path(__file__).parents[2] / "examples" / "workflows" / "defect-alert" / "v1.yaml").read_text()


def client_of(stack: Stack) -> WorkflowClient:
    return WorkflowClient(stack.endpoints["workflow"], stack.keys.token(tenant=TENANT))


async def publish(stack: Stack) -> bool:
    """Publish the example; tell whether that made a version."""
    async with client_of(stack) as client:
        request = PublishVersionRequest(definition=DEFINITION, promote_to="prod")
        return (await client.call(client.workflows.PublishVersion, request)).created


async def workflows(stack: Stack) -> list[str]:
    async with client_of(stack) as client:
        answer = await client.call(client.workflows.ListWorkflows, ListWorkflowsRequest())
    return [workflow.name for workflow in answer.workflows]


async def test_the_data_is_there_at_the_start_after_everything_was_killed() -> None:
    with scratch_directory() as home:
        first = Stack(home, free_ports=True, durable=False, environment={})
        await first.start()
        assert await publish(first)
        await first.kill()
        async with Stack(home, free_ports=True, durable=False, environment={}) as second:
            assert await workflows(second) == ["workflows/quality.defect-alert"]
            assert not await publish(second)


async def test_a_database_that_the_environment_names_is_used_and_none_is_started(postgres) -> None:
    await create_database(postgres, "elsewhere")
    environment = {service.setting("DATABASE_URL"): postgres.url("elsewhere", service.role) for service in SERVICES}
    environment |= {
        service.setting("MIGRATION_DATABASE_URL"): postgres.url("elsewhere", service.owner_role) for service in SERVICES
    }
    with scratch_directory() as home:
        async with Stack(home, free_ports=True, environment=environment) as stack:
            assert stack.postgres is None
            assert await publish(stack)
        assert not (home / "postgres").exists()
    async with postgres.connect("elsewhere") as connection:
        assert await connection.fetchval("SELECT count(*) FROM workflow.version") == 1
