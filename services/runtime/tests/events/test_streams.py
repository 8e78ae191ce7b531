"""A stream that many share: what is published is fetched once acknowledged, also after NATS was wiped."""

import asyncio
from datetime import timedelta

import pytest
from millwright_local.processes import until
from millwright_runtime.events.jetstream import JetStream
from millwright_runtime.events.streams import Message, Stream
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError


@pytest.fixture
async def jetstream(module_nats):
    """A connection to the test file's NATS."""
    connection = JetStream(module_nats.url, "sample", 1)

    async def connected():
        return connection.is_connected

    connection.start(lambda _: None)
    await until(connected, 10.0)
    yield connection
    await connection.stop()


@pytest.fixture
async def stream(jetstream):
    """A stream of its own for each test."""
    stream = Stream(jetstream, "PLANT", "plant.>", timedelta(hours=1))
    yield stream
    if jetstream.is_connected:
        await jetstream.context.delete_stream("PLANT")


def said(text, message_id):
    return Message("plant.line", text.encode(), {"Nats-Msg-Id": message_id})


async def test_what_is_published_is_fetched_in_order(stream):
    await stream.publish([said("one", "1"), said("two", "2")])
    assert [message.data for message in await stream.fetch("reader", 10, 5.0)] == [b"one", b"two"]


async def test_what_is_published_twice_is_there_once(stream):
    await stream.publish([said("one", "1"), said("one", "1")])
    assert len(await stream.fetch("reader", 10, 5.0)) == 1


async def test_what_is_acknowledged_does_not_come_again(stream):
    await stream.publish([said("one", "1")])
    (message,) = await stream.fetch("reader", 10, 5.0)
    await message.ack_sync()
    assert await stream.fetch("reader", 10, 0.2) == []


async def test_two_readers_of_one_durable_share_the_messages(jetstream, stream):
    other = Stream(jetstream, "PLANT", "plant.>", timedelta(hours=1))
    await stream.publish([said(str(number), str(number)) for number in range(20)])
    first, second = await asyncio.gather(stream.fetch("reader", 10, 5.0), other.fetch("reader", 10, 5.0))
    assert {message.data for message in [*first, *second]} == {str(number).encode() for number in range(20)}


async def test_a_stream_that_was_removed_is_made_again(jetstream, stream):
    assert await stream.fetch("reader", 1, 0.2) == []
    await jetstream.context.delete_stream("PLANT")
    with pytest.raises((NatsError, OSError)):
        await stream.fetch("reader", 1, 0.2)
    assert await stream.fetch("reader", 1, 0.2) == []
    await stream.publish([said("after", "1")])
    assert [message.data for message in await stream.fetch("reader", 1, 5.0)] == [b"after"]


async def test_a_new_reader_of_anothers_stream_gets_what_comes_after_it_began(jetstream, stream):
    await stream.publish([said("before", "1")])
    foreign = Stream(jetstream, "PLANT", "plant.line", None)
    await stream.publish([said("after", "2")])
    assert [message.data for message in await foreign.fetch("guest", 10, 5.0)] == [b"after"]


async def test_a_reader_that_is_lost_goes_on_from_where_it_looked_last(jetstream, stream):
    foreign = Stream(jetstream, "PLANT", "plant.line", None)
    await stream.publish([said("taken", "1")])
    (message,) = await foreign.fetch("guest", 10, 5.0)
    await message.ack_sync()
    assert await foreign.fetch("guest", 10, 0.1) == []
    await jetstream.context.delete_consumer("PLANT", "guest")
    await stream.publish([said("next", "2")])
    with pytest.raises(Exception):  # noqa: B017 - whatever NATS says of a consumer that is gone
        await foreign.fetch("guest", 10, 1.0)
    assert [each.data for each in await foreign.fetch("guest", 10, 5.0)] == [b"next"]


async def test_anothers_stream_that_its_first_message_makes_gives_that_message(jetstream, stream):
    foreign = Stream(jetstream, "PLANT", "plant.line", None)
    with pytest.raises(NotFoundError):
        await foreign.fetch("guest", 10, 0.1)
    await stream.publish([said("first", "1")])
    assert [message.data for message in await foreign.fetch("guest", 10, 5.0)] == [b"first"]
