"""Emitted events leave in turn, and stay where they are for as long as NATS or Postgres do not take it well."""

import asyncio
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace

import asyncpg
import pytest
from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import ALL_TENANTS, Database
from millwright_workflow.domain.interpreter.effects import TaskReference
from millwright_workflow.engine.events.emitting import Publisher, complete
from millwright_workflow.store import emissions

REFERENCE = TaskReference("/do/0/tell")


class Nats:
    """Takes messages after a while, or raises instead."""

    def __init__(self, seconds=0.0, fault=None):
        self.taken = []
        self._seconds = seconds
        self._fault = fault

    async def publish(self, messages):
        await asyncio.sleep(self._seconds)
        if self._fault:
            raise self._fault
        self.taken += messages


@pytest.fixture
async def hasty(urls, monkeypatch):
    """A database whose transactions may neither idle nor last for long, with one event that waits."""
    monkeypatch.setattr("millwright_runtime.postgres.database._IDLE_MILLISECONDS", 100)
    monkeypatch.setattr("millwright_runtime.postgres.database._TRANSACTION_SECONDS", 0.2)
    database = await Database.open(urls.service, 2, application="test")
    instance = uuid.uuid4()
    event = complete({"type": "weld.done", "source": "/line-1"}, instance, REFERENCE, datetime.now(UTC))
    async with database.transaction("north") as connection:
        await emissions.insert(connection, "north", instance, str(REFERENCE), REFERENCE.pointer, event)
    yield database
    async with database.transaction(ALL_TENANTS) as connection:
        await connection.execute("DELETE FROM workflow.outgoing_event")
    await database.close()


def publisher(database, nats):
    platform = SimpleNamespace(database=database, signals=Signals(), jetstream=SimpleNamespace(max_payload=1024 * 1024))
    return Publisher(platform, nats)


async def waiting(database):
    async with database.snapshot(ALL_TENANTS) as connection:
        return await connection.fetchval("SELECT count(*) FROM workflow.outgoing_event")


async def test_nats_may_take_longer_than_postgres_lets_a_transaction_idle_or_last(hasty):
    nats = Nats(seconds=0.3)
    assert await publisher(hasty, nats).run_once() == 1
    assert [message.subject for message in nats.taken] == ["millwright.north.events.weld.done"]
    assert await waiting(hasty) == 0


@pytest.mark.parametrize(
    "fault", [asyncpg.IdleInTransactionSessionTimeoutError("ended"), asyncpg.InterfaceError("connection is closed")]
)
async def test_a_transaction_that_postgres_ends_leaves_the_event_for_the_next_pass(hasty, fault):
    await publisher(hasty, Nats(fault=fault)).drain()
    assert await waiting(hasty) == 1
    nats = Nats()
    await publisher(hasty, nats).drain()
    assert len(nats.taken) == 1
