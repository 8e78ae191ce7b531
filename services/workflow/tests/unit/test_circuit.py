"""Circuits open after failures in a row, let one call through to see, and close when it went well."""

from datetime import UTC, datetime, timedelta

import pytest
from millwright_runtime.transitions import ImpossibleTransition
from millwright_workflow.domain import circuit as domain
from millwright_workflow.domain.circuit import FAILURES_TO_OPEN, HEALTHY, LONGEST_OPEN, SHORTEST_OPEN, Circuit, State

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def failed(times: int, circuit: Circuit = HEALTHY, now: datetime = NOW) -> Circuit:
    for _ in range(times):
        circuit = domain.fail(circuit, now)
    return circuit


def test_a_few_failures_leave_it_closed():
    circuit = failed(FAILURES_TO_OPEN - 1)
    assert (circuit.state, circuit.failures) == (State.CLOSED, FAILURES_TO_OPEN - 1)
    assert domain.admit(circuit, NOW) == circuit


def test_a_call_that_goes_well_makes_it_forget_failures():
    assert domain.succeed(failed(FAILURES_TO_OPEN - 1)) == HEALTHY


def test_many_failures_in_a_row_open_it_for_a_while():
    circuit = failed(FAILURES_TO_OPEN)
    assert (circuit.state, circuit.retry_time) == (State.OPEN, NOW + SHORTEST_OPEN)
    assert domain.admit(circuit, NOW + SHORTEST_OPEN - MOMENT) is None


def test_then_one_call_goes_through_and_no_other():
    probing = domain.admit(failed(FAILURES_TO_OPEN), NOW + SHORTEST_OPEN)
    assert probing
    assert probing.state is State.HALF_OPEN
    assert domain.admit(probing, NOW + SHORTEST_OPEN) is None


def test_if_that_goes_well_it_is_closed():
    probing = domain.admit(failed(FAILURES_TO_OPEN), NOW + SHORTEST_OPEN)
    assert probing
    assert domain.succeed(probing) == HEALTHY


def test_if_that_fails_it_is_open_for_longer_up_to_a_limit():
    circuit, now, spans = failed(FAILURES_TO_OPEN), NOW, []
    for _ in range(8):
        assert circuit.retry_time
        spans.append(circuit.retry_time - now)
        now = circuit.retry_time
        probing = domain.admit(circuit, now)
        assert probing
        circuit = domain.fail(probing, now)
    assert spans[:3] == [SHORTEST_OPEN, SHORTEST_OPEN * 2, SHORTEST_OPEN * 4]
    assert spans == sorted(spans)
    assert spans[-1] == LONGEST_OPEN


def test_if_nothing_is_heard_of_that_call_another_goes_through():
    probing = domain.admit(failed(FAILURES_TO_OPEN), NOW + SHORTEST_OPEN)
    assert probing
    assert probing.retry_time
    assert domain.admit(probing, probing.retry_time)


def test_failures_of_calls_that_began_before_it_opened_do_not_prolong_it():
    circuit = failed(FAILURES_TO_OPEN)
    assert failed(3, circuit, NOW + timedelta(seconds=1)).retry_time == circuit.retry_time


def test_every_move_is_in_the_table():
    every = [HEALTHY, failed(FAILURES_TO_OPEN), domain.admit(failed(FAILURES_TO_OPEN), NOW + SHORTEST_OPEN)]
    later = NOW + timedelta(hours=1)
    made = set()
    for before in every:
        assert before
        for after, cause in (
            (domain.admit(before, later), domain.Cause.PROBED),
            (domain.succeed(before), domain.Cause.SUCCEEDED),
            (failed(FAILURES_TO_OPEN, before, later), domain.Cause.FAILED),
        ):
            assert after
            if (before.state, after.state) in domain.TRANSITIONS:
                assert domain.TRANSITIONS[before.state, after.state] is cause
                made.add((before.state, after.state))
            else:
                assert before.state is after.state
    assert made == set(domain.TRANSITIONS)


def test_no_other_move_is_made():
    with pytest.raises(ImpossibleTransition):
        domain._move(HEALTHY, State.HALF_OPEN, domain.Cause.PROBED)
