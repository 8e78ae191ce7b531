"""A wish to cancel or to resume comes to what the instance's state allows."""

import uuid
from datetime import UTC, datetime

import pytest
from millwright_workflow.domain import instances
from millwright_workflow.domain.errors import InstanceEnded, InstanceNotPaused
from millwright_workflow.domain.instances import Cancellation, Instance, State

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def instance(state, cancel_reason=None):
    """Give an instance that stands there."""
    return Instance(
        tenant="plant-1",
        instance=uuid.UUID(int=1),
        workflow="plant.line",
        channel="prod",
        version=1,
        state=state,
        input=None,
        output=None,
        error=None,
        cancel_reason=cancel_reason,
        finished_tasks=0,
        sequence=1,
        creator="kim",
        create_time=NOW,
        start_time=None,
        end_time=None,
    )


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
