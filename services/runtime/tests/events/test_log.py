"""The log gives back what was written, in order, to its own tenant alone."""

from datetime import UTC, datetime

import asyncpg
import pytest
from millwright_runtime import tracing
from millwright_runtime.events.log import Event, EventLog

LOG = EventLog("sample")
NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def happened(resource, sequence, tenant="north"):
    return Event(tenant, resource, sequence, "progress", "sample.happened.v1", {"n": sequence}, NOW)


async def after(database, tenant, resource, sequence, limit=100):
    async with database.snapshot(tenant) as connection:
        return [event.sequence for event in await LOG.after(connection, resource, sequence, limit)]


async def append(database, *events, tenant="north"):
    async with database.transaction(tenant) as connection:
        await LOG.append(connection, events)


async def test_events_come_back_as_they_were_written(database):
    await append(database, happened("lines/whole", 1))
    async with database.snapshot("north") as connection:
        (event,) = await LOG.after(connection, "lines/whole", 0, 10)
    assert (event.sequence, event.type, event.data, event.event_time) == (1, "sample.happened.v1", {"n": 1}, NOW)


async def test_events_come_in_order_after_a_sequence_and_within_a_limit(database):
    await append(database, *(happened("lines/order", n) for n in (3, 1, 4, 2)))
    assert await after(database, "north", "lines/order", 1, limit=2) == [2, 3]


async def test_a_place_in_the_order_is_taken_once(database):
    await append(database, happened("lines/once", 1))
    with pytest.raises(asyncpg.UniqueViolationError):
        await append(database, happened("lines/once", 1))


async def test_a_tenant_reads_its_own_log_alone(database):
    await append(database, happened("lines/shared", 1))
    await append(database, happened("lines/shared", 1, "south"), happened("lines/shared", 2, "south"), tenant="south")
    assert await after(database, "north", "lines/shared", 0) == [1]
    assert await after(database, "south", "lines/shared", 0) == [1, 2]


async def test_a_tenant_cannot_write_into_the_log_of_another(database):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await append(database, happened("lines/forged", 1, "south"))


async def test_the_log_cannot_be_changed_by_the_service(database):
    async with database.transaction("north") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM sample.event")


async def test_writing_nothing_is_allowed(database):
    await append(database)


def test_an_event_belongs_to_the_trace_it_was_made_in():
    with tracing.serving("test", None) as trace:
        assert happened("lines/traced", 1).traceparent == trace.traceparent
