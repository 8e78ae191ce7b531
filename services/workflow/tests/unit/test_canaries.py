"""What gates say of a measurement, what follows from it, and who draws a canary."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain import canaries, canary_decisions, gates, releases
from millwright_workflow.domain.canaries import WHOLE_BP, Canary, CanaryState, CanaryStep, Course
from millwright_workflow.domain.canary_decisions import CanaryMove, CanaryStart
from millwright_workflow.domain.errors import (
    CanaryIsStable,
    CanaryUnderWay,
    ChannelFrozen,
    NoCanary,
    RevisionMismatch,
    VersionBad,
)
from millwright_workflow.domain.gates import Cohort, Gate, Measure, Measurement, Verdict
from millwright_workflow.domain.releases import Actor, Channel, Ledger, Operation, Promotion, Rollback, Version

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KIM = Actor("kim", "because")
ENGINE = Actor("millwright", "all gates passed", automatic=True)
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
RATE = Gate(Measure.MIN_SUCCESS_RATE, 0.95)
DROP = Gate(Measure.MAX_SUCCESS_RATE_DROP, 0.05)
P95 = Gate(Measure.MAX_P95_DURATION, 2.0)
RATIO = Gate(Measure.MAX_P95_RATIO, 1.5)
GATES = (RATE, DROP, P95, RATIO)


def cohort(completed=20, faulted=0, p95_seconds=1.0):
    return Cohort(completed, faulted, p95_seconds if completed else None)


ENOUGH = cohort()


def measured(canary=ENOUGH, stable=ENOUGH, seconds=60.0):
    return Measurement(canary, stable, NOW + timedelta(seconds=seconds))


def step(weight_bp=1000, gates=GATES, seconds=60.0, min_instances=20):
    return CanaryStep(weight_bp, timedelta(seconds=seconds), min_instances, tuple(gates))


def canary(*steps, **changes):
    values = {"promote_at_end": False, "step": 0, "state": CanaryState.RUNNING, "start_time": NOW, "step_time": NOW}
    return Canary(version=3, revision=7, steps=steps or (step(), step(5000)), **{**values, **changes})


def ledger(under_way=None, bad=(), freeze_time=None, point=2):
    versions = {n: Version(n, f"{n}.0.0", bytes([n]), "wrong" if n in bad else None, "kim", NOW) for n in (1, 2, 3)}
    channel = Channel("prod", point, 7, freeze_time, NOW, under_way)
    return Ledger("plant.line", 3, 7, NOW + timedelta(minutes=1), {"prod": channel}, versions)


VERDICTS = [
    (RATE, cohort(19, 1), cohort(), PASS),
    (RATE, cohort(18, 2), cohort(), FAIL),
    (RATE, cohort(0, 20), cohort(), FAIL),
    (RATE, cohort(19, 0), cohort(), INCONCLUSIVE),
    (RATE, cohort(0, 19), cohort(), INCONCLUSIVE),
    (RATE, cohort(20), Cohort(), PASS),
    (DROP, cohort(19, 1), cohort(20), PASS),
    (DROP, cohort(18, 2), cohort(20), FAIL),
    (DROP, cohort(18, 2), cohort(18, 2), PASS),
    (DROP, cohort(20), cohort(10, 10), PASS),
    (DROP, cohort(20), cohort(19), INCONCLUSIVE),
    (DROP, cohort(0, 20), Cohort(), INCONCLUSIVE),
    (P95, cohort(p95_seconds=2.0), cohort(), PASS),
    (P95, cohort(p95_seconds=2.001), Cohort(), FAIL),
    (P95, cohort(19, 30, 9.0), cohort(), INCONCLUSIVE),
    (P95, cohort(0, 30), cohort(), INCONCLUSIVE),
    (RATIO, cohort(p95_seconds=1.5), cohort(), PASS),
    (RATIO, cohort(p95_seconds=1.6), cohort(), FAIL),
    (RATIO, cohort(p95_seconds=9.0), cohort(19), INCONCLUSIVE),
    (RATIO, cohort(p95_seconds=9.0), cohort(0, 40), INCONCLUSIVE),
    (RATIO, cohort(), cohort(p95_seconds=0.0), INCONCLUSIVE),
]


@pytest.mark.parametrize(("gate", "tried", "stable", "verdict"), VERDICTS)
def test_a_gate_says(gate, tried, stable, verdict):
    assert gates.judge(gate, measured(tried, stable), 20).verdict is verdict


def test_a_gate_tells_what_it_was_measured_on():
    result = gates.judge(DROP, measured(cohort(15, 5), cohort(40)), 20)
    assert (result.value, result.canary_instances, result.stable_instances) == (0.25, 20, 40)
    assert result.measure_time == NOW + timedelta(minutes=1)


@given(
    st.sampled_from(Measure),
    st.floats(0, 1000),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_what_is_not_known_never_passes(measure, bound, completed, faulted, stable_completed, stable_faulted):
    seen = measured(cohort(completed, faulted), cohort(stable_completed, stable_faulted))
    result = gates.judge(Gate(measure, bound), seen, 20)
    is_enough = result.canary_instances >= 20 and (not measure.compares or result.stable_instances >= 20)
    assert (result.verdict is INCONCLUSIVE) == (not is_enough)


COURSES = [
    ("every gate passes and the time is over", cohort(), 60, Course.STEP),
    ("every gate passes before the time is over", cohort(), 59.9, Course.WAIT),
    ("a gate fails before the time is over", cohort(10, 10), 1, Course.ROLL_BACK),
    ("the sample is small before the time is over", cohort(3), 1, Course.WAIT),
    ("the sample is small when the time is over", cohort(3), 60, Course.HOLD),
    ("nothing ended at all", Cohort(), 6000, Course.HOLD),
]


@pytest.mark.parametrize(("what", "tried", "seconds", "course"), COURSES)
def test_what_follows_when(what, tried, seconds, course):
    assert canaries.look(canary(), measured(tried, seconds=seconds), is_frozen=False).course is course


def test_a_step_without_gates_needs_its_sample_all_the_same():
    bare = canary(step(gates=()), step(5000, gates=()))
    assert canaries.look(bare, measured(cohort(19)), is_frozen=False).course is Course.HOLD
    assert canaries.look(bare, measured(cohort(20)), is_frozen=False).course is Course.STEP


@pytest.mark.parametrize(
    ("promote_at_end", "is_frozen", "course"),
    [(True, False, Course.PROMOTE), (True, True, Course.HOLD), (False, False, Course.HOLD)],
)
def test_after_the_last_step_it_is_promoted_if_asked_and_not_frozen(promote_at_end, is_frozen, course):
    last = canary(step=1, promote_at_end=promote_at_end)
    assert canaries.look(last, measured(), is_frozen=is_frozen).course is course


@given(st.text(max_size=60), st.integers(1, 10**9))
def test_a_key_draws_the_same_place_every_time_and_keeps_the_canary_as_it_grows(key, revision):
    place = canaries.bucket("plant.line", "prod", revision, key)
    assert place == canaries.bucket("plant.line", "prod", revision, key)
    assert 0 <= place < WHOLE_BP


def test_places_never_change_between_releases_of_millwright():
    """Whoever repeats a canary by hand must find the same instances on it."""
    places = [canaries.bucket("plant.line", "prod", 7, key) for key in ("", "lot-1", "로트-2")]
    assert places == [2405, 8906, 9548]


@pytest.mark.parametrize("weight_bp", [100, 1000, 5000])
@pytest.mark.parametrize("keys", [[f"lot-{n}" for n in range(20_000)], [str(uuid.UUID(int=n)) for n in range(20_000)]])
def test_the_share_that_draws_a_canary_is_its_weight(weight_bp, keys):
    drawn = sum(canaries.bucket("plant.line", "prod", 7, key) < weight_bp for key in keys)
    share = weight_bp / WHOLE_BP
    assert abs(drawn - len(keys) * share) < 4 * (len(keys) * share * (1 - share)) ** 0.5


def test_another_canary_draws_anew():
    keys = [f"lot-{n}" for n in range(10_000)]
    first, second = ({k for k in keys if canaries.bucket("plant.line", "prod", r, k) < 1000} for r in (7, 8))
    assert 50 < len(first & second) < 150  # a tenth of a tenth


def test_a_canary_begins_at_its_first_step_and_the_channel_stays():
    decision = canary_decisions.start(ledger(), CanaryStart("prod", 3, (step(500), step())), KIM)
    release, channel = decision.release, decision.channel
    assert (release.operation, release.from_version, release.to_version) == (Operation.CANARY_START, 2, 2)
    assert (release.canary_version, release.canary_weight_bp) == (3, 500)
    assert (channel.version, channel.revision, channel.canary.revision, channel.canary.step) == (2, 8, 8, 0)


def test_a_step_keeps_the_salt_and_forgets_what_the_gates_said():
    seen = canaries.look(canary(), measured(), is_frozen=False)
    under_way = canary(state=CanaryState.HELD, gates=seen.results)
    stepped = canary_decisions.step(ledger(under_way), CanaryMove("prod"), KIM).channel.canary
    assert (stepped.step, stepped.revision, stepped.gates, stepped.state) == (1, 7, (), CanaryState.RUNNING)
    assert stepped.step_time == NOW + timedelta(minutes=1)


def test_past_the_last_step_its_version_is_promoted():
    decision = canary_decisions.step(ledger(canary(step=1)), CanaryMove("prod"), KIM)
    assert (decision.release.operation, decision.channel.version) == (Operation.PROMOTE, 3)
    assert decision.channel.canary is None


def test_an_abort_leaves_the_canarys_version_unmarked_unless_told():
    plain, marking = (
        canary_decisions.abort(ledger(canary()), CanaryMove("prod", mark_bad=mark), KIM) for mark in (False, True)
    )
    assert (plain.release.from_version, plain.release.to_version, plain.channel.canary) == (3, 2, None)
    assert (plain.marks, marking.marks) == ({}, {3: "because"})


def test_a_rollback_without_a_target_leaves_the_canarys_version_and_nothing_else():
    evidence = canaries.look(canary(), measured(cohort(0, 20)), is_frozen=False).results
    actor = replace(ENGINE, evidence=evidence)
    decision = releases.rollback(ledger(canary()), Rollback("prod"), actor, visited=[2, 1])
    release = decision.release
    assert (release.from_version, release.to_version, release.marked_bad) == (3, 2, True)
    assert release.evidence == evidence
    assert (decision.marks, decision.channel.canary, decision.channel.version) == ({3: actor.reason}, None, 2)
    assert decision.channel.freeze_time is not None


def test_a_rollback_of_the_canarys_version_leaves_it_and_one_of_the_version_beside_it_leaves_nothing():
    decision = releases.rollback(ledger(canary()), Rollback("prod", source_version=3), KIM, visited=[2, 1])
    assert (decision.release.from_version, decision.channel.version) == (3, 2)
    assert not releases.rollback(ledger(canary()), Rollback("prod", source_version=2), KIM, visited=[2, 1]).changed


def test_a_rollback_to_another_version_leaves_both():
    decision = releases.rollback(ledger(canary()), Rollback("prod", target_version=1), KIM, visited=[])
    assert (decision.release.from_version, decision.release.to_version) == (2, 1)
    assert (set(decision.marks), decision.channel.canary) == ({2}, None)


def test_only_a_persons_promotion_of_the_canarys_version_ends_it_well():
    decision = releases.promote(ledger(canary()), Promotion("prod", 3), KIM)
    assert (decision.channel.version, decision.channel.canary) == (3, None)
    for wish, actor in ((Promotion("prod", 1), KIM), (Promotion("prod", 3, 7), ENGINE)):
        with pytest.raises(CanaryUnderWay):
            releases.promote(ledger(canary()), wish, actor)


def test_the_version_of_a_canary_may_be_marked_bad():
    assert releases.mark_bad(ledger(canary()), 3, KIM).marks == {3: "because"}


def refusals():
    wish = CanaryStart("prod", 3, (step(),))
    frozen = NOW + timedelta(hours=1)
    start, move, abort = canary_decisions.start, canary_decisions.step, canary_decisions.abort
    yield start, ledger(canary()), wish, KIM, CanaryUnderWay
    yield start, ledger(bad=(3,)), wish, KIM, VersionBad
    yield start, ledger(point=3), wish, KIM, CanaryIsStable
    yield start, ledger(), replace(wish, expected_revision=6), KIM, RevisionMismatch
    yield start, ledger(freeze_time=frozen), wish, ENGINE, ChannelFrozen
    yield move, ledger(), CanaryMove("prod"), KIM, NoCanary
    yield move, ledger(canary()), CanaryMove("prod", 6), KIM, RevisionMismatch
    yield move, ledger(canary(), bad=(3,)), CanaryMove("prod"), KIM, VersionBad
    yield move, ledger(canary(step=1), freeze_time=frozen), CanaryMove("prod"), ENGINE, ChannelFrozen
    yield abort, ledger(), CanaryMove("prod"), KIM, NoCanary
    yield abort, ledger(canary()), CanaryMove("prod", 6), KIM, RevisionMismatch


@pytest.mark.parametrize(("decide", "begin", "wish", "actor", "refusal"), list(refusals()))
def test_it_is_refused(decide, begin, wish, actor, refusal):
    with pytest.raises(refusal):
        decide(begin, wish, actor)
