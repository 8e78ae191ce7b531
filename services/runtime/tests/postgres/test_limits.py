"""A transaction that runs already is given more time, or less."""

import asyncpg
import pytest
from millwright_runtime.postgres.limits import extension


async def test_a_transaction_goes_on_for_longer_than_it_might_have(database):
    async with database.transaction("north") as connection:
        await connection.execute("SET LOCAL transaction_timeout = 0; SET LOCAL transaction_timeout = 300")
        await connection.execute(extension(20))
        assert await connection.fetchval("SELECT 'it goes on' FROM pg_sleep(0.6)") == "it goes on"


async def test_a_transaction_that_takes_still_longer_is_ended(database):
    async def sleep():
        async with database.transaction("north") as connection:
            await connection.execute(extension(0.3))
            await connection.execute("SELECT pg_sleep(20)")

    with pytest.raises(asyncpg.PostgresConnectionError, match="transaction timeout"):
        await sleep()
