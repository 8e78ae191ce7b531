"""A message that is delivered twice has its effect once."""

import asyncio
from datetime import timedelta

from millwright_runtime.events.inbox import Inbox
from millwright_runtime.postgres.database import ALL_TENANTS


async def take(database, consumer, message_id):
    async with database.transaction(ALL_TENANTS) as connection:
        return await Inbox("sample", consumer).take(connection, message_id)


async def test_a_message_is_taken_once(database):
    assert await take(database, "starter", "once")
    assert not await take(database, "starter", "once")


async def test_consumers_take_a_message_each(database):
    assert await take(database, "starter", "each")
    assert await take(database, "counter", "each")


async def test_a_message_whose_effect_was_undone_is_taken_again(database):
    async def take_and_fail():
        async with database.transaction(ALL_TENANTS) as connection:
            assert await Inbox("sample", "starter").take(connection, "undone")
            raise LookupError

    await asyncio.gather(take_and_fail(), return_exceptions=True)
    assert await take(database, "starter", "undone")


async def test_a_message_delivered_twice_at_the_same_moment_is_taken_once(database):
    taken = await asyncio.gather(*(take(database, "starter", "same moment") for _ in range(2)))
    assert sorted(taken) == [False, True]


async def test_of_many_messages_those_that_are_new_are_told(database):
    inbox = Inbox("sample", "many")
    async with database.transaction(ALL_TENANTS) as connection:
        assert await inbox.take_all(connection, ["b", "a", "a"]) == {"a", "b"}
    async with database.transaction(ALL_TENANTS) as connection:
        assert await inbox.take_all(connection, ["c", "b"]) == {"c"}


async def test_what_is_forgotten_is_taken_again(database):
    inbox = Inbox("sample", "forgetful")
    async with database.transaction(ALL_TENANTS) as connection:
        await inbox.take_all(connection, ["a", "b"])
        assert await inbox.forget(connection, timedelta(hours=1), 10) == 0
    async with database.transaction(ALL_TENANTS) as connection:
        assert await inbox.forget(connection, timedelta(0), 10) == 2
        assert await inbox.take(connection, "a")
