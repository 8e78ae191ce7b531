"""Telling: a stage does not go on for an operation of which nothing can be written any more."""

import asyncio

import pytest
from millwright_modules.engine.progress import Teller
from millwright_modules.store.operations import LeaseLost


class Lost:
    """An operation that is somebody else's by now."""

    operation = worked = None

    async def progress(self, _measure):
        raise LeaseLost


async def work():
    """Work on a lost operation for a minute; give how it ended."""
    with pytest.raises(LeaseLost):
        async with Teller(Lost()).telling():
            await asyncio.sleep(60)
    return asyncio.current_task().cancelling()


async def test_a_stage_ends_as_soon_as_a_telling_says_that_it_is_for_nothing():
    async with asyncio.timeout(5):
        assert await work() == 0


async def test_who_is_told_to_stop_stops_all_the_same():
    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
