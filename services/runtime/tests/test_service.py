"""The whole life of a service on real servers: it starts, waits for its schema, serves, and drains in order."""

import asyncio
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from millwright.workflow.v1 import (
    release_service_pb2,
    release_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from millwright_local.ports import find_free_port
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime import loops
from millwright_runtime import service as service_module
from millwright_runtime.postgres import schema
from millwright_runtime.postgres.migrations import Migrations
from millwright_runtime.service import running
from millwright_runtime.settings import PortTaken
from runtime_sample.service import MIGRATIONS, SERVICE, SampleSettings

NAME = "millwright.workflow.v1.WorkflowService"


class Client:
    """Calls the service as an operator."""

    def __init__(self, channel, token):
        self.health_stub = health_pb2_grpc.HealthStub(channel)
        self.workflows = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
        self.releases = release_service_pb2_grpc.ReleaseServiceStub(channel)
        self.metadata = (("authorization", f"Bearer {token}"),)

    async def health(self):
        answer = await self.health_stub.Check(health_pb2.HealthCheckRequest(service=NAME))
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    async def is_serving(self):
        try:
            return await self.health() == "SERVING"
        except grpc.aio.AioRpcError:
            return False

    async def publish(self, text):
        request = workflow_service_pb2.PublishVersionRequest(definition=text)
        return await self.workflows.PublishVersion(request, metadata=self.metadata)

    async def names(self):
        answer = await self.workflows.ListWorkflows(
            workflow_service_pb2.ListWorkflowsRequest(), metadata=self.metadata, wait_for_ready=True
        )
        return [workflow.name for workflow in answer.workflows]

    def get(self, name):
        request = workflow_service_pb2.GetWorkflowRequest(name=name)
        return self.workflows.GetWorkflow(request, metadata=self.metadata)

    def watch(self, from_sequence=0):
        request = release_service_pb2.WatchReleasesRequest(workflow="workflows/sample", from_sequence=from_sequence)
        return self.releases.WatchReleases(request, metadata=self.metadata)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(schema, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(service_module, "_HEALTH_SECONDS", 0.05)


@pytest.fixture
def environment(own_postgres, nats, valkey, keys):
    """The settings of a service, as the environment gives them."""
    return {
        "DATABASE_URL": own_postgres.service,
        "MIGRATION_DATABASE_URL": own_postgres.owner,
        "NATS_URL": nats.url,
        "VALKEY_URL": valkey.url,
        "LISTEN": f"127.0.0.1:{find_free_port()}",
        "METRICS_LISTEN": f"127.0.0.1:{find_free_port()}",
        "JWKS": str(keys.jwks_file),
        "JWT_ISSUER": keys.issuer,
        "DRAIN_SECONDS": "5",
    }


@pytest.fixture
def settings(environment):
    return SampleSettings(**{name.lower(): value for name, value in environment.items()})


@pytest.fixture
async def client(settings, token):
    async with grpc.aio.insecure_channel(settings.listen) as channel:
        yield Client(channel, token())


async def test_it_serves_and_tells_watchers_what_is_published(settings, client):
    async with running(SERVICE, settings):
        assert await client.health() == "SERVING"
        await client.publish("first")
        watching = client.watch()
        assert (await anext(aiter(watching))).sequence == 1
        await client.publish("second")
        sequences = [(await anext(aiter(watching))).sequence]
        while sequences[-1] == 0:  # a heartbeat
            sequences.append((await anext(aiter(watching))).sequence)
        assert sequences[-1] == 2
        assert await client.names() == ["first", "second"]
        watching.cancel()


async def test_until_its_schema_is_there_it_is_alive_and_says_that_it_starts(
    environment, settings, client, empty, monkeypatch
):
    settings = settings.model_copy(update=dict(SampleSettings(**_lower(environment, DATABASE_URL=empty.service))))
    life = running(SERVICE, settings)
    starting = asyncio.create_task(life.__aenter__())
    await client.health_stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
    assert await client.health() == "NOT_SERVING"
    refusal = await refused(client.get("workflows/a"))
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "STARTING")
    await Migrations(MIGRATIONS, "sample").upgrade(empty.owner, empty.service)
    async with asyncio.timeout(5):
        await starting
    assert await client.health() == "SERVING"
    await life.__aexit__()


def _lower(environment, **changes):
    return {name.lower(): value for name, value in (environment | changes).items()}


async def test_a_service_that_cannot_listen_ends_and_leaves_nothing_open(settings):
    async with running(SERVICE, settings):
        second = settings.model_copy(update={"metrics_listen": f"127.0.0.1:{find_free_port()}"})
        with pytest.raises(PortTaken):
            await running(SERVICE, second).__aenter__()


async def test_a_database_that_is_lost_after_the_schema_was_seen_is_waited_for(
    settings, client, own_postgres, monkeypatch
):
    see = schema.wait

    async def see_and_lose(*what):
        await see(*what)
        await own_postgres.server.kill()

    monkeypatch.setattr(schema, "wait", see_and_lose)
    life = running(SERVICE, settings)
    starting = asyncio.create_task(life.__aenter__())
    await asyncio.wait([starting], timeout=1)
    assert not starting.done()
    assert await client.health() == "NOT_SERVING"
    await own_postgres.server.start()
    async with asyncio.timeout(5):
        await starting
    await client.publish("kept")
    await life.__aexit__()


async def test_while_the_database_is_away_it_does_not_serve_and_then_it_does_again(settings, client, own_postgres):
    async with running(SERVICE, settings):
        await own_postgres.server.stop()
        assert (await refused(client.publish("lost"))).reason == "DATABASE_UNAVAILABLE"

        async def is_not_serving():
            return await client.health() == "NOT_SERVING"

        await until(is_not_serving, 5)
        await own_postgres.server.start()
        await until(client.is_serving, 5)
        assert "lost" not in await client.names()


async def test_a_frozen_database_that_holds_all_connections_is_not_taken_for_a_busy_one(settings, client, own_postgres):
    few = settings.model_copy(update={"database_connections": 2})

    async def is_not_serving():
        return await client.health() == "NOT_SERVING"

    async with running(SERVICE, few) as service, AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(service.platform.database.snapshot("anyone"))
        own_postgres.server.freeze()
        try:
            await until(is_not_serving, 5)
        finally:
            own_postgres.server.thaw()
        await until(client.is_serving, 5)  # they are all busy as before, and it answers


async def test_draining_ends_streams_finishes_calls_and_flushes_the_outbox(settings, client, own_postgres, monkeypatch):
    life = running(SERVICE, settings)
    running_now = await life.__aenter__()
    watching = client.watch(from_sequence=10**6)
    assert (await anext(aiter(watching))).sequence == 0
    slow = asyncio.create_task(_await(client.get("in 0.3")))
    await until(lambda: _counts(running_now, 1), 5)
    leaving = asyncio.create_task(life.__aexit__())
    refusal = await refused(watching)
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert (await slow).workflow.name == "in 0.3"
    async with asyncio.timeout(5):
        await leaving
    async with own_postgres.server.connect("sample") as connection:
        assert await connection.fetchval("SELECT count(*) FROM sample.outbox") == 0


async def _await(call):
    return await call


async def _counts(running_now, calls):
    return running_now.server._interceptor.admission.calls == calls


class Looping:
    """A background loop that tells what becomes of it."""

    name = "looping"

    def __init__(self):
        self.runs = 0
        self.failed_twice = asyncio.Event()
        self.drained = False

    async def run(self):
        self.runs += 1
        if self.runs <= 2:
            raise RuntimeError("a pass that fails")
        self.failed_twice.set()
        await asyncio.Event().wait()

    async def drain(self):
        self.drained = True


async def test_a_loop_that_fails_begins_anew_and_drains_before_what_it_needs_is_closed(settings, monkeypatch):
    monkeypatch.setattr(loops, "_RESTART_SECONDS", 0.01)
    looping = Looping()

    async def close():
        assert looping.drained
        closed.set()

    closed = asyncio.Event()

    async def compose(platform, settings):
        parts = await SERVICE.compose(platform, settings)
        return service_module.Parts(parts.servicers, [looping], closers=[close])

    service = service_module.Service(SERVICE.name, SERVICE.settings, SERVICE.migrations, compose)
    async with running(service, settings), asyncio.timeout(5):
        await looping.failed_twice.wait()
    assert closed.is_set()


async def test_a_loop_that_does_not_drain_is_not_waited_for_for_ever(settings):
    class Stuck(Looping):
        async def drain(self):
            await asyncio.Event().wait()

    async def compose(platform, settings):
        parts = await SERVICE.compose(platform, settings)
        return service_module.Parts(parts.servicers, [Stuck()])

    service = service_module.Service(SERVICE.name, SERVICE.settings, SERVICE.migrations, compose)
    impatient = settings.model_copy(update={"drain_seconds": 0.05})
    async with asyncio.timeout(3), running(service, impatient):
        pass
