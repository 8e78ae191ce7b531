"""The history checker passes what is right, and finds each kind of wrong."""

from dataclasses import replace

import pytest

from tests.history import Answer, Begin, Move, check_answers, check_begins, replay

GOOD = [
    Move(1, "PUBLISH", to_version=1, commit_time=10),
    Move(2, "PROMOTE", "prod", 0, 1, commit_time=20),
    Move(3, "PUBLISH", to_version=2, commit_time=30),
    Move(4, "PROMOTE", "prod", 1, 2, commit_time=40),
    Move(5, "ROLLBACK", "prod", 2, 1, marked_bad=True, commit_time=50),
    Move(6, "MARK_GOOD", to_version=2, commit_time=60),
    Move(7, "PROMOTE", "canary", 0, 2, commit_time=70),
]
TRIED = [
    *GOOD,
    Move(8, "CANARY_START", "prod", 1, 1, commit_time=80, canary_version=2),
    Move(9, "CANARY_STEP", "prod", 1, 1, commit_time=90, canary_version=2),
    Move(10, "CANARY_ABORT", "prod", 2, 1, commit_time=100),
    Move(11, "CANARY_START", "prod", 1, 1, commit_time=110, canary_version=2),
    Move(12, "ROLLBACK", "prod", 2, 1, marked_bad=True, commit_time=120),
]


def begin(version: int, commit_time: int, channel: str = "prod", call_time: float = 0) -> Begin:
    return Begin("instances/a", channel, version, commit_time, call_time)


def test_a_line_without_gaps_leads_where_its_rows_say() -> None:
    state, violations = replay(GOOD)
    assert violations == []
    assert (state.channels, state.bad, state.latest_version) == ({"prod": 1, "canary": 2}, set(), 2)


@pytest.mark.parametrize(
    ("row", "change", "fault"),
    [
        (2, {"revision": 4}, "follows revision 2"),
        (4, {"from_version": 1}, "leaves 1, the channel was at 2"),
        (3, {"to_version": 1}, "goes nowhere"),
        (3, {"to_version": 9}, "nobody published"),
        (2, {"to_version": 3}, "skips a number"),
        (4, {"channel": "test", "from_version": 0}, "not there"),
        (5, {"operation": "PROMOTE", "channel": "prod", "from_version": 1}, "promotes a bad version"),
        (5, {"operation": "MARK_BAD"}, "marks what is marked"),
        (5, {"operation": "MARK_BAD", "to_version": 1}, "marks what a channel points to"),
        (5, {"to_version": 1}, "clears what is good"),
    ],
)
def test_a_row_that_does_not_follow_is_found(row: int, change: dict, fault: str) -> None:
    moves = [*GOOD[:row], replace(GOOD[row], **change)]
    _, violations = replay(moves)
    assert any(fault in violation for violation in violations), violations


def test_canaries_may_begin_step_and_end() -> None:
    state, violations = replay(TRIED)
    assert violations == []
    assert (state.channels["prod"], state.canaries["prod"], state.bad) == (1, 0, {2})


@pytest.mark.parametrize(
    ("row", "change", "fault"),
    [
        (9, {"operation": "CANARY_START", "revision": 9, "canary_version": 2}, "begins a second canary"),
        (8, {"canary_version": 1}, "tries another version"),
        (8, {"to_version": 2}, "moves the channel"),
        (9, {"from_version": 1}, "aborts no canary"),
        (9, {"to_version": 2}, "moves the channel with its canary"),
        (9, {"canary_version": 2}, "goes on with a canary"),
        (7, {"canary_version": 1}, "tries what the channel points to"),
        (11, {"operation": "PROMOTE", "from_version": 1, "to_version": 3}, "promotes past a canary"),
        (11, {"from_version": 1}, "goes nowhere"),
    ],
)
def test_a_row_of_a_canary_that_does_not_follow_is_found(row: int, change: dict, fault: str) -> None:
    _, violations = replay([*TRIED[:row], replace(TRIED[row], **change)])
    assert any(fault in violation for violation in violations), violations


def test_a_canary_may_be_begun_while_it_is_under_way_and_no_longer() -> None:
    assert check_begins(TRIED, [begin(version, 85) for version in (1, 2)]) == []
    assert len(check_begins(TRIED, [begin(2, 105), begin(2, 125), begin(1, 105)])) == 2


def test_a_row_that_is_missing_is_found() -> None:
    _, violations = replay([*GOOD[:3], *GOOD[4:]])
    assert violations[:2] == [
        "revision 5, ROLLBACK: follows revision 3",
        "revision 5, ROLLBACK: leaves 2, the channel was at 1",
    ]


@pytest.mark.parametrize(("version", "commit_time"), [(1, 25), (2, 45), (1, 55), (2, 50), (1, 50)])
def test_beginning_on_the_channels_version_is_right(version: int, commit_time: int) -> None:
    assert check_begins(GOOD, [begin(version, commit_time)]) == []


@pytest.mark.parametrize(("version", "commit_time"), [(2, 25), (1, 45), (2, 55), (2, 65)])
def test_beginning_on_another_version_than_the_channels_is_found(version: int, commit_time: int) -> None:
    (violation,) = check_begins(GOOD, [begin(version, commit_time)])
    assert f"began on version {version}" in violation


def test_beginning_on_a_bad_version_by_number_is_found_and_on_a_good_one_is_right() -> None:
    assert len(check_begins(GOOD, [begin(2, 55, channel="")])) == 1
    assert check_begins(GOOD, [begin(2, 45, channel=""), begin(2, 65, channel="")]) == []


def test_beginning_on_the_version_left_is_found_if_it_was_asked_for_after_the_answer() -> None:
    answers = [Answer(revision=5, time=100.0)]
    assert check_answers(GOOD, [begin(2, 45, call_time=99.0)], answers) == []
    assert len(check_answers(GOOD, [begin(2, 45, call_time=101.0)], answers)) == 1
    assert check_answers(GOOD, [begin(2, 75, channel="canary", call_time=101.0)], answers) == []
    assert check_answers(GOOD, [begin(1, 75, call_time=101.0)], answers) == []
