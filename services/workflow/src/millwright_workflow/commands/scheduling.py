"""Scheduling: which schedule is in force, and what it starts. Exactly one instance a tick, whoever looks and how often.

A schedule is that of the version that channel `prod` points to; it changes in the transaction that moves the channel.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Final

from millwright_runtime import tracing
from millwright_runtime.errors import MillwrightError
from millwright_runtime.events.log import EventLog
from millwright_runtime.json import Json, from_text
from millwright_runtime.postgres.database import Connection

from millwright_workflow.commands import running
from millwright_workflow.commands.running import Start
from millwright_workflow.domain.definition.workflow import Schedule
from millwright_workflow.domain.errors import InstanceExists
from millwright_workflow.domain.releases import DEFAULT_CHANNEL, Channel
from millwright_workflow.domain.schedule import next_start, plan_trigger
from millwright_workflow.store import instances, schedules, subscriptions, workflows
from millwright_workflow.store.schedules import ScheduleRow

CREATOR: Final = "schedule"
"""Who has started what a schedule starts."""

_TICKS: Final = uuid.UUID("f3d9a1c6-5b1d-5d0f-9a58-3f3b0b6d9d11")
_GATHERED_LIMIT = 1000
_log = logging.getLogger(__name__)


async def follow(connection: Connection, tenant: str, workflow: str, channel: Channel) -> None:
    """Put the schedule of the version that a channel points to into force, if it is the channel that counts.

    A version that says the same as the one before goes on with its times and its events.
    """
    if channel.channel != DEFAULT_CHANNEL:
        return
    standing = await schedules.find(connection, workflow)
    if standing is not None and standing.version == channel.version:
        return
    _, text = await workflows.get_version(connection, workflow, channel.version)
    written = from_text(text.canonical).get("schedule")
    if standing is not None and standing.schedule == written:
        await schedules.rebind(connection, tenant, workflow, channel.version)
        return
    await subscriptions.remove(connection, tenant, schedules.owner(workflow))
    if not written:
        await schedules.remove(connection, tenant, workflow)
        return
    now = await schedules.now(connection)
    schedule = Schedule.model_validate(written)
    next_time = next_start(schedule, now, now)
    row = ScheduleRow(tenant, workflow, channel.version, written, now, next_time, None, None, 0)
    await schedules.put(connection, row)
    if (trigger := plan_trigger(schedule)) is not None:
        address = schedules.owner(workflow)
        await subscriptions.insert(connection, tenant, address, address.reference, trigger.subscription, now)


async def advance(connection: Connection, log: EventLog, workflow: str) -> list[uuid.UUID]:
    """Do what a schedule has to do now, unless somebody else is at it; give the instances that were started.

    After a time in which nobody looked, one start is made up for, the first that was missed, and the others are not.
    """
    row = await schedules.lock(connection, workflow)
    if row is None:
        return []
    schedule = Schedule.model_validate(row.schedule)
    now = await schedules.now(connection)
    if schedule.on is not None:
        return await _gather(connection, log, row, schedule, now)
    if row.next_time is None:
        await _await_last(connection, row, schedule, now)
        return []
    if row.next_time > now:
        return []
    tick = row.next_time
    instance = uuid.uuid5(_TICKS, f"{workflow}@{tick.isoformat()}")
    started = await _start(connection, log, row, instance, None, now)
    following = next_start(schedule, now, row.begin_time, is_running=started)
    if not started and schedule.after is not None:
        following = next_start(schedule, now, row.begin_time, now)
    await schedules.move(connection, row, following, tick, instance if started else row.last_instance)
    return [instance] if started else []


async def _await_last(connection: Connection, row: ScheduleRow, schedule: Schedule, now: datetime) -> None:
    """Set the next time once the last instance has ended."""
    if row.last_instance is None:
        return
    last = await instances.get(connection, row.last_instance)
    if last.end_time is not None:
        following = next_start(schedule, now, row.begin_time, last.end_time)
        await schedules.move(connection, row, following, row.last_time, row.last_instance)


async def _gather(
    connection: Connection, log: EventLog, row: ScheduleRow, schedule: Schedule, now: datetime
) -> list[uuid.UUID]:
    """Fold the events that have come, and start an instance for each set that is complete."""
    trigger = plan_trigger(schedule)
    assert trigger is not None
    address = schedules.owner(row.workflow)
    found = await subscriptions.read_from(connection, row.tenant, address, row.position, _GATHERED_LIMIT)
    started: list[uuid.UUID] = []
    position, gathering, taken = row.position, trigger.gathering, list[Json]()
    for place, delivery in found:
        gathering, is_taken, is_complete = gathering.take(delivery)
        if is_taken:
            taken.append(delivery.event)
        if is_complete or len(taken) == _GATHERED_LIMIT:
            instance = uuid.uuid5(_TICKS, f"{row.workflow}@{row.begin_time.isoformat()}#{place}")
            if await _start(connection, log, row, instance, taken, now):
                started.append(instance)
            position, gathering, taken = place + 1, trigger.gathering, []
    if found:
        await schedules.look_past(connection, row, position, found[-1][0] + 1)
        await subscriptions.discard(connection, row.tenant, address, position)
    if started:
        await schedules.move(connection, row, None, now, started[-1])
    return started


async def _start(
    connection: Connection, log: EventLog, row: ScheduleRow, instance: uuid.UUID, data: Json, now: datetime
) -> bool:
    """Start an instance; False, and a line in the log, where the workflow takes none now."""
    wish = Start(row.workflow, DEFAULT_CHANNEL, None, data, instance, traceparent=_trace_of(data))
    try:
        await running.start(connection, log, row.tenant, wish, CREATOR, now)
    except InstanceExists:
        return True  # of this tick, before the schedule was replaced by another and came back
    except MillwrightError as refusal:
        extra = {"tenant": row.tenant, "workflow": row.workflow, "fault": str(refusal)}
        _log.warning("a schedule could not start an instance", extra=extra)
        return False
    return True


def _trace_of(data: Json) -> str:
    """Give the trace of the event that completed a set; empty where none says one."""
    events = data if isinstance(data, list) else []
    said = [str(event.get("traceparent", "")) for event in events if isinstance(event, dict)]
    return next((each for each in reversed(said) if tracing.parse(each)), "")
