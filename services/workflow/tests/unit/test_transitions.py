"""Nothing moves but along the tables: instances, marks of versions, channels, canaries."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from millwright_runtime.transitions import ImpossibleTransition
from millwright_workflow.domain import canary_decisions, instances, releases
from millwright_workflow.domain.canaries import Canary, CanaryState, CanaryStep
from millwright_workflow.domain.canary_decisions import CanaryMove, CanaryStart
from millwright_workflow.domain.instances import TRANSITIONS, Happening, Instance, State
from millwright_workflow.domain.releases import (
    Actor,
    Channel,
    ChannelState,
    Decision,
    Ledger,
    Operation,
    Promotion,
    Release,
    Rollback,
    Version,
    VersionState,
)

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NO_MOVES = [pair for pair in itertools.product(State, State) if pair not in TRANSITIONS]


def instance(state: State, **changes: Any) -> Instance:
    values: dict[str, Any] = {
        "tenant": "plant-1",
        "instance": uuid.UUID(int=1),
        "workflow": "quality.alert",
        "channel": "prod",
        "version": None,
        "state": state,
        "input": None,
        "output": None,
        "error": None,
        "cancel_reason": None,
        "finished_tasks": 0,
        "sequence": 7,
        "creator": "kim",
        "create_time": NOW,
        "start_time": None,
        "end_time": None,
    }
    return Instance(**{**values, **changes})


def version(number: int, bad_reason: str | None = None) -> Version:
    return Version(number, f"1.{number}.0", bytes([number]), bad_reason, "kim", NOW)


def ledger(point: int | None = None, freeze_time: datetime | None = None, bad: tuple[int, ...] = ()) -> Ledger:
    channels = {"prod": Channel("prod", point, 3, freeze_time, NOW)} if point else {}
    versions = {number: version(number, "wrong" if number in bad else None) for number in (1, 2, 3)}
    return Ledger("quality.alert", latest_version=3, latest_revision=3, time=NOW, channels=channels, versions=versions)


def actor(**changes: Any) -> Actor:
    return Actor(**{"subject": "kim", "reason": "because", **changes})


@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_an_instance_moves_along_each_edge_and_counts_the_event(before, after):
    moved = instances.move(instance(before), after, end_time=NOW)

    assert (moved.state, moved.sequence, moved.end_time) == (after, 8, NOW)


@pytest.mark.parametrize(("before", "after"), NO_MOVES)
def test_an_instance_makes_no_other_move(before, after):
    with pytest.raises(ImpossibleTransition, match=f"from {before.value} to {after.value}"):
        instances.move(instance(before), after)


def test_final_states_are_those_that_nothing_leaves():
    assert {state for state in State if state.is_terminal} == {State.COMPLETED, State.FAULTED, State.CANCELLED}


def test_every_state_can_be_reached_and_every_event_of_an_instance_that_moves_belongs_to_an_edge():
    assert {after for _, after in TRANSITIONS} | {instances.INITIAL} == set(State)
    of_tasks = {Happening.TASK_COMPLETED, Happening.TASK_RETRIED, Happening.TASK_PROGRESS}
    of_listening = {Happening.CORRELATION_STARTED, Happening.CORRELATION_COMPLETED}
    assert set(TRANSITIONS.values()) | of_tasks | of_listening | {Happening.CREATED} == set(Happening)


def test_a_channel_is_frozen_until_its_freeze_time_and_not_at_it():
    channel = Channel("prod", 1, 1, NOW, NOW)

    assert channel.state(NOW - timedelta(microseconds=1)) is ChannelState.FROZEN
    assert channel.state(NOW) is ChannelState.POINTING


def test_every_edge_of_a_channel_is_made_by_a_decision_and_no_decision_makes_another():
    later = NOW + timedelta(minutes=5)
    begins = [ledger(), ledger(point=3), ledger(point=3, freeze_time=later)]
    made = {
        (begin.channels["prod"].state(NOW), decision.channel.state(NOW), decision.release.operation)
        for begin in (*begins[1:], trial(), trial(freeze_time=later))
        for decision in canary_decisions_of(begin)
        if decision.channel and decision.release
    }
    for begin, to, freeze in itertools.product(begins, (1, 2), (timedelta(0), timedelta(hours=1))):
        before = begin.channels["prod"].state(NOW) if begin.channels else ChannelState.ABSENT
        decisions = [releases.promote(begin, Promotion("prod", to), actor())]
        if begin.channels:
            wish = Rollback("prod", target_version=to, freeze=freeze)
            decisions.append(releases.rollback(begin, wish, actor(), visited=[]))
        for decision in decisions:
            assert decision.channel is not None
            assert decision.release is not None
            made.add((before, decision.channel.state(NOW), decision.release.operation))

    assert made == {
        (*move, operation) for move, operations in releases.CHANNEL_TRANSITIONS.items() for operation in operations
    }


def test_every_edge_of_a_mark_is_made_by_a_decision_and_no_decision_makes_another():
    decisions = [
        (ledger(point=1), releases.mark_bad(ledger(point=1), 2, actor())),
        (ledger(point=1, bad=(2,)), releases.mark_good(ledger(point=1, bad=(2,)), 2, actor())),
        (ledger(point=3), releases.rollback(ledger(point=3), Rollback("prod", 2), actor(), visited=[])),
        (
            ledger(point=3, bad=(2,)),
            releases.rollback(
                ledger(point=3, bad=(2,)), Rollback("prod", 2, allow_bad_target=True), actor(), visited=[]
            ),
        ),
        (trial(), canary_decisions.abort(trial(), CanaryMove("prod", mark_bad=True), actor())),
    ]
    made = set()
    for begin, decision in decisions:
        assert decision.release is not None
        for number, bad_reason in (decision.marks or {}).items():
            after = VersionState.GOOD if bad_reason is None else VersionState.BAD
            made.add((begin.version(number).state, after, decision.release.operation))

    assert made == {
        (*move, operation) for move, operations in releases.VERSION_TRANSITIONS.items() for operation in operations
    }


def test_every_edge_of_a_canary_is_made_by_a_decision_and_no_decision_makes_another():
    made = set()
    for begin in (ledger(point=3), trial(), trial(state=CanaryState.HELD), trial(step=1)):
        before = begin.channels["prod"].canary_state
        decisions = canary_decisions_of(begin)
        if before is not CanaryState.ABSENT:
            decisions += [
                releases.promote(begin, Promotion("prod", 2), actor()),
                releases.rollback(begin, Rollback("prod"), actor(), visited=[]),
            ]
        for decision in decisions:
            assert decision.channel is not None
            assert decision.release is not None
            made.add((before, decision.channel.canary_state, decision.release.operation))

    assert made == {
        (*move, operation) for move, operations in releases.CANARY_TRANSITIONS.items() for operation in operations
    }


STEPS = tuple(CanaryStep(weight_bp, timedelta(), 20, ()) for weight_bp in (1000, 5000))


def trial(state: CanaryState = CanaryState.RUNNING, step: int = 0, freeze_time: datetime | None = None) -> Ledger:
    begin = ledger(point=3, freeze_time=freeze_time)
    canary = Canary(2, 3, STEPS, promote_at_end=False, step=step, state=state, start_time=NOW, step_time=NOW)
    return replace(begin, channels={"prod": replace(begin.channels["prod"], canary=canary)})


def canary_decisions_of(begin: Ledger) -> list[Decision]:
    """Give what can be decided about a channel's canary: its start, or its step and its end."""
    if begin.channels["prod"].canary is None:
        return [canary_decisions.start(begin, CanaryStart("prod", 2, STEPS), actor())]
    return [decide(begin, CanaryMove("prod"), actor()) for decide in (canary_decisions.step, canary_decisions.abort)]


def row(operation: Operation) -> Release:
    return Release(4, operation, "prod", 3, 2, False, None, "because", "kim", False, NOW)


def test_a_decision_that_would_move_a_channel_in_no_allowed_way_is_never_given():
    frozen = Channel("prod", 2, 4, NOW + timedelta(hours=1), NOW)

    with pytest.raises(ImpossibleTransition, match="a channel cannot go from POINTING to FROZEN by PROMOTE"):
        releases.decided(ledger(point=3), row(Operation.PROMOTE), frozen)
    with pytest.raises(ImpossibleTransition, match="a channel cannot go from ABSENT to FROZEN by ROLLBACK"):
        releases.decided(ledger(), row(Operation.ROLLBACK), frozen)


def test_a_decision_that_would_mark_a_version_in_no_allowed_way_is_never_given():
    with pytest.raises(ImpossibleTransition, match="a version cannot go from GOOD to BAD by PROMOTE"):
        releases.decided(ledger(point=3), row(Operation.PROMOTE), marks={2: "wrong"})
    with pytest.raises(ImpossibleTransition, match="a version cannot go from GOOD to GOOD by MARK_GOOD"):
        releases.decided(ledger(point=3), row(Operation.MARK_GOOD), marks={2: None})
