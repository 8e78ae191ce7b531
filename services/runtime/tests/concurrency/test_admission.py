"""How many calls may be in progress, by how late the event loop is, and what is queued."""

import asyncio
import time

import pytest
from millwright_local.processes import until
from millwright_runtime.concurrency import admission as module
from millwright_runtime.concurrency.admission import Admission, NoSeat

LATE, IN_TIME = 1.0, 0.0


@pytest.fixture
def admission():
    """200 seats, all taken."""
    admission = Admission(200, late_seconds=0.1)
    for _ in range(200):
        admission.take_now()
    return admission


def looked(admission, *delays):
    for seconds in delays:
        admission.look(seconds)
    return admission.limit


def test_a_loop_in_time_lets_in_as_many_as_are_set(admission):
    assert looked(admission, *[IN_TIME] * 100) == 200


def test_one_late_look_says_nothing(admission):
    assert looked(admission, LATE, IN_TIME, LATE, IN_TIME) == 200


def test_a_delay_that_stands_takes_a_share_of_what_is_in_progress(admission):
    assert looked(admission, LATE, LATE) == 160
    for _ in range(100):
        admission.give_back()
    assert looked(admission, LATE) == 80


def test_a_few_calls_are_let_in_however_late_the_loop_is(admission):
    assert looked(admission, *[LATE] * 100) == 32


def test_a_limit_below_those_few_stays_as_it_is_set():
    admission = Admission(2, late_seconds=0.1)
    assert looked(admission, *[LATE] * 10) == 2


def test_the_limit_comes_back_step_by_step(admission):
    low = looked(admission, *[LATE] * 100)
    assert looked(admission, IN_TIME) == low + 2
    assert looked(admission, *[IN_TIME] * 100) == 200


async def test_a_loop_that_is_kept_busy_lowers_the_limit_and_raises_it_afterwards(admission):
    async def is_as_before():
        return admission.limit == 200

    looking = asyncio.create_task(admission.run())
    try:
        for _ in range(20):
            time.sleep(0.2)  # noqa: ASYNC251 - that is what makes it late
            await asyncio.sleep(0)
        assert admission.limit < 200
        await until(is_as_before, 60.0)
    finally:
        looking.cancel()


async def test_what_is_queued_for_long_lowers_the_limit_while_the_loop_is_in_time():
    queued = [LATE]
    admission = Admission(200, late_seconds=0.1, queued=lambda: queued[0])

    async def is_low():
        return admission.limit == 32

    async def is_as_before():
        return admission.limit == 200

    looking = asyncio.create_task(admission.run())
    try:
        await until(is_low, 60.0)
        queued[0] = IN_TIME
        await until(is_as_before, 60.0)
    finally:
        looking.cancel()


@pytest.fixture
def late(monkeypatch):
    """32 seats, all taken, of a process that is late; nobody waits for long."""
    monkeypatch.setattr(module, "_SURE", 0)
    admission = Admission(200, late_seconds=0.1, patience_seconds=0.2)
    looked(admission, *[LATE] * 100)
    for _ in range(32):
        admission.take_now()
    return admission


async def test_a_few_more_wait_however_long_it_takes(late, monkeypatch):
    monkeypatch.setattr(module, "_SURE", 34)
    sure = [asyncio.create_task(late.take("north")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NoSeat):
        await late.take("north")
    assert not any(it.done() for it in sure)
    sure[0].cancel()
    await asyncio.wait({sure[0]})
    late.give_back()
    await sure[1]
    sure = asyncio.create_task(late.take("north"))  # those who left do not count
    await asyncio.sleep(0.4)
    late.give_back()
    await sure


async def test_who_finds_no_seat_has_the_next_that_is_left(late):
    waiting = asyncio.create_task(late.take("north"))
    await asyncio.sleep(0)
    assert not waiting.done()
    late.give_back()
    await waiting


async def test_who_finds_no_seat_for_long_is_told_so_and_keeps_none(late):
    with pytest.raises(NoSeat):
        await late.take("north")
    late.give_back()
    await late.take("north")


async def test_more_seats_are_taken_by_those_who_wait(late):
    waiting = [asyncio.create_task(late.take("north")) for _ in range(2)]
    await asyncio.sleep(0)
    assert looked(late, IN_TIME) == 34
    await asyncio.gather(*waiting)


async def test_a_tenant_that_asks_for_much_lets_another_have_the_next_seat(late):
    loud = [asyncio.create_task(late.take("north")) for _ in range(10)]
    await asyncio.sleep(0)
    quiet = asyncio.create_task(late.take("south"))
    await asyncio.sleep(0)
    late.give_back()
    late.give_back()
    await quiet
    await asyncio.gather(*loud, return_exceptions=True)


async def test_what_must_not_wait_does_not(late):
    late.take_now()
    late.give_back()
    waiting = asyncio.create_task(late.take("north"))  # that one was more than there were
    with pytest.raises(NoSeat):
        await waiting


async def test_who_rests_leaves_the_seat_to_others(late):
    with late.resting():
        await late.take("north")
        late.give_back()
    with pytest.raises(NoSeat):
        await late.take("north")
