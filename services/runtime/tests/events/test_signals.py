"""A signal wakes those who listen for its name, and none is lost between two waits."""

import asyncio

import pytest
from millwright_runtime.events.signals import Draining, Signals


@pytest.fixture
def signals():
    return Signals()


async def is_woken(listener):
    try:
        async with asyncio.timeout(0.05):
            await listener.wait(60)
    except TimeoutError:
        return False
    return True


async def test_everybody_who_listens_for_the_name_is_woken(signals):
    with signals.listen("a") as one, signals.listen("a") as two, signals.listen("b") as other:
        signals.notify("a")
        assert await is_woken(one)
        assert await is_woken(two)
        assert not await is_woken(other)


async def test_a_signal_between_two_waits_ends_the_second(signals):
    with signals.listen("a") as listener:
        await listener.wait(0)
        signals.notify("a")
        assert await is_woken(listener)


async def test_a_signal_ends_one_wait(signals):
    with signals.listen("a") as listener:
        signals.notify("a")
        assert await is_woken(listener)
        assert not await is_woken(listener)


async def test_waiting_ends_by_itself(signals):
    with signals.listen("a") as listener:
        await listener.wait(0.01)


async def test_draining_ends_every_wait_for_good(signals):
    with signals.listen("a") as listener:
        waiting = asyncio.create_task(listener.wait(60))
        await asyncio.sleep(0)
        signals.drain()
        with pytest.raises(Draining):
            await waiting
        with pytest.raises(Draining):
            await listener.wait(60)
    assert signals.is_draining


async def test_a_signal_that_nobody_listens_for_is_nothing(signals):
    signals.notify("nobody")
    assert not signals._waiters


async def test_waiting_can_be_cancelled(signals):
    with signals.listen("a") as listener:
        waiting = asyncio.create_task(listener.wait(60))
        await asyncio.sleep(0)
        signals.notify("a")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_whoever_waits_for_the_draining_goes_on_with_it_and_afterwards_at_once(signals):
    waiting = asyncio.create_task(signals.drained())
    signals.notify("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    signals.drain()
    async with asyncio.timeout(5):
        await waiting
        await signals.drained()
