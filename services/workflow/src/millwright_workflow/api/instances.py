"""InstanceService: starting instances of workflows, and following them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from millwright.workflow.v1 import instance_service_pb2 as pb
from millwright.workflow.v1 import instance_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog, LoggedEvent
from millwright_runtime.events.watch import Feed
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_workflow.api import requests, responses
from millwright_workflow.api.checkpoints import CheckpointCalls
from millwright_workflow.commands import forking, running
from millwright_workflow.domain import names
from millwright_workflow.domain.errors import InstanceNotRunning
from millwright_workflow.domain.instances import Happening, Instance
from millwright_workflow.engine.definitions import Definitions
from millwright_workflow.engine.running.worker import WORK
from millwright_workflow.store import compensations, events
from millwright_workflow.store import instances as store

_FINAL_TYPES = frozenset(
    events.INSTANCE_TYPES[happening] for happening in (Happening.COMPLETED, Happening.FAULTED, Happening.CANCELLED)
)


class InstanceServicer(pb_grpc.InstanceServiceServicer):
    """Serves InstanceService."""

    def __init__(
        self, platform: Platform, log: EventLog, definitions: Definitions, checkpoints: CheckpointCalls
    ) -> None:
        self._platform = platform
        self._log = log
        self._definitions = definitions
        self._checkpoints = checkpoints

    async def StartInstance(self, request: pb.StartInstanceRequest, _context: Any) -> pb.StartInstanceResponse:
        """Accept an instance."""
        principal = calls.current().principal
        wish = requests.start(request)
        now = datetime.now(UTC)

        async def start(connection: Connection) -> pb.StartInstanceResponse:
            instance = await running.start(connection, self._log, principal.tenant, wish, principal.subject, now)
            return pb.StartInstanceResponse(instance=responses.instance(instance))

        response = await self._platform.requests.once(request, pb.StartInstanceResponse, start)
        self._committed(principal.tenant, response.instance.name)
        return response

    async def GetInstance(self, request: pb.GetInstanceRequest, _context: Any) -> pb.GetInstanceResponse:
        """Get one instance."""
        instance_id = names.parse_instance(request.name, "name")
        async with self._platform.reading() as connection:
            instance = await store.get(connection, instance_id)
            undone = await compensations.undone(connection, *instance.key) if instance.compensation else ()
        return pb.GetInstanceResponse(instance=responses.instance(instance, undone=undone))

    async def ListInstances(self, request: pb.ListInstancesRequest, _context: Any) -> pb.ListInstancesResponse:
        """List instances, newest first."""
        chosen = requests.instance_filter(request)
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.time_and_id, chosen)
        async with self._platform.reading() as connection:
            found = await store.page(connection, chosen, before, size + 1)
        instances, token = pages.cut(found, size, partial(responses.instance, whole=False), _place, chosen)
        return pb.ListInstancesResponse(instances=instances, next_page_token=token)

    async def CancelInstance(self, request: pb.CancelInstanceRequest, _context: Any) -> pb.CancelInstanceResponse:
        """Cancel an instance."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.name, "name")
        reason = fields.reason(request.reason)
        async with self._platform.database.transaction(tenant) as connection:
            instance = await running.cancel(
                connection, self._log, instance_id, reason, datetime.now(UTC), compensates=request.compensate
            )
        self._committed(tenant, request.name)
        return pb.CancelInstanceResponse(instance=responses.instance(instance))

    async def ResumeInstance(self, request: pb.ResumeInstanceRequest, _context: Any) -> pb.ResumeInstanceResponse:
        """Let a paused instance go on."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.name, "name")
        async with self._platform.database.transaction(tenant) as connection:
            instance = await running.resume(connection, self._log, instance_id, datetime.now(UTC))
        self._committed(tenant, request.name)
        return pb.ResumeInstanceResponse(instance=responses.instance(instance))

    async def PauseInstance(self, request: pb.PauseInstanceRequest, _context: Any) -> pb.PauseInstanceResponse:
        """Stop an instance before its next task."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.name, "name")
        reason = fields.reason(request.reason)
        async with self._platform.database.transaction(tenant) as connection:
            instance = await running.pause(connection, instance_id, reason)
        self._platform.signals.notify(WORK)
        return pb.PauseInstanceResponse(instance=responses.instance(instance))

    async def RetryInstance(self, request: pb.RetryInstanceRequest, _context: Any) -> pb.RetryInstanceResponse:
        """Let a faulted or cancelled instance go on."""
        tenant = calls.current().principal.tenant
        instance_id = names.parse_instance(request.name, "name")
        async with self._platform.database.transaction(tenant) as connection:
            instance = await running.retry(connection, self._log, instance_id, datetime.now(UTC))
        self._committed(tenant, request.name)
        return pb.RetryInstanceResponse(instance=responses.instance(instance))

    async def ForkInstance(self, request: pb.ForkInstanceRequest, _context: Any) -> pb.ForkInstanceResponse:
        """Start an instance that goes on from a checkpoint of another."""
        principal = calls.current().principal
        wish = await self._fork(request, principal.tenant)

        async def fork(connection: Connection) -> pb.ForkInstanceResponse:
            now = datetime.now(UTC)
            forked = await forking.fork(connection, self._log, principal.tenant, wish, principal.subject, now)
            return pb.ForkInstanceResponse(instance=responses.instance(forked.instance), adopted_tasks=forked.adopted)

        if request.validate_only:
            async with self._platform.database.snapshot(principal.tenant) as connection:
                adopted = await forking.check(connection, principal.tenant, wish)
            return pb.ForkInstanceResponse(adopted_tasks=len(adopted))
        response = await self._platform.requests.once(request, pb.ForkInstanceResponse, fork)
        self._committed(principal.tenant, response.instance.name)
        return response

    async def _fork(self, request: pb.ForkInstanceRequest, tenant: str) -> forking.Fork:
        instance_id = names.parse_instance(request.name, "name")
        async with self._platform.reading() as connection:
            source = await store.get(connection, instance_id)
            if source.version is None:
                raise InstanceNotRunning(instance=source.instance, state=source.state.value)
            version = request.version or source.version
            await running.check_version(connection, source.workflow, version)
        return forking.Fork(
            source=source,
            source_plan=await self._definitions.plan(tenant, source.workflow, source.version),
            version=version,
            target_plan=await self._definitions.plan(tenant, source.workflow, version),
            from_checkpoint=request.from_checkpoint if request.HasField("from_checkpoint") else None,
        )

    async def ListCheckpoints(self, request: pb.ListCheckpointsRequest, _context: Any) -> pb.ListCheckpointsResponse:
        """List what is kept of an instance."""
        return await self._checkpoints.list(request)

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, _context: Any) -> pb.GetCheckpointResponse:
        """Get one checkpoint."""
        return await self._checkpoints.get(request)

    async def WatchInstance(
        self, request: pb.WatchInstanceRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchInstanceResponse]:
        """Watch an instance until it ends."""
        instance_id = names.parse_instance(request.name, "name")
        async with self._platform.reading() as connection:
            instance = await store.get(connection, instance_id)
        sequence = instance.sequence
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, instance.sequence)
        else:
            yield pb.WatchInstanceResponse(sequence=sequence, snapshot=responses.instance(instance))
        if instance.state.is_terminal and sequence == instance.sequence:
            return
        async with aclosing(self._feed(request.name, instance.day).follow(sequence, instance.sequence)) as items:
            async for event in items:
                if event is None:
                    yield pb.WatchInstanceResponse(sequence=sequence, heartbeat=messages.now())
                    continue
                sequence = event.sequence
                yield pb.WatchInstanceResponse(sequence=sequence, event=responses.instance_event(event))
                if event.type in _FINAL_TYPES and await self._has_ended(instance_id, sequence):
                    return

    async def ListInstanceEvents(
        self, request: pb.ListInstanceEventsRequest, _context: Any
    ) -> pb.ListInstanceEventsResponse:
        """Wait for what happens next to an instance."""
        instance_id = names.parse_instance(request.name, "name")
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        async with self._platform.reading() as connection:
            instance = await store.get(connection, instance_id)
        watch.check_start(sequence, instance.sequence)
        if instance.state.is_terminal:
            seconds = 0.0
        found = await self._feed(request.name, instance.day).poll(sequence, size, seconds, instance.sequence)
        return pb.ListInstanceEventsResponse(
            events=[responses.instance_event(event) for event in found],
            sequence=found[-1].sequence if found else sequence,
        )

    async def _has_ended(self, instance_id: uuid.UUID, sequence: int) -> bool:
        """Tell whether the event at `sequence` is the last: an instance that was retried goes on after a final one."""
        async with self._platform.reading() as connection:
            return (await store.get(connection, instance_id)).sequence == sequence

    def _feed(self, name: str, day: date) -> Feed[LoggedEvent]:
        async def read(connection: Connection, after: int, limit: int) -> Sequence[LoggedEvent]:
            return await self._log.after(connection, name, after, limit, day)

        return self._platform.feed(name, read)

    def _committed(self, tenant: str, name: str) -> None:
        self._platform.committed(tenant, name)
        self._platform.signals.notify(WORK)


def _place(value: Instance) -> list[str]:
    return pages.of_time_and_id(value.create_time, value.instance)
