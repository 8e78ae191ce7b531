"""What is decided about channels and versions, as tables of cases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from millwright_judgment.domain import errors, releases
from millwright_judgment.domain.releases import (
    Actor,
    Channel,
    Ledger,
    Mark,
    Operation,
    Plan,
    Promotion,
    Rollback,
    Trial,
    Version,
    VersionState,
)
from millwright_runtime.transitions import ImpossibleTransition

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ACTOR = Actor("kim", "it leaks")
MACHINE = Actor("bot", "", automatic=True)
TRIAL = Trial("e-1", (3,))


def version(number, state=VersionState.PUBLISHED):
    """A version."""
    return Version(number, f"{number}.0.0", b"", state, "why", "kim", NOW)


def ledger(pointing=2, trial=None, plan=None, freeze_time=None, **states):
    """Versions 1 to 3, and `prod` on one of them."""
    versions = {number: version(number, states.get(f"v{number}", VersionState.PUBLISHED)) for number in (1, 2, 3)}
    prod = Channel("prod", pointing, 7, freeze_time, NOW, trial, plan)
    return Ledger("line.weld", 3, 7, NOW, {"prod": prod}, versions)


def test_a_promotion_moves_the_pointer_and_ends_the_plan():
    decision = releases.promote(ledger(plan=Plan(1, NOW, "", "kim")), Promotion("prod", 3), ACTOR)
    assert (decision.channel.version, decision.channel.revision, decision.channel.plan) == (3, 8, None)
    assert (decision.release.operation, decision.release.from_version) == (Operation.PROMOTE, 2)


def test_the_first_promotion_makes_the_channel():
    decision = releases.promote(ledger(), Promotion("line-2", 1, expected_revision=0), ACTOR)
    assert (decision.channel.channel, decision.release.from_version) == ("line-2", None)


def test_promoting_what_is_there_changes_nothing():
    assert not releases.promote(ledger(), Promotion("prod", 2), ACTOR).changed


@pytest.mark.parametrize(
    ("state", "wish", "actor", "refusal"),
    [
        ({}, Promotion("prod", 9), ACTOR, errors.VersionNotFound),
        ({}, Promotion("prod", 3, expected_revision=6), ACTOR, errors.RevisionMismatch),
        ({"v3": VersionState.BAD}, Promotion("prod", 3), ACTOR, errors.VersionBad),
        ({"v3": VersionState.RETIRED}, Promotion("prod", 3), ACTOR, errors.VersionRetired),
        ({"trial": TRIAL}, Promotion("prod", 1), ACTOR, errors.ExperimentUnderWay),
        ({"freeze_time": NOW + timedelta(1)}, Promotion("prod", 3, 7), MACHINE, errors.ChannelFrozen),
        ({}, Promotion("line-2", 3, activate_time=NOW + timedelta(1)), ACTOR, errors.ChannelNotFound),
    ],
)
def test_a_promotion_is_refused(state, wish, actor, refusal):
    with pytest.raises(refusal):
        releases.promote(ledger(**state), wish, actor)


def test_a_person_may_promote_what_is_frozen():
    assert releases.promote(ledger(freeze_time=NOW + timedelta(1)), Promotion("prod", 3), ACTOR).changed


def test_a_promotion_to_come_is_a_plan_and_moves_nothing():
    due = NOW + timedelta(hours=1)
    decision = releases.promote(ledger(), Promotion("prod", 3, activate_time=due), ACTOR)
    assert (decision.release.operation, decision.channel.version) == (Operation.PLAN, 2)
    assert (decision.channel.plan.version, decision.channel.plan.time) == (3, due)


def test_a_plan_whose_time_has_passed_is_carried_out():
    decision = releases.carry_out_plan(ledger(plan=Plan(3, NOW, "new oven", "kim")), "prod")
    assert (decision.release.operation, decision.release.actor, decision.release.reason) == (
        Operation.PROMOTE,
        "kim",
        "new oven",
    )
    assert (decision.channel.version, decision.channel.plan) == (3, None)


def test_a_plan_is_not_carried_out_before_its_time():
    assert not releases.carry_out_plan(ledger(plan=Plan(3, NOW + timedelta(1), "", "kim")), "prod").changed


@pytest.mark.parametrize("state", [{"v3": VersionState.BAD}, {"v3": VersionState.RETIRED}, {"trial": TRIAL}])
def test_a_plan_that_may_not_be_carried_out_is_taken_back(state):
    decision = releases.carry_out_plan(ledger(plan=Plan(3, NOW, "", "kim"), **state), "prod")
    assert (decision.release.operation, decision.channel.version, decision.channel.plan) == (Operation.UNPLAN, 2, None)


def test_a_rollback_goes_to_the_last_good_version_and_marks_the_one_left():
    decision = releases.rollback(ledger(pointing=3, v2=VersionState.BAD), Rollback("prod"), ACTOR, [3, 2, 1])
    assert (decision.channel.version, decision.release.from_version, decision.release.marked_bad) == (1, 3, True)
    assert decision.marks == {3: Mark(VersionState.BAD, "it leaks")}
    assert decision.channel.freeze_time == NOW + timedelta(hours=1)


def test_a_rollback_of_a_version_that_is_left_already_changes_nothing():
    decision = releases.rollback(ledger(pointing=3), Rollback("prod", source_version=2), ACTOR, [3, 2, 1])
    assert (decision.changed, decision.channel.version, decision.marks) == (False, 3, None)
    assert releases.rollback(ledger(pointing=3), Rollback("prod", source_version=3), ACTOR, [3, 2, 1]).changed


def test_a_rollback_of_a_version_on_trial_leaves_it_and_one_of_the_version_beside_it_leaves_nothing():
    decision = releases.rollback(ledger(trial=TRIAL), Rollback("prod", source_version=3), ACTOR, [2, 1])
    assert (decision.channel.version, decision.release.from_version) == (2, 3)
    assert not releases.rollback(ledger(trial=TRIAL), Rollback("prod", source_version=2), ACTOR, [2, 1]).changed


def test_a_rollback_ends_an_experiment_and_leaves_its_version():
    decision = releases.rollback(ledger(trial=TRIAL), Rollback("prod"), ACTOR, [2, 1])
    assert (decision.channel.version, decision.release.from_version) == (2, 3)
    assert (decision.ended_experiment, decision.channel.trial) == ("e-1", None)
    assert decision.marks == {3: Mark(VersionState.BAD, "it leaks")}


def test_a_bad_target_must_be_allowed_and_is_good_then():
    state = ledger(pointing=3, v1=VersionState.BAD)
    with pytest.raises(errors.VersionBad):
        releases.rollback(state, Rollback("prod", target_version=1), ACTOR, [3, 1])
    decision = releases.rollback(state, Rollback("prod", 1, allow_bad_target=True, keep_source_good=True), ACTOR, [3])
    assert decision.marks == {1: Mark(VersionState.PUBLISHED)}


def test_a_retired_target_is_no_target():
    wish = Rollback("prod", target_version=1, allow_bad_target=True)
    with pytest.raises(errors.VersionRetired):
        releases.rollback(ledger(v1=VersionState.RETIRED), wish, ACTOR, [2, 1])


def test_a_rollback_without_a_target_is_refused():
    with pytest.raises(errors.NoRollbackTarget):
        releases.rollback(ledger(), Rollback("prod"), ACTOR, [2])


def test_a_version_in_use_is_neither_marked_nor_retired():
    for decide in (releases.mark_bad, releases.retire):
        with pytest.raises(errors.VersionInUse):
            decide(ledger(), 2, ACTOR)


def test_marking_a_version_on_trial_stops_the_experiment():
    decision = releases.mark_bad(ledger(trial=TRIAL), 3, ACTOR)
    assert (decision.ended_experiment, decision.channel.trial) == ("e-1", None)


def test_marks_that_are_there_change_nothing():
    assert not releases.mark_bad(ledger(v3=VersionState.BAD), 3, ACTOR).changed
    assert not releases.mark_good(ledger(), 3, ACTOR).changed
    assert not releases.retire(ledger(v3=VersionState.RETIRED), 3, ACTOR).changed


def test_a_retired_version_is_never_good_again():
    with pytest.raises(errors.VersionRetired):
        releases.mark_good(ledger(v3=VersionState.RETIRED), 3, ACTOR)


def test_a_move_that_no_table_allows_is_a_mistake_of_ours():
    state = ledger(v3=VersionState.RETIRED)
    row = releases.row(state, Operation.MARK_GOOD, ACTOR, to_version=3)
    with pytest.raises(ImpossibleTransition):
        releases.decided(state, row, marks={3: Mark(VersionState.PUBLISHED)})


def test_revisions_are_dense():
    decision = releases.promote(replace(ledger(), latest_revision=41), Promotion("prod", 3), ACTOR)
    assert decision.release.revision == 42
