"""The database goes away in the middle and comes back: what was acknowledged is there, once, and the day is made."""

from uuid import uuid4

import asyncpg
import grpc
import pytest
from etl_rig.client import DAY, record
from etl_rig.processes import Held
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_etl.app import SERVICE
from millwright_local.databases import create_database, create_roles
from millwright_local.postgres import Postgres
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.postgres.migrations import Migrations
from millwright_runtime.service import running

WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
async def postgres(local_directory):
    """A Postgres of the file's own; each test leaves it running."""
    async with Postgres(local_directory / f"outages-{uuid4().hex[:8]}", durable=False) as postgres:
        await create_roles(postgres)
        await create_database(postgres, "plant")
        owner, service = postgres.url("plant", "millwright_etl_owner"), postgres.url("plant", "millwright_etl")
        await Migrations(SERVICE.migrations, SERVICE.name).upgrade(owner, service)
        yield postgres


@pytest.fixture(scope="module")
async def service(postgres, service_settings):
    """The service on it; a window whose worker is gone is begun anew within a second."""
    settings = service_settings(SERVICE, postgres.url("plant", "millwright_etl"), window_lease_seconds=1)
    async with running(SERVICE, settings) as service:
        yield service


@pytest.fixture
def count(postgres, client):
    """Count in a database that may have been away."""

    async def read(what):
        async with postgres.connect("plant") as sql:
            return int(await sql.fetchval(f"SELECT {what} WHERE tenant = $1", client.tenant) or 0)

    return read


@pytest.fixture
def answers(client):
    """Wait until the service has its database again."""

    async def answer():
        try:
            await client.ListRuns()
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - the other answers are none
            return False
        return True

    return lambda: until(answer, WAIT_SECONDS)


async def test_a_day_that_is_in_the_middle_when_postgres_ends_is_made_once_it_is_back(client, postgres, count, answers):
    await client.land(*(record(external_id=str(number)) for number in range(30)))
    holder = await asyncpg.connect(postgres.url("plant"))
    day = Held(holder, client.tenant, DAY)
    await day.__aenter__()
    name = (await client.RunPipeline(dates=[str(DAY)])).run.name
    await day.wait_for_a_worker()
    await postgres.kill()
    holder.terminate()
    await postgres.start()
    await answers()
    assert (await client.ended(name)).state == run_pb2.Run.STATE_COMPLETED
    assert await count("sum(total_qty) FROM bi.fact_daily_production") == 3000
    assert await count("count(*) FROM etl.dirty") == 0
    [window] = (await client.ListWindows(run=name)).windows
    assert (window.counts.rows_used, window.attempts > 1) == (30, True)


async def test_a_batch_that_found_no_database_is_landed_when_it_is_sent_again(client, postgres, count, answers):
    batch = [record(external_id=str(number)) for number in range(20)]
    await client.land(*batch[:10])
    await postgres.kill()
    try:
        assert (await refused(client.IngestBatch(records=batch))).kind == ("UNAVAILABLE", "DATABASE_UNAVAILABLE")
    finally:
        await postgres.start()
    await answers()
    assert await client.land(*batch) == "inserted 10, unchanged 10"
    assert await count("count(*) FROM core.erp_mes_data") == 20


async def test_a_stream_that_loses_the_database_goes_on_after_what_was_acknowledged(client, postgres, count, answers):
    def part(offset):
        records = [record(external_id=str(offset + number)) for number in range(10)]
        return pb.IngestRecordsRequest(stream_id="cut", offset=offset, records=records)

    stream = client.stream(None)
    await stream.write(part(0))
    assert (await stream.read()).acknowledged_offset == 10
    await postgres.kill()
    await stream.write(part(10))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stream.read()
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    await postgres.start()
    await answers()
    offset = (await client.GetIngestOffset(stream_id="cut")).acknowledged_offset
    assert offset == 10
    rest = [answer async for answer in client.stream(iter([part(10), part(20)]))]
    assert rest[-1].acknowledged_offset == 30
    assert await count("count(*) FROM core.erp_mes_data") == 30
