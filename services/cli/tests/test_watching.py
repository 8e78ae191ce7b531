"""The rule of every watch, without a server and without time."""

from dataclasses import dataclass

import grpc
import pytest
from millwright_cli.watching import Patience, StreamEndedError, follow


class BrokenError(grpc.RpcError):
    pass


@dataclass
class Sent:
    sequence: int


class Stream:
    def __init__(self, sequences, code=None):
        self._messages = iter([Sent(sequence) for sequence in sequences])
        self._code = code
        self.is_cancelled = False

    def __iter__(self):
        yield from self._messages
        if self._code:
            raise BrokenError

    def code(self):
        return self._code

    def cancel(self):
        self.is_cancelled = True


@pytest.fixture
def watch():
    class Watch:
        def __init__(self):
            self.asked, self.pauses, self.opened = [], [], []

        def __call__(self, *streams, **settings):
            remaining = iter(streams)

            def open_stream(sequence):
                self.asked.append(sequence)
                self.opened.append(next(remaining, None) or Stream([], grpc.StatusCode.UNAVAILABLE))
                return self.opened[-1]

            return follow(open_stream, pause=self.pauses.append, **settings)

    return Watch()


LOST = grpc.StatusCode.UNAVAILABLE


def test_it_goes_on_from_the_last_sequence_after_each_break(watch):
    messages = watch(Stream([4, 5], LOST), Stream([], LOST), Stream([6], LOST), Stream([7]))
    assert [next(messages).sequence for _ in range(4)] == [4, 5, 6, 7]
    assert watch.asked == [None, 5, 5, 6]


def test_it_goes_on_where_the_caller_says_it_stands(watch):
    next(watch(Stream([8]), sequence=7))
    assert watch.asked == [7]


def test_a_stream_that_ends_early_is_opened_again(watch):
    messages = watch(Stream([1]), Stream([2]))
    assert [next(messages).sequence for _ in range(2)] == [1, 2]


def test_pauses_grow_and_start_anew_with_the_next_message(watch):
    list_of = watch(Stream([], LOST), Stream([], LOST), Stream([], LOST), Stream([1], LOST), Stream([2]))
    assert [next(list_of).sequence for _ in range(2)] == [1, 2]
    assert watch.pauses == pytest.approx([0.1, 0.1, 0.2, 0.1])


def test_patience_ends_sooner_before_the_first_message_than_after(watch):
    with pytest.raises(BrokenError):
        list(watch(patience=Patience(at_first=3)))
    assert sum(watch.pauses) == pytest.approx(3.2)
    watch.pauses.clear()
    with pytest.raises(BrokenError):
        list(watch(Stream([1], LOST), patience=Patience(at_first=3, afterwards=20)))
    assert 20 <= sum(watch.pauses) < 25


def test_streams_that_only_end_are_given_up_too(watch):
    with pytest.raises(StreamEndedError):
        list(watch(*(Stream([]) for _ in range(99))))


def test_any_other_error_is_the_callers(watch):
    with pytest.raises(BrokenError):
        list(watch(Stream([1], grpc.StatusCode.OUT_OF_RANGE)))
    assert watch.pauses == []


def test_a_caller_who_stops_asking_cancels_the_stream(watch):
    messages = watch(Stream([1, 2]))
    next(messages)
    messages.close()
    assert watch.opened[0].is_cancelled


def test_a_stream_that_was_dropped_for_being_slow_goes_on_where_it_was(watch):
    messages = watch(Stream([4], grpc.StatusCode.RESOURCE_EXHAUSTED), Stream([5]))
    assert [next(messages).sequence for _ in range(2)] == [4, 5]
    assert watch.asked == [None, 4]
