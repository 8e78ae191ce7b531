"""Values are made once for many, kept while they are good, and not without end."""

import asyncio

import pytest
from millwright_runtime.concurrency.remembered import Fresh, Remembered


class Maker:
    """Makes values, and counts."""

    def __init__(self, seconds=10.0, size=1):
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails = False
        self.made = seconds, size

    async def __call__(self):
        self.count += 1
        await self.gate.wait()
        if self.fails:
            raise LookupError
        return Fresh(self.count, *self.made)


async def test_many_who_ask_at_once_get_one_value():
    make, known = Maker(), Remembered(10)
    assert set(await asyncio.gather(*(known.get("a", make) for _ in range(100)))) == {1}
    assert make.count == 1


async def test_a_value_is_kept_until_it_is_not_good_any_more():
    now = 0.0
    make, known = Maker(), Remembered(10, lambda: now)
    assert await known.get("a", make) == 1
    now = 9.9
    assert await known.get("a", make) == 1
    now = 10.1
    assert await known.get("a", make) == 2


async def test_a_value_is_made_though_who_asked_first_has_left():
    make, known = Maker(), Remembered(10)
    make.gate.clear()
    first, second = (asyncio.create_task(known.get("a", make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    make.gate.set()
    assert await second == 1


async def test_a_failure_is_told_to_all_and_not_remembered():
    make, known = Maker(), Remembered(10)
    make.fails = True
    failures = await asyncio.gather(*(known.get("a", make) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [LookupError] * 3
    assert make.count == 1
    make.fails = False
    assert await known.get("a", make) == 2


async def test_what_was_asked_for_the_longest_ago_goes_first():
    known = Remembered(3)
    for key in "abc":
        await known.get(key, Maker())
    again = Maker()
    await known.get("a", again)
    await known.get("d", Maker())
    assert again.count == 0
    again_b = Maker()
    await known.get("b", again_b)
    assert again_b.count == 1


async def test_what_is_larger_than_the_room_is_not_kept():
    known, make = Remembered(10), Maker(size=11)
    assert [await known.get("a", make), await known.get("a", make)] == [1, 2]


async def test_nobody_waits_once_it_is_closed():
    known, make = Remembered(10), Maker()
    make.gate.clear()
    waiting = asyncio.create_task(known.get("a", make))
    await asyncio.sleep(0)
    await known.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
