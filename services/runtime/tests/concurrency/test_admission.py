"""How many calls may be in progress, by how late the event loop is."""

import asyncio
import time

import pytest
from millwright_local.processes import until
from millwright_runtime.concurrency.admission import Admission

LATE, IN_TIME = 1.0, 0.0


@pytest.fixture
def admission():
    """A limit of 200 calls, and 200 calls in progress."""
    admission = Admission(200, late_seconds=0.1)
    admission.calls = 200
    return admission


def looked(admission, *delays):
    for seconds in delays:
        admission.look(seconds)
    return admission.limit


def test_a_loop_in_time_lets_in_as_many_as_are_set(admission):
    assert looked(admission, *[IN_TIME] * 100) == 200
    assert admission.is_full
    admission.calls -= 1
    assert not admission.is_full


def test_one_late_look_says_nothing(admission):
    assert looked(admission, LATE, IN_TIME, LATE, IN_TIME) == 200


def test_a_delay_that_stands_takes_a_share_of_what_is_in_progress(admission):
    assert looked(admission, LATE, LATE) == 160
    admission.calls = 100
    assert looked(admission, LATE) == 80


def test_a_few_calls_are_let_in_however_late_the_loop_is(admission):
    assert looked(admission, *[LATE] * 100) == 64


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
