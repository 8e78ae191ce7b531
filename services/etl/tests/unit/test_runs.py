"""Where runs and windows go from where they are, what they count, and how fast they are."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from millwright_etl.domain.runs import (
    NOTHING,
    UNKNOWN_PACE,
    Happening,
    Kind,
    Pace,
    Run,
    RunState,
    RunWindow,
    Tally,
    WindowState,
    pace,
)
from millwright_runtime.transitions import ImpossibleTransition

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
RUN = Run(
    tenant="plant-1",
    run=uuid.uuid4(),
    pipeline="daily-production",
    kind=Kind.DUE,
    state=RunState.PENDING,
    parallel=2,
    code_version="1",
    sql_hash="",
    requester="cron",
    from_date=date(2026, 11, 23),
    to_date=date(2026, 11, 24),
    windows_total=2,
    create_time=NOW,
)
WINDOW = RunWindow("plant-1", RUN.run, date(2026, 11, 24), "yesterday", WindowState.RUNNING)
TALLY = Tally(rows_read=3, rows_used=2, rows_quarantined=1, total_qty=Decimal("2.5"), fact_total_qty=Decimal("2.5"))


def published(tally=NOTHING):
    return replace(WINDOW, state=WindowState.PUBLISHED, tally=tally)


def failed():
    return replace(WINDOW, state=WindowState.FAILED)


def test_a_run_begins_with_its_first_window_and_stays_begun():
    begun = RUN.begun(NOW).begun(LATER)
    assert (begun.state, begun.start_time, begun.sequence) == (RunState.RUNNING, NOW, 3)


def test_a_run_ends_with_its_last_window():
    run = RUN.begun(NOW).with_ended(published(TALLY))
    assert run.ended(LATER) is None
    assert run.percent == 50
    ended, happening = run.with_ended(published(TALLY)).ended(LATER)
    assert (ended.state, happening, ended.end_time, ended.percent) == (
        RunState.COMPLETED,
        Happening.COMPLETED,
        LATER,
        100,
    )
    assert (ended.tally.rows_read, ended.tally.total_qty) == (6, 5)


def test_a_run_with_a_failed_window_fails_and_says_so():
    ended, happening = RUN.begun(NOW).with_ended(failed()).with_ended(published()).ended(LATER)
    assert (ended.state, happening) == (RunState.FAILED, Happening.FAILED)
    assert ended.error == "1 of 2 windows are not published; their old facts stay."


def test_a_run_that_is_cancelled_before_it_begins_has_ended():
    ended, happening = RUN.cancelled(2, NOW).ended(NOW)
    assert (ended.state, happening, ended.percent) == (RunState.CANCELLED, Happening.CANCELLED, 0)


def test_a_cancelled_run_ends_with_the_window_that_is_being_worked_on():
    run = RUN.begun(NOW).cancelled(1, NOW)
    assert run.ended(NOW) is None
    ended, _ = run.with_ended(published()).ended(LATER)
    assert (ended.state, ended.percent) == (RunState.CANCELLED, 50)


def test_a_run_that_was_cancelled_after_its_last_window_began_is_cancelled_all_the_same():
    run = replace(RUN, windows_total=1).begun(NOW).cancelled(0, NOW).with_ended(published())
    ended, _ = run.ended(LATER)
    assert ended.state is RunState.CANCELLED


def test_a_cancelled_window_is_not_done():
    run = RUN.begun(NOW).with_ended(replace(WINDOW, state=WindowState.CANCELLED))
    assert (run.windows_done, run.windows_left, run.percent) == (0, 1, 0)


def test_a_run_without_windows_is_at_its_end():
    assert (replace(RUN, windows_total=0).percent, replace(RUN, windows_total=0).windows_left) == (100, 0)


def test_what_cannot_be_reached_is_a_mistake():
    with pytest.raises(ImpossibleTransition):
        published().moved(WindowState.RUNNING)
    with pytest.raises(ImpossibleTransition):
        replace(RUN, state=RunState.COMPLETED).begun(NOW)


def test_the_pace_is_of_the_latest_windows_and_tells_the_time_left():
    latest = pace(windows=4, rows=80_000, seconds=2)
    assert latest == Pace(rows_a_second=40_000, windows_a_second=2)
    assert latest.seconds_left(replace(RUN, windows_total=10)) == 5
    assert pace(0, 0, 0) == UNKNOWN_PACE
    assert UNKNOWN_PACE.seconds_left(RUN) == 0
