"""Clients that ask for facts and do not read them keep nothing from anybody else."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import grpc
import pytest
from etl_rig.client import DAY, NOON, record
from millwright.etl.v1 import run_pb2
from millwright_etl.api.answers import AnswerNotRead, Answers
from millwright_etl.domain.queries import Dimension, Filter, Measure, Query
from millwright_local.testing.refusals import Refusal, decode

FINEST = ["DIMENSION_DATE", "DIMENSION_LINE", "DIMENSION_PRODUCT", "DIMENSION_SHIFT"]
CONNECTIONS = 10
MANY, FEW, AT_ONCE = 60_000, 4_000, 1_000
NEXT = DAY + timedelta(days=1)


@pytest.fixture
async def plant(client, sql):
    """A plant with many facts on one day, and few on the next."""
    await client.land(record(), record(external_id="next", event_time=NOON + timedelta(days=1)))
    await client.ended((await client.RunPipeline(dates=[str(DAY), str(NEXT)])).run.name)
    await sql.execute(_FACTS, client.tenant, DAY, MANY)
    await sql.execute(_FACTS, client.tenant, NEXT, FEW)
    return client


_FACTS = """
INSERT INTO bi.fact_daily_production
SELECT $1::text, $2::date, 'M' || n, 'P', 'A', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, gen_random_uuid()
FROM generate_series(1, $3::integer) AS n
"""


async def _unread(client, day):
    """Ask for the facts of a day, and take one message; give the call, or why it was refused."""
    wanted = {"from_date": str(day), "to_date": str(day)}
    call = client.QueryProduction(filter=wanted, group_by=FINEST, deadline=60)
    try:
        await anext(aiter(call))
    except grpc.aio.AioRpcError as error:
        return decode(error)
    return call


async def test_more_unread_answers_than_connections_hold_nobody_up(plant):
    long = [await _unread(plant, DAY) for _ in range(CONNECTIONS + 2)]
    short = [await _unread(plant, NEXT) for _ in range(CONNECTIONS + 2)]
    refusals = [each for each in long if isinstance(each, Refusal)]
    assert 0 < len(refusals) < len(long)
    assert {each.kind for each in refusals} == {("RESOURCE_EXHAUSTED", "TOO_MANY_LONG_ANSWERS")}
    assert all(each.retry_info and "ListProduction" in each.message for each in refusals)
    assert not any(isinstance(each, Refusal) for each in short)

    assert await plant.land(record(external_id="2")) == "inserted 1"
    run = await plant.ended((await plant.RunPipeline(dates=[str(DAY)])).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED
    for call in [*long, *short]:
        if not isinstance(call, Refusal):
            call.cancel()
    async with asyncio.timeout(5):
        while isinstance(await _unread(plant, DAY), Refusal):  # until the seat of one that went away is free
            pass


async def test_a_long_answer_is_of_one_state_to_its_end(plant, sql):
    call = await _unread(plant, DAY)
    await sql.execute("DELETE FROM bi.fact_daily_production WHERE tenant = $1 AND date = $2", plant.tenant, DAY)
    assert sum([len(message.rows) async for message in call]) == MANY + 1 - AT_ONCE


async def test_a_long_answer_that_is_not_read_gives_back_what_it_holds(plant, service):
    query = Query(Filter(DAY, DAY), (Dimension.LINE,), (Measure.TOTAL_QTY,))
    given_back = asyncio.Event()

    @asynccontextmanager
    async def reading():
        try:
            async with service.platform.database.snapshot(plant.tenant) as connection:
                yield connection
        finally:
            given_back.set()

    answers = Answers(reading, 1, idle_seconds=0.1)
    async with aclosing(answers.pieces(query)) as unread:
        await anext(unread)
        async with asyncio.timeout(5):
            await given_back.wait()
        async with aclosing(answers.pieces(query)) as other:
            await anext(other)
        with pytest.raises(AnswerNotRead):
            async for _ in unread:
                pass
