"""Reading ahead of what is landed ends with whoever takes the messages, and with the service."""

import asyncio

import pytest
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright_etl.api.streams import Inflow
from millwright_etl.domain.calendar import Calendars
from millwright_local.processes import until
from millwright_runtime.events.signals import Signals
from millwright_runtime.events.watch import ShuttingDown

MESSAGE = pb.IngestRecordsRequest(stream_id="s")


class Opened:
    """A stream at its beginning."""

    stream_id = "s"
    next_offset = 0

    async def calendars(self):
        return Calendars()


async def endless():
    while True:
        yield MESSAGE


@pytest.fixture
def signals():
    return Signals()


@pytest.fixture
async def inflow(signals):
    return Inflow(signals, Opened(), endless(), MESSAGE)


@pytest.fixture
async def reading(inflow):
    """The reading of more than there is room for."""

    async def is_full():
        return inflow._read.full()

    task = asyncio.create_task(inflow.read())
    await until(is_full, 5)
    yield task
    task.cancel()
    await asyncio.wait([task])


async def test_reading_ends_when_nobody_takes_what_was_read_any_more(reading):
    reading.cancel()
    await asyncio.wait([reading], timeout=5)
    assert reading.cancelled()


async def test_what_was_read_before_the_service_went_away_is_taken_and_then_that_is_said(signals, inflow, reading):
    room = inflow._read.qsize()
    ending = asyncio.create_task(inflow.end_when_draining(reading))
    signals.drain()
    await ending
    assert len(await inflow.take()) == room
    with pytest.raises(ShuttingDown, match="acknowledged"):
        await inflow.take()
    assert not reading.cancelled()


async def test_reading_ends_when_the_service_goes_away_and_then_the_client(signals, inflow, reading):
    signals.drain()
    await inflow.end_when_draining(reading)
    await asyncio.sleep(0)  # it wants to say so, and there is no room
    reading.cancel()
    await asyncio.wait([reading], timeout=5)
    assert reading.cancelled()
