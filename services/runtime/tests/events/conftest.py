"""Events on a real JetStream: a server that a test file may stop, and a reader of what arrived there."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from millwright_local.nats import Nats
from millwright_local.processes import until
from millwright_runtime.events.jetstream import JetStream
from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.events.relay import Relay
from millwright_runtime.postgres.database import ALL_TENANTS, Database
from nats.aio.client import Client
from nats.js.errors import NotFoundError

STREAM = "MILLWRIGHT_SAMPLE"
LOG = EventLog("sample")


@dataclass
class Writer:
    """Writes events as a service would, and tells what waits in the outbox."""

    database: Database
    sequences: dict = field(default_factory=dict)

    async def write(self, *resources, tenant="north", kind="lifecycle", data=None, is_urgent=False):
        """Append the next event of each resource, all in one transaction."""
        events = []
        for resource in resources:
            sequence = self.sequences[resource] = self.sequences.get(resource, 0) + 1
            now = datetime.now(UTC)
            body = data or {"n": sequence}
            events.append(Event(tenant, resource, sequence, kind, "sample.happened.v1", body, now, is_urgent=is_urgent))
        async with self.database.transaction(tenant) as connection:
            await LOG.append(connection, events)
        return events

    async def waiting(self):
        async with self.database.transaction(ALL_TENANTS) as connection:
            return await connection.fetchval("SELECT count(*) FROM sample.outbox")


@pytest.fixture(scope="module")
async def module_nats(local_directory):
    """A NATS server of this test file's own, which a test may stop; it starts it again."""
    async with Nats(local_directory / f"nats-{uuid4().hex[:8]}") as server:
        yield server


@pytest.fixture
async def reader(module_nats):
    """A client that looks at what JetStream holds; the stream is gone before and after each test."""
    client = Client()
    await client.connect(module_nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    await remove_stream(client)
    yield Reader(client)
    await remove_stream(client)
    await client.close()


async def remove_stream(client):
    with suppress(NotFoundError):
        await client.jetstream().delete_stream(STREAM)


@dataclass
class Reader:
    """Reads the stream from its beginning."""

    client: Client

    async def messages(self):
        stream = self.client.jetstream()
        try:
            last = (await stream.stream_info(STREAM)).state.last_seq
        except NotFoundError:
            return []
        return [await stream.get_msg(STREAM, sequence) for sequence in range(1, last + 1)]

    async def ids(self):
        return [message.headers["ce-id"] for message in await self.messages()]

    async def remove_stream(self):
        await remove_stream(self.client)


@pytest.fixture
async def writer(database):
    async with database.transaction(ALL_TENANTS) as connection:
        await connection.execute("DELETE FROM sample.outbox")
    return Writer(database)


@pytest.fixture
def impatient(monkeypatch):
    """A client connects again soon after a loss."""
    monkeypatch.setattr("millwright_runtime.events.jetstream._RECONNECT_SECONDS", 0.05)


@pytest.fixture
async def jetstream(module_nats, impatient):
    """A connected JetStream of the sample service; what it hears is in `heard`."""
    jetstream = JetStream(module_nats.url, "sample", retention_days=7)
    jetstream.heard = []
    jetstream.start(jetstream.heard.append)

    async def is_connected():
        return jetstream.is_connected

    await until(is_connected, 5)
    yield jetstream
    await jetstream.stop()


@pytest.fixture
def relay(database, jetstream):
    return Relay(database, jetstream.publish, "sample")
