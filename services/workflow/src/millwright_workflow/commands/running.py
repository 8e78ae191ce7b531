"""Running: instances are started, cancelled and resumed."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from millwright_runtime import tracing
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import Json
from millwright_runtime.postgres.database import Connection

from millwright_workflow.domain import instances as domain
from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.errors import VersionBad, VersionNotFound
from millwright_workflow.domain.instances import Cancellation, Happening, Instance, State
from millwright_workflow.store import compensations, events, instances, workflows
from millwright_workflow.store import releases as release_store


@dataclass(frozen=True, slots=True)
class Start:
    """The wish to start an instance: through a channel, or on a version."""

    workflow: str
    channel: str | None
    version: int | None
    input: Json
    instance: uuid.UUID | None = None
    routing_key: str | None = None
    parent: Instance | None = None
    task: str | None = None
    """The reference of the parent's task that starts it."""
    traceparent: str = ""
    """Where in a trace it is wanted; empty: by the call that is being served."""


async def start(
    connection: Connection, log: EventLog, tenant: str, wish: Start, creator: str, now: datetime
) -> Instance:
    """Accept an instance; a worker binds its version and begins it soon.

    Raises WorkflowNotFound, ChannelNotFound, VersionNotFound, VersionBad, InstanceExists.
    """
    await workflows.get(connection, wish.workflow)
    await _check_version_now(connection, wish)
    instance = Instance(
        tenant=tenant,
        instance=wish.instance or new_id(),
        workflow=wish.workflow,
        channel=wish.channel,
        version=wish.version,
        state=domain.INITIAL,
        input=wish.input,
        output=None,
        error=None,
        cancel_reason=None,
        finished_tasks=0,
        sequence=1,
        creator=creator,
        create_time=now,
        start_time=None,
        end_time=None,
        parent=wish.parent.instance if wish.parent else None,
        parent_task=wish.task,
        depth=wish.parent.depth + 1 if wish.parent else 0,
        routing_key=wish.routing_key or (wish.parent.routing_key if wish.parent else None),
        traceparent=wish.traceparent or (wish.parent.traceparent if wish.parent else tracing.origin()),
    )
    await instances.insert(connection, instance)
    await _log(connection, log, instance, Happening.CREATED, now)
    return instance


async def _check_version_now(connection: Connection, wish: Start) -> None:
    """Refuse a wish whose version is bad; a channel that is moved while it is looked at is looked at again."""
    number = await _version_now(connection, wish)
    while True:
        try:
            return await check_version(connection, wish.workflow, number)
        except VersionBad:
            left, number = number, await _version_now(connection, wish)
            if number == left:
                raise


async def _version_now(connection: Connection, wish: Start) -> int:
    """Give the version that an instance would begin on now; raise ChannelNotFound."""
    if wish.version is not None:
        return wish.version
    return (await release_store.get_channel(connection, wish.workflow, wish.channel or "")).version


async def check_version(connection: Connection, workflow: str, number: int) -> None:
    """Refuse a version on which an instance could only fault; raise VersionNotFound, VersionBad."""
    version = (await workflows.versions(connection, workflow, [number])).get(number)
    if version is None:
        raise VersionNotFound(version=number, workflow=workflow)
    if version.is_bad:
        raise VersionBad(version=number, workflow=workflow, bad_reason=version.bad_reason)


async def cancel(
    connection: Connection,
    log: EventLog,
    instance_id: uuid.UUID,
    reason: str,
    now: datetime,
    *,
    compensates: bool = False,
) -> Instance:
    """Cancel an instance, or ask the worker that runs it to; if it `compensates`, what was done is undone.

    Raises InstanceNotFound, InstanceEnded.
    """
    instance = await instances.get(connection, instance_id, lock=True)
    match domain.cancel(instance, compensates=compensates):
        case Cancellation.UNCHANGED:
            return instance
        case Cancellation.REQUESTED:
            compensation = Compensation(CompensationState.REQUESTED) if compensates else None
            return await _ask_to_cancel(connection, instance, reason, compensation)
        case Cancellation.STOP:
            assert instance.compensation is not None
            stopping = replace(instance.compensation, state=CompensationState.STOPPING)
            return await _ask_to_cancel(connection, instance, reason, stopping)
        case Cancellation.COMPENSATE:
            return await _compensate(connection, log, domain.compensate(instance, reason), now)
        case Cancellation.NOW:
            ended = domain.cancel_now(instance, reason, now)
            await instances.end(connection, ended)
            await _log(connection, log, ended, Happening.CANCELLED, now)
            return ended


async def _ask_to_cancel(
    connection: Connection, instance: Instance, reason: str, compensation: Compensation | None
) -> Instance:
    await instances.request_cancel(connection, instance.instance, reason, compensation)
    return replace(instance, cancel_reason=reason, compensation=compensation)


async def _compensate(connection: Connection, log: EventLog, compensating: Instance, now: datetime) -> Instance:
    await compensations.begin(connection, compensating)
    await _log(connection, log, compensating, Happening.COMPENSATION_STARTED, now)
    return compensating


async def resume(connection: Connection, log: EventLog, instance_id: uuid.UUID, now: datetime) -> Instance:
    """Let a paused instance go on; raise InstanceNotFound, InstanceNotPaused."""
    instance = await instances.get(connection, instance_id, lock=True)
    domain.check_paused(instance)
    resumed = domain.move(instance, State.RUNNING)
    await instances.resume(connection, instance_id, resumed.sequence)
    await _log(connection, log, resumed, Happening.RESUMED, now)
    return resumed


async def pause(connection: Connection, instance_id: uuid.UUID, reason: str) -> Instance:
    """Ask the worker that runs an instance to stop it; raise InstanceNotFound, InstanceNotRunning."""
    instance = await instances.get(connection, instance_id, lock=True)
    domain.check_running(instance)
    if instance.state is State.RUNNING:
        await instances.request_pause(connection, instance_id, reason)
    return instance


async def retry(connection: Connection, log: EventLog, instance_id: uuid.UUID, now: datetime) -> Instance:
    """Let a faulted or cancelled instance go on, or have the rest undone of one that was being undone.

    Raises InstanceNotFound, InstanceNotFaulted, InstanceCompensated, VersionBad.
    """
    instance = await instances.get(connection, instance_id, lock=True)
    domain.check_faulted(instance)
    if instance.compensation and instance.compensation.has_begun:
        return await _compensate(connection, log, domain.compensate(instance), now)
    assert instance.version is not None
    await check_version(connection, instance.workflow, instance.version)
    retried = domain.move(instance, State.RUNNING, error=None, cancel_reason=None, compensation=None, end_time=None)
    await instances.retry(connection, instance_id, retried.sequence)
    await _log(connection, log, retried, Happening.RESUMED, now)
    return retried


def new_id() -> uuid.UUID:
    """Make an id that sorts by time (UUID version 7, RFC 9562), so that new rows lie side by side in the index."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


async def _log(connection: Connection, log: EventLog, instance: Instance, happening: Happening, now: datetime) -> None:
    await log.append(connection, [events.of_instance(domain.event(instance, happening, now))])
