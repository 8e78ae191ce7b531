"""A writer on a real database, and running instances in it that a worker owns."""

import asyncio
import uuid
from datetime import UTC, datetime

import asyncpg
import pytest
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.idempotency import Requests
from millwright_runtime.service import Platform
from millwright_runtime.valkey import Valkey
from millwright_workflow.domain.instances import Instance, State
from millwright_workflow.engine.writer import Writer
from millwright_workflow.store.checkpoints import Checkpoints

WORKER = uuid.uuid4()
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
INSERT = """
INSERT INTO workflow.instance
    (tenant, instance, workflow, version, bound_revision, channel, state, input, sequence, owner, creator, create_time,
     start_time)
VALUES ($1, $2, 'plant.line', 1, 2, 'prod', 'RUNNING', 'null', 2, $3, 'kim', $4, $4)
"""


@pytest.fixture
async def platform(urls, valkey):
    """The platform of a service, without its API."""
    database = await Database.open(urls.service, 4, application="test")
    cache = Valkey(valkey.url)
    yield Platform(database, cache, Signals(), Requests(database, "workflow"))
    await cache.close()
    await database.close()


@pytest.fixture
async def writer(platform):
    """A writer that runs."""
    writer = Writer(platform, EventLog("workflow"), Checkpoints(platform.valkey), WORKER)
    task = asyncio.create_task(writer.run())
    yield writer
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.done()


@pytest.fixture
async def begun(urls):
    """Give a function that makes a running instance that the worker owns, or another."""
    connection = await asyncpg.connect(urls.superuser)
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    await connection.execute("INSERT INTO workflow.workflow VALUES ($1, 'plant.line', 1, 2, $2, $2)", tenant, NOW)

    async def begin(owner=WORKER):
        instance = uuid.uuid4()
        await connection.execute(INSERT, tenant, instance, owner, NOW)
        return Instance(
            tenant=tenant,
            instance=instance,
            workflow="plant.line",
            channel="prod",
            version=1,
            state=State.RUNNING,
            input=None,
            output=None,
            error=None,
            cancel_reason=None,
            finished_tasks=0,
            sequence=2,
            creator="kim",
            create_time=NOW,
            start_time=NOW,
            end_time=None,
        )

    yield begin
    await connection.close()
