"""Work items and approvals move along their tables only, and a report counts from whoever has the item alone."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from millwright_runtime.transitions import ImpossibleTransition
from millwright_workflow.domain import approvals, work
from millwright_workflow.domain.approvals import Decision
from millwright_workflow.domain.errors import ApprovalClosed, ApproverRoleMissing
from millwright_workflow.domain.interpreter.effects import WorkflowError
from millwright_workflow.domain.work import Cause, Complete, Fail, Failure, Release, Saved, State, TaskKey

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KEY = TaskKey("plant-1", uuid.UUID(int=7), "/do/0/inspect@2#1")
WISH = work.wish("inspect", None, timedelta(seconds=30), 3)
FINAL = Failure(WorkflowError("about:blank", 500), None, None)
AGAIN = Failure(WorkflowError("about:blank", 500), timedelta(seconds=9), None)


def in_state(state: State) -> work.Work:
    """Give an item in a state, as a walk along the edges gives it."""
    queued = work.first(KEY, WISH, NOW)
    offered = work.take(queued, "camera", NOW)
    active = work.acknowledge(offered, NOW)
    return {
        State.QUEUED: queued,
        State.OFFERED: offered,
        State.ACTIVE: active,
        State.HELD: work.hold(active),
        State.COMPLETED: work.settle(active, Complete("1"), NOW),
        State.FAILED: work.settle(active, Fail(FINAL), NOW),
        State.WITHDRAWN: work.withdraw(active),
    }[state]


def moves():
    """Give each move that any function makes of any state, with its cause."""
    made = {
        Cause.TAKEN: lambda item: work.take(item, "other", NOW),
        Cause.ACKNOWLEDGED: lambda item: work.acknowledge(item, NOW),
        Cause.RELEASED: lambda item: work.settle(item, Release(), NOW),
        Cause.COMPLETED: lambda item: work.settle(item, Complete("1"), NOW),
        Cause.FAILED: lambda item: work.settle(item, Fail(FINAL), NOW),
        Cause.LAPSED: lambda item: work.lapse(item, NOW),
        Cause.HELD: work.hold,
        Cause.WITHDRAWN: work.withdraw,
        Cause.ASKED: lambda item: work.ask(item, NOW),
    }
    for state in State:
        for cause, move in made.items():
            yield in_state(state), cause, move
        yield in_state(state), Cause.FAILED, lambda item: work.settle(item, Fail(AGAIN), NOW)
        yield replace(in_state(state), failures=2), Cause.LAPSED, made[Cause.LAPSED]


def test_every_edge_is_made_and_no_other():
    made = set()
    for before, cause, move in moves():
        try:
            after = move(before)
        except ImpossibleTransition:
            continue
        if after is not before:
            cause = Cause.RELEASED if cause is Cause.LAPSED and before.state is State.OFFERED else cause
            made.add((before.state, after.state, cause))
    assert made == {(*edge, cause) for edge, causes in work.TRANSITIONS.items() for cause in causes}


@pytest.mark.parametrize("state", [state for state in State if not state.is_taken])
def test_no_report_counts_of_an_item_that_is_nobodys(state):
    item = in_state(state)
    assert not work.is_held(item, item.id, "camera")


@pytest.mark.parametrize(("item", "worker"), [(uuid.UUID(int=1), "camera"), (in_state(State.ACTIVE).id, "thief")])
def test_no_report_counts_of_another_attempt_or_worker(item, worker):
    assert not work.is_held(in_state(State.ACTIVE), item, worker)


def test_each_attempt_is_another_item_and_asking_again_gives_the_same_ones():
    first = in_state(State.ACTIVE)
    second = work.settle(first, Fail(AGAIN), NOW)
    assert (second.attempt, second.failures, second.due_time) == (1, 1, NOW + timedelta(seconds=9))
    assert len({first.id, second.id}) == 2
    assert first.id == work.first(KEY, WISH, NOW).id
    assert first.id != replace(first, key=replace(KEY, tenant="plant-2")).id


def test_an_item_that_was_never_acknowledged_is_the_same_attempt_again():
    offered = in_state(State.OFFERED)
    assert work.lapse(offered, NOW).id == offered.id
    assert work.lapse(offered, NOW).failures == 0


def test_what_falls_silent_once_too_often_fails_with_a_timeout_that_names_its_worker():
    lapsed = work.lapse(replace(in_state(State.ACTIVE), failures=2), NOW)
    assert (lapsed.state, lapsed.failures, lapsed.is_news) == (State.FAILED, 3, True)
    assert lapsed.error
    assert lapsed.error.type.endswith("/timeout")
    assert lapsed.error.instance == "/do/0/inspect"
    assert "camera" in (lapsed.error.detail or "")


def test_a_pause_costs_no_attempt():
    again = work.ask(in_state(State.HELD), NOW)
    assert (again.attempt, again.failures) == (1, 0)


def test_the_state_in_a_failure_counts_more_than_any_saved_before_and_less_than_any_after():
    failed = work.settle(in_state(State.ACTIVE), Fail(replace(AGAIN, saved=b"last")), NOW)
    assert failed.saved
    assert failed.saved.is_newer(Saved(0, 2**62, b"clock ahead"))
    assert Saved(1, 1, b"next").is_newer(failed.saved)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (None, work.Stop.CANCELLED),
        (State.WITHDRAWN, work.Stop.CANCELLED),
        (State.HELD, work.Stop.PAUSED),
        (State.QUEUED, work.Stop.SUPERSEDED),
        (State.ACTIVE, work.Stop.SUPERSEDED),
        (State.COMPLETED, work.Stop.SUPERSEDED),
    ],
)
def test_a_worker_is_told_why_an_item_is_not_its_own(state, reason):
    assert work.stop_reason(state) is reason


QUESTION = approvals.question("Ship?", None, ["operator"], timedelta(hours=2), timedelta(hours=1), ["admin"])
YES = Decision("kim", {"operator"}, is_approved=True, comment="fine")
HOUR = timedelta(hours=1)


def asked() -> approvals.Approval:
    return approvals.first(KEY, QUESTION, 0, NOW)


def test_every_edge_of_an_approval_is_made_and_counts_its_event():
    waiting = asked()
    edges = [
        (waiting, approvals.pass_on(waiting, NOW + HOUR)),
        (waiting, approvals.decide(waiting, YES, NOW)),
        (waiting, approvals.decide(waiting, replace(YES, is_approved=False), NOW)),
        (waiting, approvals.pass_on(waiting, NOW + 2 * HOUR)),
        (waiting, approvals.withdraw(waiting, NOW)),
        (approvals.withdraw(waiting, NOW), approvals.ask(approvals.withdraw(waiting, NOW))),
    ]
    assert {(before.state, after.state) for before, after in edges} == set(approvals.TRANSITIONS)
    assert all(after.sequence == before.sequence + 1 for before, after in edges)


def test_an_escalation_gives_it_to_the_other_role_once():
    escalated = approvals.pass_on(asked(), NOW + HOUR)
    assert (escalated.role, escalated.escalate_time) == ("admin", None)
    with pytest.raises(ApproverRoleMissing):
        approvals.decide(escalated, YES, NOW + HOUR)
    assert approvals.pass_on(escalated, NOW + HOUR) is escalated


def test_nothing_is_passed_on_before_its_time():
    waiting = asked()
    assert approvals.pass_on(waiting, NOW + HOUR - timedelta(microseconds=1)) is waiting


def test_at_its_time_it_is_closed_even_if_nobody_has_noticed():
    with pytest.raises(ApprovalClosed, match="EXPIRED"):
        approvals.decide(asked(), YES, NOW + 2 * HOUR)


def test_the_same_decision_of_the_same_person_changes_nothing():
    decided = approvals.decide(asked(), YES, NOW)
    assert approvals.decide(decided, YES, NOW) is decided
    for other in (replace(YES, is_approved=False), replace(YES, decider="park")):
        with pytest.raises(ApprovalClosed):
            approvals.decide(decided, other, NOW)


def test_of_several_roles_the_least_counts():
    assert approvals.question("?", None, ["admin", "operator"], None, None, []).role == "operator"


def test_an_approval_makes_no_other_move():
    with pytest.raises(ImpossibleTransition):
        approvals._move(approvals.decide(asked(), YES, NOW), approvals.State.WAITING)
