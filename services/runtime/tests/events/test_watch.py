"""A watch stream has no gap and no repeat, shows signs of life, and ends when the service drains."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from millwright_runtime.events import watch
from millwright_runtime.events.signals import Signals
from millwright_runtime.events.watch import SequenceAhead, SequenceExpired, ShuttingDown, check_start, follow, poll

NAME = "north/lines/1"


@dataclass(frozen=True)
class Item:
    sequence: int


class Log:
    """A log in memory, from `oldest` on; tells when it was read."""

    def __init__(self, newest, oldest=1):
        self.oldest = oldest
        self.newest = newest
        self.read_once = asyncio.Event()

    async def read(self, after, limit):
        self.read_once.set()
        sequences = range(max(after + 1, self.oldest), self.newest + 1)
        return [Item(sequence) for sequence in sequences[:limit]]


@pytest.fixture
def signals():
    return Signals()


async def first(stream, count):
    """Give the first sequences of a stream; None for a heartbeat."""
    async with aclosing(stream):
        found = []
        async with asyncio.timeout(5):
            async for item in stream:
                found.append(item.sequence if item else None)
                if len(found) == count:
                    return found
    return found


async def test_everything_after_the_sequence_comes_in_order(signals):
    assert await first(follow(Log(500).read, 3, signals, NAME), 497) == list(range(4, 501))


async def test_what_is_written_later_comes_when_it_is_signalled(signals, monkeypatch):
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 60)
    log = Log(1)
    reading = asyncio.create_task(first(follow(log.read, 1, signals, NAME), 2))
    await log.read_once.wait()
    log.newest = 3
    signals.notify(NAME)
    assert await reading == [2, 3]


async def test_what_is_signalled_while_it_reads_is_not_missed(signals, monkeypatch):
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 60)
    log = Log(1)

    async def read(after, limit):
        items = await log.read(after, limit)
        if log.newest == 1:  # written after we looked, before we wait
            log.newest = 2
            signals.notify(NAME)
        return items

    assert await first(follow(read, 1, signals, NAME), 1) == [2]


async def test_a_lost_signal_delays_and_loses_nothing(signals, monkeypatch):
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.02)
    log = Log(1)
    reading = asyncio.create_task(first(follow(log.read, 1, signals, NAME), 1))
    await log.read_once.wait()
    log.newest = 2
    assert await reading == [2]


async def test_silence_is_told_by_heartbeats(signals):
    assert await first(follow(Log(1).read, 0, signals, NAME, heartbeat_seconds=0.02), 4) == [1, None, None, None]


async def test_what_is_not_kept_any_more_is_told(signals):
    with pytest.raises(SequenceExpired) as caught:
        await first(follow(Log(9, oldest=5).read, 2, signals, NAME), 1)
    assert caught.value.variables == {"sequence": "2", "oldest": "5"}


async def test_a_gap_in_the_log_is_never_passed_over(signals):
    async def read(after, limit):
        return [Item(1), Item(3)]

    with pytest.raises(SequenceExpired):
        await first(follow(read, 0, signals, NAME), 2)


def test_a_start_past_the_newest_is_refused():
    check_start(7, newest=7)
    with pytest.raises(SequenceAhead, match="The sequence 8 is past the newest one, 7"):
        check_start(8, newest=7)


async def test_draining_ends_a_stream_that_waits(signals):
    log = Log(0)
    reading = asyncio.create_task(first(follow(log.read, 0, signals, NAME), 1))
    await log.read_once.wait()
    signals.drain()
    with pytest.raises(ShuttingDown):
        await reading


async def test_draining_ends_a_stream_that_never_catches_up(signals):
    signals.drain()
    with pytest.raises(ShuttingDown):
        await first(follow(Log(10**9).read, 0, signals, NAME), 10**9)


def test_however_a_stream_is_to_be_gone_on_with_the_reason_is_the_same():
    class LineStopped(ShuttingDown):
        """This replica is going away. Send the last piece again."""

    assert (LineStopped().reason, str(LineStopped())) == (ShuttingDown().reason, LineStopped.__doc__)
    assert ShuttingDown().reason == "SHUTTING_DOWN"


async def test_a_stream_that_ended_is_not_signalled_any_more(signals):
    await first(follow(Log(1).read, 0, signals, NAME), 1)
    assert not signals._waiters


async def test_polling_gives_what_is_there_at_once(signals):
    assert await poll(Log(5).read, 1, 2, signals, NAME, wait_seconds=60) == [Item(2), Item(3)]


async def test_polling_gives_the_first_that_comes(signals):
    log = Log(0)
    polling = asyncio.create_task(poll(log.read, 0, 10, signals, NAME, wait_seconds=60))
    await log.read_once.wait()
    log.newest = 1
    signals.notify(NAME)
    async with asyncio.timeout(0.9):
        assert await polling == [Item(1)]


async def test_polling_gives_nothing_when_nothing_came_in_time(signals):
    assert await poll(Log(0).read, 0, 10, signals, NAME, wait_seconds=0.02) == []


async def test_polling_tells_what_is_not_kept_any_more(signals):
    with pytest.raises(SequenceExpired):
        await poll(Log(9, oldest=5).read, 2, 10, signals, NAME, wait_seconds=0)


async def test_draining_ends_a_poll(signals):
    log = Log(0)
    polling = asyncio.create_task(poll(log.read, 0, 10, signals, NAME, wait_seconds=60))
    await log.read_once.wait()
    signals.drain()
    with pytest.raises(ShuttingDown):
        await polling


@pytest.mark.parametrize("gone", [3, 5])
async def test_a_log_of_which_all_is_gone_ends_the_watch_instead_of_letting_it_wait(signals, gone):
    log = Log(newest=0)
    with pytest.raises(SequenceExpired) as expired:
        await first(follow(log.read, gone - 1, signals, NAME, newest=gone), 1)
    assert (expired.value.reason, expired.value.variables["oldest"]) == ("SEQUENCE_EXPIRED", str(gone + 1))
    with pytest.raises(SequenceExpired):
        await poll(log.read, gone - 1, 10, signals, NAME, 5.0, newest=gone)


async def test_who_has_all_of_a_log_that_is_gone_waits_for_more(signals):
    log = Log(newest=0)
    assert await poll(log.read, 5, 10, signals, NAME, 0.0, newest=5) == []
