"""Seats are taken in turn by tenant."""

import asyncio

import pytest
from millwright_runtime.concurrency.turns import Turns


async def sit(turns, tenant, order, release):
    async with turns.seat(tenant):
        order.append(tenant)
        await release.wait()


async def test_a_tenant_that_asks_for_many_waits_behind_one_that_asks_for_one():
    turns, order, release = Turns(1), [], asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for tenant in ("loud", "loud", "loud", "loud", "quiet", "third"):
            group.create_task(sit(turns, tenant, order, release))
        await asyncio.sleep(0)
        release.set()

    assert order == ["loud", "loud", "quiet", "third", "loud", "loud"]


async def test_a_seat_is_free_again_after_whoever_waited_for_it_left():
    turns, order, release = Turns(1), [], asyncio.Event()
    first = asyncio.create_task(sit(turns, "a", order, release))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(sit(turns, tenant, order, release)) for tenant in ("b", "b", "c")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    release.set()
    waiting[1].cancel()  # in the very moment that it may get the seat
    await asyncio.gather(first, *waiting, return_exceptions=True)

    async with asyncio.timeout(1):
        async with turns.seat("d"):
            order.append("d")
    assert order == ["a", "c", "d"]


async def test_no_more_sit_than_there_are_seats():
    turns, sitting, most = Turns(3), 0, 0

    async def work():
        nonlocal sitting, most
        async with turns.seat("a"):
            sitting += 1
            most = max(most, sitting)
            await asyncio.sleep(0)
            sitting -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(work())
    assert (most, sitting) == (3, 0)


async def test_a_seat_is_given_back_by_whoever_fails():
    turns = Turns(1)
    with pytest.raises(RuntimeError):
        async with turns.seat("a"):
            raise RuntimeError
    async with asyncio.timeout(1), turns.seat("b"):
        pass
