"""Which days are due, and which a backfill has."""

from datetime import date, timedelta

import pytest
from millwright_etl.domain.planning import Day, Redo, asked, backfill, due, range_faults

YESTERDAY = date(2026, 11, 24)
GOOD = Day(is_published=True)
LANDED = Day(is_dirty=True)
FAILED = Day(is_published=True, is_failed=True)
NEVER_PUBLISHED = Day(is_failed=True)
DIRTY = Day(is_published=True, is_dirty=True)


def before(days):
    return YESTERDAY - timedelta(days=days)


def causes(planned):
    return {each.date: each.cause.value for each in planned}


@pytest.mark.parametrize(
    ("day", "cause"),
    [
        (GOOD, None),
        (LANDED, "missing"),
        (FAILED, "failed"),
        (NEVER_PUBLISHED, "failed"),
        (DIRTY, "dirty"),
        (Day(is_dirty=True, is_queued=True), None),
    ],
)
def test_a_day_before_yesterday_is_due_if_it_needs_a_run(day, cause):
    assert causes(due(YESTERDAY, {YESTERDAY: GOOD, before(9): day})) == ({before(9): cause} if cause else {})


@pytest.mark.parametrize(
    ("days", "cause"),
    [
        ({}, "yesterday"),
        ({YESTERDAY: LANDED}, "yesterday"),
        ({YESTERDAY: GOOD}, None),
        ({YESTERDAY: DIRTY}, "dirty"),
        ({YESTERDAY: FAILED}, "failed"),
        ({YESTERDAY: Day(is_queued=True)}, None),
    ],
)
def test_yesterday_is_due_unless_it_is_published_and_unchanged(days, cause):
    assert causes(due(YESTERDAY, days)) == ({YESTERDAY: cause} if cause else {})


def test_a_day_that_is_not_over_is_not_due():
    assert causes(due(YESTERDAY, {before(-1): LANDED})) == {YESTERDAY: "yesterday"}


def test_what_is_due_is_done_oldest_first():
    days = {before(1): LANDED, before(5): DIRTY, before(3): FAILED}
    assert [each.date for each in due(YESTERDAY, days)] == [before(5), before(3), before(1), YESTERDAY]


RANGE = {before(4): GOOD, before(3): FAILED, before(2): DIRTY, before(1): NEVER_PUBLISHED}


@pytest.mark.parametrize(
    ("redo", "days"),
    [
        (Redo.MISSING, {1: "failed", 0: "missing"}),
        (Redo.FAILED, {3: "failed", 1: "failed", 0: "missing"}),
        (Redo.DIRTY, {3: "failed", 2: "dirty", 1: "failed", 0: "missing"}),
        (Redo.ALL, {4: "asked", 3: "failed", 2: "dirty", 1: "failed", 0: "missing"}),
    ],
)
def test_a_backfill_has_the_days_that_it_is_to_redo(redo, days):
    planned = backfill(before(4), YESTERDAY, redo, RANGE)
    assert causes(planned) == {before(number): cause for number, cause in days.items()}
    assert [each.date for each in planned] == sorted(each.date for each in planned)


def test_days_that_are_named_twice_are_run_once():
    assert [each.date for each in asked([YESTERDAY, before(1), YESTERDAY])] == [before(1), YESTERDAY]


def test_a_range_of_ten_years_may_be_run_and_one_day_more_may_not():
    assert range_faults(before(3659), YESTERDAY, YESTERDAY) == []
    [fault] = range_faults(before(3660), YESTERDAY, YESTERDAY)
    assert (fault.field, fault.reason) == ("to_date", "RANGE_TOO_LONG")
    assert "3,661" in fault.description
