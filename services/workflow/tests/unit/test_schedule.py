"""When workflows start by themselves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from millwright_workflow.domain.definition.workflow import Schedule
from millwright_workflow.domain.schedule import next_start, plan_trigger
from pydantic import ValidationError

BEGUN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def schedule(**written):
    return Schedule.model_validate(written, by_alias=True, by_name=False)


@pytest.mark.parametrize(
    ("after", "start"),
    [
        (BEGUN - timedelta(days=1), "08:15"),
        (BEGUN, "08:15"),
        (BEGUN + timedelta(minutes=14, seconds=59), "08:15"),
        (BEGUN + timedelta(minutes=15), "08:30"),
        (BEGUN + timedelta(minutes=50), "09:00"),
    ],
)
def test_every_counts_from_when_the_schedule_began_and_leaves_out_what_was_missed(after, start):
    found = next_start(schedule(every="PT15M"), after, BEGUN, is_running=True)
    assert f"{found:%H:%M}" == start


def test_cron_counts_in_utc():
    zone = ZoneInfo("Asia/Seoul")
    after = datetime(2026, 3, 2, 14, 59, tzinfo=zone)
    assert next_start(schedule(cron="0 6 * * *"), after, BEGUN) == datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
    assert next_start(schedule(cron="0 6 * * *"), after + timedelta(minutes=1), BEGUN).day == 3


@pytest.mark.parametrize(
    ("after", "start"),
    [
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (datetime(2026, 10, 24, 23, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)),
    ],
)
def test_cron_may_keep_to_the_wall_clock_of_a_zone_when_its_clocks_change(after, start):
    assert next_start(schedule(cron="30 2 * * *"), after, BEGUN, zone=ZoneInfo("Europe/Berlin")) == start


def test_cron_that_never_comes_true_again_gives_none():
    assert next_start(schedule(cron="0 0 30 2 1"), BEGUN, BEGUN) is not None  # day or weekday
    with pytest.raises(ValidationError):
        schedule(cron="0 0 30 2 *")


def test_after_starts_at_once_and_then_the_delay_after_each_end():
    rest = schedule(after={"minutes": 5})
    end = BEGUN + timedelta(hours=1)
    assert next_start(rest, BEGUN, BEGUN) == BEGUN
    assert next_start(rest, end, BEGUN, end) == end + timedelta(minutes=5)
    assert next_start(rest, end, BEGUN, end, is_running=True) is None


def test_events_start_instances_in_the_clocks_stead():
    wanted = schedule(on={"all": [{"with": {"type": "lot.in"}}, {"with": {"type": "press.free"}}]})
    assert next_start(wanted, BEGUN, BEGUN) is None
    trigger = plan_trigger(wanted)
    assert [pattern.texts for pattern in trigger.subscription.patterns] == [{"type": "lot.in"}, {"type": "press.free"}]
    assert trigger.gathering.strategy.kind == "all"
    assert plan_trigger(schedule(cron="* * * * *")) is None


@pytest.mark.parametrize(
    "written", [{"cron": "every day"}, {"every": "PT0.5S"}, {"every": "${ .x }"}, {"after": "${ .x }"}, {}]
)  # fmt: skip
def test_a_schedule_that_nobody_could_keep_is_refused(written):
    with pytest.raises(ValidationError):
        schedule(**written)


def test_of_a_schedule_that_has_several_the_earliest_counts():
    both = schedule(every="PT45M", cron="30 * * * *")
    assert next_start(both, BEGUN, BEGUN) == BEGUN + timedelta(minutes=30)
    assert next_start(both, BEGUN + timedelta(minutes=30), BEGUN) == BEGUN + timedelta(minutes=45)


def test_until_of_a_schedule_is_told_apart_from_the_events_that_end_it():
    asked = plan_trigger(schedule(on={"any": [], "until": "length > 2"}))
    assert (asked.until, asked.gathering.strategy.goes_on) == ("${ length > 2 }", True)
    assert plan_trigger(schedule(on={"any": [], "until": {"one": {"with": {"type": "stop"}}}})).until is None
