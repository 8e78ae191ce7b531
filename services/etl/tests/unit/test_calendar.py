"""Business days and shifts, at and around their edges."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_etl.domain.calendar import DEFAULT, Calendar, Calendars, Shift, faults
from millwright_etl.domain.planning import Cause, Day, Planned, due

SEOUL, NEW_YORK = ZoneInfo("Asia/Seoul"), "America/New_York"
DAY = date(2026, 11, 14)
TINY = timedelta(microseconds=1)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them so


def seoul(*parts):
    """An instant by the clocks of Seoul."""
    return datetime(*parts, tzinfo=SEOUL)


def test_the_small_hours_belong_to_the_day_before():
    assert DEFAULT.business_date(seoul(2026, 11, 15, 2, 30)) == DAY


def test_a_day_begins_to_the_microsecond():
    begin = seoul(2026, 11, 15, 6)
    assert DEFAULT.business_date(begin - TINY) == DAY
    assert DEFAULT.business_date(begin) == DAY + timedelta(days=1)
    assert DEFAULT.span(DAY)[1] == begin


@given(instants)
def test_every_instant_is_within_its_day_and_no_other(instant):
    calendars = Calendars()
    day = calendars.business_date(instant)
    begin, end = calendars.span(day)
    assert begin <= instant < end


@given(instants, st.sampled_from([NEW_YORK, "Asia/Seoul", "Europe/Berlin", "UTC"]))
def test_shifts_are_the_whole_day_also_where_clocks_change(instant, zone):
    calendars = Calendars((replace(DEFAULT, time_zone=zone),))
    day = calendars.business_date(instant)
    spans = calendars.shift_spans(day)
    begin, end = calendars.span(day)
    assert [spans[0].begin_time, *(span.end_time for span in spans)] == [
        begin,
        *(span.begin_time for span in spans[1:]),
        end,
    ]


def test_a_day_of_changing_clocks_is_an_hour_longer():
    begin, end = replace(DEFAULT, time_zone=NEW_YORK).span(date(2026, 10, 31))
    assert end - begin == timedelta(hours=25)


def test_the_night_shift_belongs_to_the_day_it_began():
    night = DEFAULT.shift_spans(DAY)[2]
    assert night.code == "C"
    assert (night.begin_time, night.end_time) == (seoul(2026, 11, 14, 22), seoul(2026, 11, 15, 6))


def test_a_new_calendar_holds_from_its_day_on():
    early = replace(DEFAULT, day_start=time(5), valid_from=date(2026, 11, 20))
    calendars = Calendars((DEFAULT, early))
    assert calendars.business_date(seoul(2026, 11, 20, 5, 30)) == date(2026, 11, 20)
    assert calendars.business_date(seoul(2026, 11, 19, 5, 30)) == date(2026, 11, 18)
    assert calendars.span(date(2026, 11, 19)) == (seoul(2026, 11, 19, 6), seoul(2026, 11, 20, 5))
    assert calendars.shift_spans(date(2026, 11, 19))[-1].end_time == seoul(2026, 11, 20, 5)


@given(st.datetimes(datetime(2026, 11, 10), datetime(2026, 11, 20), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis
@pytest.mark.parametrize(
    "following",
    [
        Calendar("Asia/Seoul", time(8), (Shift("D", time(8), time(8), 600),)),
        Calendar("Asia/Seoul", time(4), (Shift("D", time(4), time(4), 600),)),
        Calendar("Pacific/Kiritimati", time(6), (Shift("D", time(6), time(6), 600),)),
        Calendar("Etc/GMT+12", time(6), (Shift("D", time(6), time(6), 600),)),
    ],
)
@pytest.mark.parametrize("first", [DEFAULT, replace(DEFAULT, time_zone="Etc/GMT+12")])
def test_where_a_calendar_takes_over_every_instant_is_within_its_day_and_no_other(first, following, instant):
    calendars = Calendars((first, replace(following, valid_from=DAY)))
    day = calendars.business_date(instant)
    begin, end = calendars.span(day)
    assert begin <= instant < end


MIDNIGHT = Calendar("Asia/Seoul", time(0), (Shift("D", time(0), time(12), 600), Shift("N", time(12), time(0), 600)))


@pytest.mark.parametrize(
    ("calendar", "instant", "newest"),
    [
        (MIDNIGHT, seoul(2026, 11, 15, 2), date(2026, 11, 14)),
        (MIDNIGHT, seoul(2026, 11, 15, 7), date(2026, 11, 14)),
        (DEFAULT, seoul(2026, 11, 15, 2), date(2026, 11, 13)),
        (DEFAULT, seoul(2026, 11, 15, 7), date(2026, 11, 14)),
        (DEFAULT, seoul(2026, 11, 15, 6) - TINY, date(2026, 11, 13)),
        (DEFAULT, seoul(2026, 11, 15, 6), date(2026, 11, 14)),
        (replace(DEFAULT, time_zone="Europe/Berlin"), seoul(2026, 11, 15, 2), date(2026, 11, 13)),
    ],
)
def test_a_start_of_the_night_takes_the_newest_day_that_is_over_at_the_plant(calendar, instant, newest):
    calendars = Calendars((calendar,))
    assert calendars.newest_over(instant) == newest
    assert calendars.span(newest)[1] <= instant < calendars.span(newest + timedelta(days=1))[1]
    landed = dict.fromkeys((newest, newest + timedelta(days=1)), Day(is_dirty=True))
    assert due(newest, landed) == [Planned(newest, Cause.YESTERDAY)]


def test_no_more_is_planned_of_a_shift_than_there_is_of_it():
    new = replace(
        DEFAULT, day_start=time(0), shifts=(Shift("N", time(0), time(0), 1440),), valid_from=date(2026, 11, 2)
    )
    calendars = Calendars((replace(DEFAULT, shifts=(Shift("D", time(6), time(6), 1200),)), new))
    spans = [calendars.shift_spans(date(2026, 11, day)) for day in (1, 2)]
    assert [[(span.code, span.planned_seconds // 60) for span in of_day] for of_day in spans] == [
        [("D", 18 * 60)],
        [("N", 1440)],
    ]


def test_the_default_has_no_faults():
    assert faults(DEFAULT) == []


TWO = (Shift("D", time(8), time(20), 600), Shift("N", time(20), time(8), 600))


@pytest.mark.parametrize(
    ("calendar", "field"),
    [
        (replace(DEFAULT, time_zone="Seoul"), "calendar.time_zone"),
        (replace(DEFAULT, time_zone="../etc/passwd"), "calendar.time_zone"),
        (replace(DEFAULT, shifts=()), "calendar.shifts"),
        (replace(DEFAULT, valid_from=date.min), "calendar.valid_from"),
        (replace(DEFAULT, valid_from=date.max), "calendar.valid_from"),
        (Calendar("UTC", time(6), TWO), "calendar.shifts[0].start"),
        (Calendar("UTC", time(8), (TWO[0], replace(TWO[1], start=time(21)))), "calendar.shifts[0].end"),
        (Calendar("UTC", time(8), (TWO[0], replace(TWO[1], end=time(7)))), "calendar.shifts[1].end"),
        (Calendar("UTC", time(8), (TWO[0], replace(TWO[1], code="D"))), "calendar.shifts"),
        (
            Calendar("UTC", time(8), (TWO[0], replace(TWO[1], planned_minutes=721))),
            "calendar.shifts[1].planned_minutes",
        ),
    ],
)
def test_each_fault_is_named_by_its_place(calendar, field):
    assert field in {fault.field for fault in faults(calendar)}
