"""ReleaseService: moving channels between versions, and the history of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from millwright.workflow.v1 import release_pb2
from millwright.workflow.v1 import release_service_pb2 as pb
from millwright.workflow.v1 import release_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.watch import Feed
from millwright_runtime.names import check_label
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_workflow.api import canaries, requests, responses
from millwright_workflow.api.run_jobs import RunJobCalls
from millwright_workflow.commands import releasing
from millwright_workflow.domain import names
from millwright_workflow.domain.releases import Decision, Release
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import releases as store
from millwright_workflow.store import workflows

_PAST_ALL_REVISIONS = 2**63 - 1
MarkedT = TypeVar("MarkedT", pb.MarkVersionBadResponse, pb.MarkVersionGoodResponse)


class ReleaseServicer(pb_grpc.ReleaseServiceServicer):
    """Serves ReleaseService."""

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log
        self._run_jobs = RunJobCalls(platform)

    async def PromoteVersion(self, request: pb.PromoteVersionRequest, _context: Any) -> pb.PromoteVersionResponse:
        """Point a channel to a version."""
        tenant = calls.current().principal.tenant
        workflow, wish = requests.promotion(request)
        actor = requests.actor(request.reason, required=False, automatic=request.automatic)
        if request.validate_only:
            async with self._platform.reading() as connection:
                decision = await releasing.preview_promotion(connection, workflow, wish, actor)
            return pb.PromoteVersionResponse(**_decided(workflow, decision))

        async def promote(connection: Connection) -> pb.PromoteVersionResponse:
            decision = await releasing.promote(connection, self._log, tenant, workflow, wish, actor)
            return pb.PromoteVersionResponse(**_decided(workflow, decision))

        return await self._platform.once(request, pb.PromoteVersionResponse, promote, names.workflow(workflow))

    async def RollbackVersion(self, request: pb.RollbackVersionRequest, _context: Any) -> pb.RollbackVersionResponse:
        """Point a channel back."""
        tenant = calls.current().principal.tenant
        workflow, wish = requests.rollback(request)
        actor = requests.actor(request.reason, required=True, automatic=request.automatic)
        if request.validate_only:
            async with self._platform.reading() as connection:
                return _rolled_back(workflow, await releasing.preview_rollback(connection, workflow, wish, actor))

        async def rollback(connection: Connection) -> pb.RollbackVersionResponse:
            return _rolled_back(
                workflow, await releasing.rollback(connection, self._log, tenant, workflow, wish, actor)
            )

        response = await self._platform.once(request, pb.RollbackVersionResponse, rollback, names.workflow(workflow))
        self._platform.signals.notify(WORK)  # its run policy may concern instances
        return response

    async def StartCanary(self, request: pb.StartCanaryRequest, _context: Any) -> pb.StartCanaryResponse:
        """Let a share of a channel's instances begin on another version."""
        tenant = calls.current().principal.tenant
        workflow, wish = canaries.start(request)
        actor = requests.actor(request.reason, required=False, automatic=request.automatic)
        if request.validate_only:
            async with self._platform.reading() as connection:
                decision = await releasing.preview_canary(connection, workflow, wish, actor)
            return pb.StartCanaryResponse(**_moved(workflow, decision))

        async def start(connection: Connection) -> pb.StartCanaryResponse:
            decision = await releasing.start_canary(connection, self._log, tenant, workflow, wish, actor)
            return pb.StartCanaryResponse(**_moved(workflow, decision))

        return await self._platform.once(request, pb.StartCanaryResponse, start, names.workflow(workflow))

    async def StepCanary(self, request: pb.StepCanaryRequest, _context: Any) -> pb.StepCanaryResponse:
        """Move a canary to its next step."""
        tenant = calls.current().principal.tenant
        workflow, wish = canaries.move(request)
        actor = requests.actor(request.reason, required=False)

        async def step(connection: Connection) -> pb.StepCanaryResponse:
            decision = await releasing.step_canary(connection, self._log, tenant, workflow, wish, actor)
            return pb.StepCanaryResponse(**_moved(workflow, decision))

        return await self._platform.once(request, pb.StepCanaryResponse, step, names.workflow(workflow))

    async def AbortCanary(self, request: pb.AbortCanaryRequest, _context: Any) -> pb.AbortCanaryResponse:
        """Take a canary back."""
        tenant = calls.current().principal.tenant
        workflow, wish = canaries.move(request, mark_bad=request.mark_bad)
        actor = requests.actor(request.reason, required=True)

        async def abort(connection: Connection) -> pb.AbortCanaryResponse:
            decision = await releasing.abort_canary(connection, self._log, tenant, workflow, wish, actor)
            return pb.AbortCanaryResponse(**_moved(workflow, decision))

        return await self._platform.once(request, pb.AbortCanaryResponse, abort, names.workflow(workflow))

    async def GetRunJob(self, request: pb.GetRunJobRequest, _context: Any) -> pb.GetRunJobResponse:
        """Get the job that carries a run policy out."""
        return await self._run_jobs.get(request)

    async def ListRunJobOutcomes(
        self, request: pb.ListRunJobOutcomesRequest, _context: Any
    ) -> pb.ListRunJobOutcomesResponse:
        """List what became of a job's instances."""
        return await self._run_jobs.list_outcomes(request)

    async def CancelRunJob(self, request: pb.CancelRunJobRequest, _context: Any) -> pb.CancelRunJobResponse:
        """Stop a job."""
        return await self._run_jobs.cancel(request)

    async def WatchRunJob(
        self, request: pb.WatchRunJobRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchRunJobResponse]:
        """Watch a job until it ends."""
        async with aclosing(self._run_jobs.watch(request)) as messages:
            async for message in messages:
                yield message

    async def MarkVersionBad(self, request: pb.MarkVersionBadRequest, _context: Any) -> pb.MarkVersionBadResponse:
        """Mark a version bad."""
        return await self._mark(request, pb.MarkVersionBadResponse, releasing.mark_bad)

    async def MarkVersionGood(self, request: pb.MarkVersionGoodRequest, _context: Any) -> pb.MarkVersionGoodResponse:
        """Take a bad mark back."""
        return await self._mark(request, pb.MarkVersionGoodResponse, releasing.mark_good)

    async def _mark(
        self,
        request: pb.MarkVersionBadRequest | pb.MarkVersionGoodRequest,
        response_type: type[MarkedT],
        command: releasing.Mark,
    ) -> MarkedT:
        tenant = calls.current().principal.tenant
        name = names.parse_version(request.version, "version")
        actor = requests.actor(request.reason, required=True)

        async def mark(connection: Connection) -> MarkedT:
            marked = await command(connection, self._log, tenant, name.workflow, name.number, actor)
            version = responses.version(name.workflow, marked.version)
            return response_type(version=version, changed=marked.decision.changed)

        return await self._platform.once(request, response_type, mark, names.workflow(name.workflow))

    async def GetChannel(self, request: pb.GetChannelRequest, _context: Any) -> pb.GetChannelResponse:
        """Get one channel."""
        name = names.parse_channel(request.name, "name")
        async with self._platform.reading() as connection:
            channel = await store.get_channel(connection, name.workflow, name.channel)
        return pb.GetChannelResponse(channel=responses.channel(name.workflow, channel))

    async def ListReleases(self, request: pb.ListReleasesRequest, _context: Any) -> pb.ListReleasesResponse:
        """List the release log, newest first."""
        workflow = names.parse_workflow(request.workflow, "workflow")
        channel = check_label(request.channel, "channel") if request.channel else None
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, workflow, channel) or _PAST_ALL_REVISIONS
        async with self._platform.reading() as connection:
            await workflows.get(connection, workflow)
            found = await store.page(connection, workflow, channel, before, size + 1)
        message = partial(responses.release, workflow)
        releases, token = pages.cut(found, size, message, lambda release: release.revision, workflow, channel)
        return pb.ListReleasesResponse(releases=releases, next_page_token=token)

    async def WatchReleases(
        self, request: pb.WatchReleasesRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchReleasesResponse]:
        """Watch the release log."""
        workflow = names.parse_workflow(request.workflow, "workflow")
        async with self._platform.reading() as connection:
            found = await workflows.get(connection, workflow)
            channels = await store.list_channels(connection, workflow)
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, found.latest_revision)
        else:
            sequence = found.latest_revision
            snapshot = pb.ReleaseSnapshot(
                workflow=responses.workflow(found), channels=responses.channels(workflow, channels)
            )
            yield pb.WatchReleasesResponse(sequence=sequence, snapshot=snapshot)
        async with aclosing(self._feed(workflow).follow(sequence)) as items:
            async for release in items:
                if release is None:
                    yield pb.WatchReleasesResponse(sequence=sequence, heartbeat=messages.now())
                else:
                    sequence = release.revision
                    yield pb.WatchReleasesResponse(sequence=sequence, release=responses.release(workflow, release))

    async def ListReleaseEvents(
        self, request: pb.ListReleaseEventsRequest, _context: Any
    ) -> pb.ListReleaseEventsResponse:
        """Wait for what is next in the release log."""
        workflow = names.parse_workflow(request.workflow, "workflow")
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        async with self._platform.reading() as connection:
            found = await workflows.get(connection, workflow)
        watch.check_start(sequence, found.latest_revision)
        releases = await self._feed(workflow).poll(sequence, size, seconds)
        return pb.ListReleaseEventsResponse(
            releases=[responses.release(workflow, value) for value in releases],
            sequence=releases[-1].revision if releases else sequence,
        )

    def _feed(self, workflow: str) -> Feed[Release]:
        async def read(connection: Connection, after: int, limit: int) -> Sequence[Release]:
            return await store.after(connection, workflow, after, limit)

        return self._platform.feed(names.workflow(workflow), read)


def _moved(workflow: str, decision: Decision) -> dict[str, Any]:
    return {
        "channel": responses.channel(workflow, decision.channel) if decision.channel else None,
        "release": responses.release(workflow, decision.release) if decision.release else None,
    }


def _decided(workflow: str, decision: Decision) -> dict[str, Any]:
    return {**_moved(workflow, decision), "changed": decision.changed}


def _rolled_back(workflow: str, rolled_back: releasing.RolledBack) -> pb.RollbackVersionResponse:
    impact = release_pb2.RunImpact(running=rolled_back.bound.running, paused=rolled_back.bound.paused)
    return pb.RollbackVersionResponse(**_decided(workflow, rolled_back.decision), impact=impact)
