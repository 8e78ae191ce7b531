"""A process that is killed while it judges: what it has acknowledged is there, and what is sent again is there once."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import asyncpg
import grpc
import pytest
from judgment_rig.client import RULESET, Client, given
from millwright.judgment.v1 import judgment_service_pb2
from millwright_judgment.app import SERVICE
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.service_process import ServiceProcess
from millwright_local.services import named

STREAMS = 4
CALLERS = 4
ENOUGH = 1_500
"""So many acknowledged judgments, then the kill: while others are under way."""


@pytest.fixture
async def database(service_databases):
    async with service_databases.fresh(SERVICE) as urls:
        yield urls


@pytest.fixture
async def process(database, service_settings, tmp_path):
    """A process of the service, running."""
    settings = service_settings(SERVICE, database.service)
    process = ServiceProcess(
        named("judgment"),
        tmp_path / "judgment.log",
        {
            "DATABASE_URL": database.service,
            "NATS_URL": settings.nats_url.get_secret_value(),
            "VALKEY_URL": settings.valkey_url.get_secret_value(),
            "JWKS": settings.jwks,
            "JWT_ISSUER": settings.jwt_issuer,
            "JWT_AUDIENCE": settings.jwt_audience,
            **{key: f"{LOOPBACK}:{find_free_port()}" for key in ("LISTEN", "METRICS_LISTEN")},
        },
    )
    await process.start()
    yield process
    if process.process is not None and process.process.is_running:
        await process.stop()


@asynccontextmanager
async def calling(process, token, tenant):
    async with grpc.aio.insecure_channel(process.address) as channel:
        yield Client(channel, token(tenant=tenant), tenant)


class Acknowledged:
    """What callers were told, by idempotency key."""

    def __init__(self):
        self.executions = {}
        self.is_enough = asyncio.Event()

    def note(self, key, execution):
        self.executions[key] = execution.name
        if len(self.executions) >= ENOUGH:
            self.is_enough.set()


async def stream(client, number, told):
    """Judge over a stream until it breaks."""

    async def asked():
        count = 0
        while True:
            request = judgment_service_pb2.JudgeRequest(
                ruleset=RULESET, input=given(defect_rate=count % 100 / 1000), idempotency_key=f"s{number}-{count}"
            )
            yield judgment_service_pb2.JudgeStreamRequest(number=count, request=request)
            count += 1

    async for answer in client.judge_stream(asked()):
        assert not answer.result.HasField("error")
        told.note(f"s{number}-{answer.number}", answer.result.judged.execution)


async def call(client, number, told):
    """Judge one after the other until a call fails."""
    count = 0
    while True:
        key = f"c{number}-{count}"
        told.note(key, await client.judge(idempotency_key=key))
        count += 1


async def test_what_was_acknowledged_before_a_kill_is_there_and_once(process, database, token):
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    told = Acknowledged()
    async with calling(process, token, tenant) as client:
        await client.publish(promote_to="prod")
        work = [asyncio.create_task(stream(client, number, told)) for number in range(STREAMS)]
        work += [asyncio.create_task(call(client, number, told)) for number in range(CALLERS)]
        async with asyncio.timeout(60):
            await told.is_enough.wait()
        assert not any(task.done() for task in work)
        await process.kill()
        ends = await asyncio.gather(*work, return_exceptions=True)
    assert all(isinstance(end, grpc.aio.AioRpcError) for end in ends)
    before = dict(told.executions)

    sql = await asyncpg.connect(database.superuser)
    try:
        stored = {str(row["execution"]) for row in await sql.fetch(STORED, tenant)}
        lost = [name for name in before.values() if name.removeprefix("executions/") not in stored]
        assert not lost
        await process.start()
        async with calling(process, token, tenant) as client:
            for key in list(before)[-100:]:
                again = await client.Judge(ruleset=RULESET, input=input_of(key), idempotency_key=key)
                assert (again.execution.name, again.replayed) == (before[key], True)
        assert {str(row["execution"]) for row in await sql.fetch(STORED, tenant)} == stored
        keys = await sql.fetchval("SELECT count(*) FROM judgment.execution_key WHERE tenant = $1", tenant)
        assert keys == len(stored)
    finally:
        await sql.close()


STORED = "SELECT execution FROM judgment.execution WHERE tenant = $1"


def input_of(key):
    """Give the input that was sent under a key."""
    return given(defect_rate=int(key.partition("-")[2]) % 100 / 1000) if key.startswith("s") else given()
