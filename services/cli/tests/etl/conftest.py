"""The etl service on real servers, and the command against it: a tenant a test."""

import asyncio
import json
import sys
import uuid
from pathlib import Path

import asyncpg
import grpc
import pytest
from millwright.etl.v1 import pipeline_service_pb2 as pb
from millwright.etl.v1 import pipeline_service_pb2_grpc as pb_grpc
from millwright_etl.app import SERVICE
from millwright_runtime.service import running

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="module")
async def urls(service_databases):
    """The ways into a database of the test file's own."""
    async with service_databases.fresh(SERVICE) as urls:
        yield urls


@pytest.fixture(scope="module")
async def service(urls, service_settings):
    """The address of an etl service."""
    async with running(SERVICE, service_settings(SERVICE, urls.service)) as service:
        yield f"127.0.0.1:{service.server.port}"


@pytest.fixture
def tenant():
    """A tenant that only this test knows."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def operator(token, tenant):
    """The token of an operator."""
    return token(tenant=tenant, roles=("operator",), subject="kim")


@pytest.fixture
def call(service, operator, bare):
    """Run the command against the service, beside the loop that the service runs on."""

    async def call(*args, endpoint=service, **given):
        return await asyncio.to_thread(bare, *args, "--endpoint", endpoint, "--token", operator, **given)

    return call


@pytest.fixture
def answer(call):
    """Run the command and give its answer as JSON; it ends as told."""

    async def answer(*args, exit_code=0, **given):
        result = await call(*args, "-o", "json", **given)
        assert result.exit_code == exit_code, result.stderr
        return json.loads(result.stdout)

    return answer


@pytest.fixture
def made(service, operator):
    """Make days' facts, and wait for them."""

    async def made(*days):
        metadata = [("authorization", f"Bearer {operator}")]
        async with grpc.aio.insecure_channel(service) as channel:
            stub = pb_grpc.PipelineServiceStub(channel)
            run = (await stub.RunPipeline(pb.RunPipelineRequest(dates=days), metadata=metadata)).run
            async for _ in stub.WatchRun(pb.WatchRunRequest(name=run.name), metadata=metadata, timeout=20):
                pass
            return (await stub.GetRun(pb.GetRunRequest(name=run.name), metadata=metadata)).run

    return made


@pytest.fixture
async def rows(urls, tenant):
    """Give the payloads of the tenant's rows that are not deleted, by external id."""
    connection = await asyncpg.connect(urls.superuser)

    async def read():
        found = await connection.fetch(
            "SELECT external_id, payload FROM core.erp_mes_data WHERE tenant = $1 AND NOT deleted ORDER BY 1", tenant
        )
        return {row["external_id"]: json.loads(row["payload"]) for row in found}

    yield read
    await connection.close()
