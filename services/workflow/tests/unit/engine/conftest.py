"""A writer on a real database, and running instances in it that a worker owns."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from millwright_runtime.events.jetstream import JetStream
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.signals import Signals
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.idempotency import Requests
from millwright_runtime.service import Platform
from millwright_runtime.valkey import Valkey
from millwright_workflow.domain import partitions
from millwright_workflow.domain.instances import Instance, State
from millwright_workflow.engine.running.clock import Clock
from millwright_workflow.engine.running.holdings import Holdings
from millwright_workflow.engine.running.writer import Writer
from millwright_workflow.store.checkpoints import Checkpoints
from millwright_workflow.store.storage import PostgresStorage

WORKER = uuid.uuid4()
NOT_OURS = 63
NOW = datetime.now(UTC)
INSERT = """
INSERT INTO workflow.instance
    (tenant, instance, part, workflow, version, bound_revision, channel, state, input, sequence, creator, create_time,
     start_time)
VALUES ($1, $2, $3, 'plant.line', 1, 2, 'prod', 'RUNNING', 'null', 2, 'kim', $4, $4)
"""


@pytest.fixture
async def platform(urls, valkey):
    """The platform of a service, without its API."""
    database = await Database.open(urls.service, 4, application="test")
    cache = Valkey(valkey.url)
    jetstream = JetStream("nats://127.0.0.1:4222", "workflow", 1)  # never started: nobody is told of anything
    yield Platform(database, cache, Signals(), Requests(database, "workflow"), jetstream)
    await cache.close()
    await database.close()


@pytest.fixture
async def writer(platform):
    """A writer that runs, with every partition but one."""
    storage = PostgresStorage(platform, EventLog("workflow"), Checkpoints(platform.valkey))
    holdings = Holdings(storage, WORKER, Clock())
    await storage.renew(WORKER, timedelta(hours=1))
    holdings.tenure.epochs.update(await storage.acquire(WORKER, [p for p in range(partitions.COUNT) if p != NOT_OURS]))
    writer = Writer(storage, holdings)
    task = asyncio.create_task(writer.run())
    yield writer
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.done()
    await storage.leave(WORKER)


@pytest.fixture
async def begun(urls):
    """Give a function that makes a running instance in a partition of the worker, or in the other one."""
    connection = await asyncpg.connect(urls.superuser)
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    await connection.execute("INSERT INTO workflow.workflow VALUES ($1, 'plant.line', 1, 2, $2, $2)", tenant, NOW)

    async def begin(*, is_ours=True):
        instance = uuid.uuid4()
        while (partitions.of(instance) != NOT_OURS) != is_ours:
            instance = uuid.uuid4()
        await connection.execute(INSERT, tenant, instance, partitions.of(instance), NOW)
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
