"""WorkflowService: publishing workflows and reading them."""

from __future__ import annotations

from functools import partial
from typing import Any

from millwright.workflow.v1 import workflow_service_pb2 as pb
from millwright.workflow.v1 import workflow_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, pages
from millwright_runtime.events.log import EventLog
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_workflow.api import requests, responses
from millwright_workflow.commands import publishing
from millwright_workflow.domain import definition, names
from millwright_workflow.domain.definition import Definition
from millwright_workflow.domain.errors import FunctionForbidden
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.store import releases as release_store
from millwright_workflow.store import schedules, workflows

_PAST_ALL_VERSIONS = 2**31 - 1


class WorkflowServicer(pb_grpc.WorkflowServiceServicer):
    """Serves WorkflowService."""

    def __init__(self, platform: Platform, log: EventLog, definitions: Definitions) -> None:
        self._platform = platform
        self._log = log
        self._definitions = definitions

    async def PublishVersion(self, request: pb.PublishVersionRequest, _context: Any) -> pb.PublishVersionResponse:
        """Publish a version."""
        tenant = calls.current().principal.tenant
        promote_to = requests.promote_to(request)
        actor = requests.actor(request.reason, required=False)
        checked = await self._definitions.check(request.definition)
        _require_administrator(checked)
        if request.validate_only:
            async with self._platform.reading() as connection:
                return _published(await publishing.preview(connection, checked, promote_to, actor))

        async def publish(connection: Connection) -> pb.PublishVersionResponse:
            published = await publishing.publish(connection, self._log, tenant, checked, promote_to, actor)
            return _published(published)

        workflow = names.workflow(f"{checked.namespace}.{checked.name}")
        return await self._platform.once(request, pb.PublishVersionResponse, publish, workflow)

    async def GetWorkflow(self, request: pb.GetWorkflowRequest, _context: Any) -> pb.GetWorkflowResponse:
        """Get one workflow."""
        workflow = names.parse_workflow(request.name, "name")
        async with self._platform.reading() as connection:
            found = await workflows.get(connection, workflow)
            channels = await release_store.list_channels(connection, workflow)
        return pb.GetWorkflowResponse(
            workflow=responses.workflow(found), channels=responses.channels(workflow, channels)
        )

    async def ListWorkflows(self, request: pb.ListWorkflowsRequest, _context: Any) -> pb.ListWorkflowsResponse:
        """List workflows by name."""
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text) or ""
        async with self._platform.reading() as connection:
            found = await workflows.page(connection, after, size + 1)
        listed, token = pages.cut(found, size, responses.workflow, lambda value: value.workflow)
        return pb.ListWorkflowsResponse(workflows=listed, next_page_token=token)

    async def GetVersion(self, request: pb.GetVersionRequest, _context: Any) -> pb.GetVersionResponse:
        """Get one version."""
        name = names.parse_version(request.name, "name")
        async with self._platform.reading() as connection:
            version, text = await workflows.get_version(connection, name.workflow, name.number)
        outline = await self._definitions.outline(calls.current().principal.tenant, name.workflow, name.number)
        return pb.GetVersionResponse(version=responses.whole_version(name.workflow, version, text.source, outline))

    async def ListVersions(self, request: pb.ListVersionsRequest, _context: Any) -> pb.ListVersionsResponse:
        """List versions, newest first."""
        workflow = names.parse_workflow(request.workflow, "workflow")
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, workflow) or _PAST_ALL_VERSIONS
        async with self._platform.reading() as connection:
            await workflows.get(connection, workflow)
            found = await workflows.page_of_versions(connection, workflow, before, size + 1)
        message = partial(responses.version, workflow)
        versions, token = pages.cut(found, size, message, lambda value: value.number, workflow)
        return pb.ListVersionsResponse(versions=versions, next_page_token=token)

    async def DiffVersions(self, request: pb.DiffVersionsRequest, _context: Any) -> pb.DiffVersionsResponse:
        """Compare two versions."""
        workflow = names.parse_workflow(request.workflow, "workflow")
        async with self._platform.reading() as connection:
            _, before = await workflows.get_version(connection, workflow, request.from_version)
            _, after = await workflows.get_version(connection, workflow, request.to_version)
        changes = definition.diff(definition.load(before.canonical.encode()), definition.load(after.canonical.encode()))
        return pb.DiffVersionsResponse(changes=[responses.change(value) for value in changes])

    async def ListSchedules(self, request: pb.ListSchedulesRequest, _context: Any) -> pb.ListSchedulesResponse:
        """List the schedules in force."""
        workflow = names.parse_workflow(request.workflow, "workflow") if request.workflow else None
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text, workflow) or ""
        async with self._platform.reading() as connection:
            if workflow is not None:
                await workflows.get(connection, workflow)
            found = await schedules.page(connection, workflow, after, size + 1)
        listed, token = pages.cut(found, size, responses.schedule, lambda value: value.workflow, workflow)
        return pb.ListSchedulesResponse(schedules=listed, next_page_token=token)


def _require_administrator(checked: Definition) -> None:
    """Refuse a workflow that would do what its publisher may not: its instances act in a role of their own."""
    if "admin" not in calls.current().principal.roles:
        for function in checked.administrative:
            raise FunctionForbidden(function=function)


def _published(published: publishing.Published) -> pb.PublishVersionResponse:
    channel = published.channel
    return pb.PublishVersionResponse(
        version=responses.version(published.workflow, published.version),
        created=published.created,
        channel=responses.channel(published.workflow, channel) if channel else None,
    )
