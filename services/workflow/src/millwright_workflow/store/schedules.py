"""Schedules in force, in Postgres: one row a workflow, locked by whoever starts an instance of it or replaces it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from millwright_runtime.json import JsonObject, from_text, to_text
from millwright_runtime.postgres.database import TENANT, Connection

from millwright_workflow.store.subscriptions import Address

REFERENCE = "/schedule/on"
_OWNERS = uuid.UUID("0e4a4a30-7c4b-5b0e-8a6e-d1c0a7f6f2aa")


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """The schedule of a workflow."""

    tenant: str
    workflow: str
    version: int
    """The version whose definition says so: that of the channel `prod`."""
    schedule: JsonObject
    """As its author wrote it."""
    begin_time: datetime
    """When it came into force."""
    next_time: datetime | None
    """When it starts the next instance; None where that is not for a clock to say."""
    last_time: datetime | None
    """The time that the last instance was started for."""
    last_instance: uuid.UUID | None
    position: int
    """Of the first delivery that has not led to an instance."""


def owner(workflow: str) -> Address:
    """Give whose inbox the events of a workflow's schedule come into."""
    return Address(uuid.uuid5(_OWNERS, workflow), REFERENCE)


async def put(connection: Connection, row: ScheduleRow) -> None:
    """Put a schedule into force in place of the workflow's earlier one."""
    await connection.execute(
        _PUT,
        row.tenant,
        row.workflow,
        row.version,
        to_text(row.schedule),
        row.begin_time,
        row.next_time,
        row.last_time,
        row.last_instance,
        owner(row.workflow).instance,
        "after" in row.schedule,
        "on" in row.schedule,
    )


async def remove(connection: Connection, tenant: str, workflow: str) -> None:
    """Take a workflow's schedule out of force."""
    await connection.execute("DELETE FROM workflow.schedule WHERE tenant = $1 AND workflow = $2", tenant, workflow)


async def find(connection: Connection, workflow: str) -> ScheduleRow | None:
    """Give the schedule of a workflow, if it has one."""
    row = await connection.fetchrow(f"{_SELECT} WHERE tenant = {TENANT} AND workflow = $1", workflow)
    return _row(row) if row else None


async def page(connection: Connection, workflow: str | None, after: str, limit: int) -> Sequence[ScheduleRow]:
    """Give at most `limit` schedules by workflow, after the workflow `after`."""
    return [_row(row) for row in await connection.fetch(_PAGE, workflow, after, limit)]


async def now(connection: Connection) -> datetime:
    """Give the time by the database's clock."""
    time: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return time


async def waiting(connection: Connection, limit: int) -> Sequence[tuple[str, str]]:
    """Give at most `limit` schedules, by tenant and workflow, that have something to do by the database's clock."""
    return [(row["tenant"], row["workflow"]) for row in await connection.fetch(_WAITING, limit)]


async def lock(connection: Connection, workflow: str) -> ScheduleRow | None:
    """Lock a schedule; None if it is gone, or if another replica or a release is at it.

    The workflow is locked, too, against what would have us wait for it and it for us.
    """
    row = await connection.fetchrow(_LOCK, workflow)
    return _row(row) if row else None


async def rebind(connection: Connection, tenant: str, workflow: str, version: int) -> None:
    """Leave a schedule in force as it stands for a version that says the same."""
    await connection.execute(_REBIND, tenant, workflow, version)


async def move(
    connection: Connection,
    row: ScheduleRow,
    next_time: datetime | None,
    last_time: datetime | None,
    last_instance: uuid.UUID | None,
) -> None:
    """Say what a locked schedule has started and when it starts the next."""
    await connection.execute(_MOVE, row.tenant, row.workflow, next_time, last_time, last_instance)


async def look_past(connection: Connection, row: ScheduleRow, position: int, looked: int) -> None:
    """Say from where a locked schedule gathers events, and how many it has looked at."""
    await connection.execute(_LOOK_PAST, row.tenant, row.workflow, position, looked)


def _row(row: asyncpg.Record) -> ScheduleRow:
    return ScheduleRow(
        tenant=row["tenant"],
        workflow=row["workflow"],
        version=row["version"],
        schedule=from_text(row["schedule"]),
        begin_time=row["begin_time"],
        next_time=row["next_time"],
        last_time=row["last_time"],
        last_instance=row["last_instance"],
        position=row["position"],
    )


_COLUMNS = """schedule.tenant, schedule.workflow, schedule.version, schedule.schedule, schedule.begin_time,
    schedule.next_time, schedule.last_time, schedule.last_instance, schedule.position"""
_SELECT = f"SELECT {_COLUMNS} FROM workflow.schedule AS schedule"
_PUT = """
INSERT INTO workflow.schedule
    (tenant, workflow, version, schedule, begin_time, next_time, last_time, last_instance, owner, is_following,
     is_triggered)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant, workflow) DO UPDATE
SET version = excluded.version, schedule = excluded.schedule, begin_time = excluded.begin_time,
    next_time = excluded.next_time, last_time = excluded.last_time, last_instance = excluded.last_instance,
    is_following = excluded.is_following, is_triggered = excluded.is_triggered, position = 0, looked = 0
"""
_PAGE = f"""
{_SELECT} WHERE tenant = {TENANT} AND ($1::text IS NULL OR workflow = $1) AND workflow > $2 ORDER BY workflow LIMIT $3
"""
_WAITING = """
SELECT tenant, workflow FROM workflow.schedule WHERE next_time <= clock_timestamp()
UNION
SELECT schedule.tenant, schedule.workflow FROM workflow.schedule AS schedule
JOIN workflow.instance AS instance ON instance.tenant = schedule.tenant AND instance.instance = schedule.last_instance
WHERE next_time IS NULL AND is_following AND instance.end_time IS NOT NULL
UNION
SELECT schedule.tenant, schedule.workflow FROM workflow.schedule AS schedule
JOIN workflow.subscription AS subscription
    ON subscription.tenant = schedule.tenant AND subscription.instance = schedule.owner
WHERE is_triggered AND received > looked
LIMIT $1
"""
_LOCK = f"""
{_SELECT} JOIN workflow.workflow AS parent USING (tenant, workflow)
WHERE schedule.tenant = {TENANT} AND schedule.workflow = $1
FOR UPDATE OF schedule SKIP LOCKED FOR KEY SHARE OF parent SKIP LOCKED
"""
_REBIND = "UPDATE workflow.schedule SET version = $3 WHERE tenant = $1 AND workflow = $2"
_MOVE = """
UPDATE workflow.schedule SET next_time = $3, last_time = $4, last_instance = $5 WHERE tenant = $1 AND workflow = $2
"""
_LOOK_PAST = "UPDATE workflow.schedule SET position = $3, looked = $4 WHERE tenant = $1 AND workflow = $2"
