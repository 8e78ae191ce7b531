"""Operations: the page of states and the code say the same, and percentages never go back."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from millwright_modules.domain.operation import NEXT, Done, Options, Stage, percent, seconds_left

PAGE = (Path(__file__).parents[4] / "docs/architecture/operation-states.md").read_text()
EDGE = re.compile(r"^\| `([A-Z_]+)` → `([A-Z_]+)` \|", re.MULTILINE)
ARROW = re.compile(r"^    ([A-Z_]+) --> ([A-Z_]+)$", re.MULTILINE)


def test_every_edge_is_in_the_table_and_in_the_picture():
    edges = {(before.value, after.value) for before, following in NEXT.items() for after in following}
    assert set(EDGE.findall(PAGE)) == edges
    assert set(ARROW.findall(PAGE)) == edges


def test_what_is_going_live_is_not_cancelled():
    assert {stage for stage in Stage if stage.is_cancellable} == {
        Stage.UPLOADED,
        Stage.EXTRACTING,
        Stage.VALIDATING,
        Stage.BUILDING,
    }


@pytest.mark.parametrize(
    ("stage", "share", "before", "expected"),
    [
        (Stage.UPLOADED, 1, 0, 0),
        (Stage.EXTRACTING, 0.5, 0, 12.5),
        (Stage.EXTRACTING, 2, 0, 25),
        (Stage.EXTRACTING, 0.5, 20, 20),
        (Stage.BUILDING, 1, 50, 75),
        (Stage.ACTIVATING, 1, 75, 99.9),
        (Stage.COMPLETED, 0, 99.9, 100),
        (Stage.FAILED, 0, 40, 40),
        (Stage.ROLLED_BACK, 1, 90, 90),
    ],
)
def test_the_percentage_never_goes_back_and_is_100_at_the_end_alone(stage, share, before, expected):
    assert percent(stage, share, before) == expected


@pytest.mark.parametrize(
    ("done", "share"),
    [(Done(), 0), (Done(5, 10, 9, 9), 0.5), (Done(0, 0, 1, 4), 0.25), (Done(steps_done=3, steps_total=2), 1)],
)
def test_bytes_count_before_files_and_files_before_steps(done, share):
    assert done.share == share


@pytest.mark.parametrize(
    ("at", "gained", "seconds", "expected"),
    [(1, 1, 1, 0), (20, 20, 1, 3 + 600), (60, 10, 1, 2 + 600), (79.98, 79.98, 5, 600)],
)
def test_the_time_left_is_that_of_the_work_at_its_pace_and_of_the_whole_watch(at, gained, seconds, expected):
    options = Options(health_time=timedelta(minutes=10))
    assert seconds_left(options, at, gained, seconds) == pytest.approx(expected, abs=0.01)


def test_what_does_not_go_live_is_not_watched():
    assert seconds_left(Options(skip_activation=True), 50, 50, 2) == 1
