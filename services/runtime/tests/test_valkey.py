"""Valkey is a cache: away, it costs a moment and then nothing until it is tried again."""

import asyncio
import time

import pytest
from millwright_local.valkey import Valkey as Server
from millwright_runtime.valkey import Valkey


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture(scope="module")
async def server(local_directory):
    """A Valkey of this file's own, which a test may stop; it starts it again."""
    async with Server(local_directory / "own-valkey") as server:
        yield server


@pytest.fixture
async def valkey(server):
    valkey = Valkey(server.url, Clock())
    yield valkey
    await valkey.close()


class Operation:
    """An operation that counts how often it is tried."""

    def __init__(self):
        self.tried = 0

    async def __call__(self, client):
        self.tried += 1
        return await client.incr("n")


async def test_an_operation_gives_what_it_gives(valkey):
    await valkey.attempt(lambda client: client.set("a", "b"), None)
    assert await valkey.attempt(lambda client: client.get("a"), None) == b"b"


async def test_more_operations_than_connections_all_succeed(server, monkeypatch):
    monkeypatch.setattr("millwright_runtime.valkey._OPERATION_SECONDS", 5)  # a busy machine is not the point
    valkey = Valkey(server.url)
    answers = await asyncio.gather(*(valkey.attempt(Operation(), None) for _ in range(200)))
    await valkey.close()
    assert None not in answers


async def test_away_it_gives_the_default_and_is_left_alone_for_a_second(valkey, server):
    operation = Operation()
    await valkey.attempt(operation, None)
    await server.stop()
    for _ in range(3):
        assert await valkey.attempt(operation, "default") == "default"
    assert operation.tried == 2
    await server.start()
    assert await valkey.attempt(operation, "default") == "default"
    valkey._clock.seconds += 1
    assert await valkey.attempt(operation, "default") == 1


async def test_frozen_it_gives_the_default_within_a_moment(valkey, server):
    operation = Operation()
    await valkey.attempt(operation, None)
    server.freeze()
    begin = time.monotonic()
    answers = await asyncio.gather(*(valkey.attempt(operation, "default") for _ in range(50)))
    seconds = time.monotonic() - begin
    server.thaw()
    assert answers == ["default"] * 50
    assert seconds < 0.5


async def test_a_mistake_of_ours_is_not_hidden(valkey):
    async def mistaken(client):
        raise LookupError

    with pytest.raises(LookupError):
        await valkey.attempt(mistaken, None)
