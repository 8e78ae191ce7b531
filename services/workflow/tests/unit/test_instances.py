"""A wish to cancel or to resume comes to what the instance's state allows."""

import uuid
from datetime import UTC, datetime

import pytest
from millwright_workflow.domain import instances
from millwright_workflow.domain.compensation import Compensation, CompensationState
from millwright_workflow.domain.errors import (
    InstanceCompensated,
    InstanceEnded,
    InstanceNotFaulted,
    InstanceNotPaused,
    InstanceNotRunning,
)
from millwright_workflow.domain.instances import Cancellation, Instance, State
from millwright_workflow.domain.interpreter import WorkflowError

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def instance(state, cancel_reason=None, **changes):
    """Give an instance that stands there."""
    values = {
        "tenant": "plant-1",
        "instance": uuid.UUID(int=1),
        "workflow": "plant.line",
        "channel": "prod",
        "version": 1,
        "state": state,
        "input": None,
        "output": None,
        "error": None,
        "cancel_reason": cancel_reason,
        "finished_tasks": 0,
        "sequence": 1,
        "creator": "kim",
        "create_time": NOW,
        "start_time": None,
        "end_time": None,
    }
    return Instance(**{**values, **changes})


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.PENDING, Cancellation.NOW),
        (State.RUNNING, Cancellation.REQUESTED),
        (State.PAUSED, Cancellation.NOW),
        (State.CANCELLED, Cancellation.UNCHANGED),
    ],
)
def test_who_runs_an_instance_is_asked_to_end_it_and_without_an_owner_it_ends_at_once(state, outcome):
    assert instances.cancel(instance(state)) is outcome


@pytest.mark.parametrize("state", [State.RUNNING, State.CANCELLED])
def test_asking_twice_changes_nothing(state):
    assert instances.cancel(instance(state, cancel_reason="enough")) is Cancellation.UNCHANGED


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED])
def test_what_has_ended_otherwise_cannot_be_cancelled_even_if_that_was_asked_for_in_time(state):
    for reason in (None, "enough"):
        with pytest.raises(InstanceEnded):
            instances.cancel(instance(state, reason))


@pytest.mark.parametrize("state", [state for state in State if state is not State.PAUSED])
def test_only_what_is_paused_can_be_resumed(state):
    instances.check_paused(instance(State.PAUSED))
    with pytest.raises(InstanceNotPaused):
        instances.check_paused(instance(state))


def test_a_cancelled_instance_says_why():
    error = instances.cancelled("enough")
    assert (error.status, error.detail) == (499, "enough")
    assert instances.cancelled("").detail is None


FAULT = WorkflowError(type="https://plant.example/errors/burnt", status=500)


def begun(state, compensation=None, cause=None, **changes):
    """Give an instance that has begun and stands there, with its compensation."""
    known = compensation and Compensation(CompensationState[compensation], cause)
    return instance(state, start_time=NOW, compensation=known, **changes)


@pytest.mark.parametrize(
    ("state", "compensation", "outcome"),
    [
        (State.RUNNING, None, Cancellation.REQUESTED),
        (State.RUNNING, "REQUESTED", Cancellation.UNCHANGED),
        (State.PAUSED, None, Cancellation.COMPENSATE),
        (State.FAULTED, None, Cancellation.COMPENSATE),
        (State.CANCELLED, None, Cancellation.COMPENSATE),
        (State.FAULTED, "STOPPED", Cancellation.COMPENSATE),
        (State.CANCELLED, "STOPPED", Cancellation.COMPENSATE),
        (State.FAULTED, "COMPLETED", Cancellation.UNCHANGED),
        (State.CANCELLED, "COMPLETED", Cancellation.UNCHANGED),
        (State.COMPENSATING, "RUNNING", Cancellation.UNCHANGED),
    ],
)
def test_what_has_begun_is_undone_once_and_whatever_it_ended_with(state, compensation, outcome):
    assert instances.cancel(begun(state, compensation), compensates=True) is outcome


def test_a_wish_to_cancel_that_compensates_goes_beyond_one_that_does_not():
    assert instances.cancel(begun(State.RUNNING, cancel_reason="enough"), compensates=True) is Cancellation.REQUESTED


def test_what_has_not_begun_has_nothing_to_undo():
    assert instances.cancel(instance(State.PENDING), compensates=True) is Cancellation.NOW
    assert instances.cancel(instance(State.CANCELLED), compensates=True) is Cancellation.UNCHANGED


def test_what_has_completed_is_not_undone():
    with pytest.raises(InstanceEnded):
        instances.cancel(begun(State.COMPLETED), compensates=True)


@pytest.mark.parametrize(
    ("compensation", "outcome"), [("RUNNING", Cancellation.STOP), ("STOPPING", Cancellation.UNCHANGED)]
)
def test_to_cancel_what_is_being_undone_stops_that_once(compensation, outcome):
    assert instances.cancel(begun(State.COMPENSATING, compensation)) is outcome


def test_what_is_being_undone_cannot_be_paused_resumed_or_retried():
    undoing = begun(State.COMPENSATING, "RUNNING")
    with pytest.raises(InstanceNotRunning):
        instances.check_running(undoing)
    with pytest.raises(InstanceNotPaused):
        instances.check_paused(undoing)
    with pytest.raises(InstanceNotFaulted):
        instances.check_faulted(undoing)


@pytest.mark.parametrize("state", [State.FAULTED, State.CANCELLED])
def test_what_is_undone_cannot_be_retried_and_what_is_half_undone_can(state):
    instances.check_faulted(begun(state, "STOPPED"))
    with pytest.raises(InstanceCompensated):
        instances.check_faulted(begun(state, "COMPLETED"))


@pytest.mark.parametrize("compensation", ["RUNNING", "STOPPING", "STOPPED", "COMPLETED"])
def test_nothing_goes_on_from_results_that_may_be_undone(compensation):
    instances.check_forward(begun(State.RUNNING))
    instances.check_forward(begun(State.RUNNING, "REQUESTED"))
    with pytest.raises(InstanceCompensated):
        instances.check_forward(begun(State.CANCELLED, compensation))


def test_an_instance_is_undone_for_what_it_ended_with_and_ends_so_again():
    faulted = instances.compensate(begun(State.FAULTED, error=FAULT), "clean up")
    assert (faulted.state, faulted.error, faulted.compensation.cause) == (State.COMPENSATING, None, FAULT)
    assert instances.compensated(faulted.compensation.cause) is State.FAULTED
    paused = instances.compensate(begun(State.PAUSED), "enough")
    assert paused.compensation.cause == instances.cancelled("enough")
    assert instances.compensated(paused.compensation.cause) is State.CANCELLED


def test_a_retry_of_an_undo_keeps_the_cause_and_not_the_fault_of_the_undo():
    retried = instances.compensate(begun(State.FAULTED, "STOPPED", instances.cancelled("enough"), error=FAULT))
    assert retried.compensation == Compensation(CompensationState.RUNNING, instances.cancelled("enough"))


def test_the_event_of_an_instance_that_is_undone_tells_for_what():
    undoing = instances.compensate(begun(State.FAULTED, error=FAULT))
    assert instances.event(undoing, instances.Happening.COMPENSATION_STARTED, NOW).error == FAULT
