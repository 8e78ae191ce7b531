"""The sample: it notes what is published, tells of it in events, and lets them be watched."""
# ruff: noqa: N802 - the contract names the methods

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from millwright.workflow.v1 import (
    release_service_pb2,
    release_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from millwright_runtime.api import calls
from millwright_runtime.events import watch
from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.service import Parts, Service
from millwright_runtime.settings import ServiceSettings
from pydantic_settings import SettingsConfigDict

MIGRATIONS = Path(__file__).parent / "migrations"
RESOURCE = "workflows/sample"
LOG = EventLog("sample")


class SampleSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="MILLWRIGHT_SAMPLE_")


class Workflows(workflow_service_pb2_grpc.WorkflowServiceServicer):
    def __init__(self, platform):
        self.platform = platform

    async def GetWorkflow(self, request, context):
        """Answer at once, or after the seconds that the name says."""
        if request.name.startswith("in "):
            print("waiting", flush=True)  # noqa: T201 - the test that started us as a process reads it
            await asyncio.sleep(float(request.name.removeprefix("in ")))
        return workflow_service_pb2.GetWorkflowResponse(workflow={"name": request.name})

    async def ListWorkflows(self, request, context):
        async with self.platform.reading() as connection:
            notes = await connection.fetch("SELECT text FROM sample.note ORDER BY text")
        return workflow_service_pb2.ListWorkflowsResponse(workflows=[{"name": note["text"]} for note in notes])

    async def PublishVersion(self, request, context):
        tenant = calls.current().principal.tenant

        async def work(connection):
            await connection.execute("INSERT INTO sample.note VALUES ($1, $2)", tenant, request.definition)
            sequence = 1 + await connection.fetchval("SELECT count(*) FROM sample.event")
            published = {"definition": request.definition}
            now = datetime.now(UTC)
            await LOG.append(
                connection, [Event(tenant, RESOURCE, sequence, "lifecycle", "sample.published.v1", published, now)]
            )
            return workflow_service_pb2.PublishVersionResponse(created=True)

        return await self.platform.once(request, workflow_service_pb2.PublishVersionResponse, work, RESOURCE)


class Releases(release_service_pb2_grpc.ReleaseServiceServicer):
    def __init__(self, platform):
        self.platform = platform

    async def WatchReleases(self, request, context):
        tenant = calls.current().principal.tenant

        async def read(after, limit):
            async with self.platform.database.snapshot(tenant) as connection:
                return await LOG.after(connection, RESOURCE, after, limit)

        async for event in watch.follow(
            read, request.from_sequence, self.platform.signals, f"{tenant}/{RESOURCE}", heartbeat_seconds=0.2
        ):
            yield release_service_pb2.WatchReleasesResponse(sequence=event.sequence if event else 0)


async def compose(platform, settings):
    return Parts(servicers=[Workflows(platform), Releases(platform)])


SERVICE = Service("sample", SampleSettings, MIGRATIONS, compose)
