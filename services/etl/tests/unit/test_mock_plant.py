"""A made-up plant: the same for the same seed, as large as it says, and disturbed as much as it was asked to be."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.mock_plant.arrivals import arrivals, total
from millwright_etl.domain.mock_plant.expected import Expected
from millwright_etl.domain.mock_plant.faults import KINDS, spoilt
from millwright_etl.domain.mock_plant.plan import Plan, violations
from millwright_etl.domain.records import RecordType

QUIET = Plan(seed=7, from_date=date(2026, 11, 2), days=3, lines=2, products=3, orders_per_shift=5)
BUSY = replace(QUIET, days=10, late_share=0.2, duplicate_share=0.1, corrected_share=0.1, bad_share=0.05)
DYING = replace(BUSY, deleted_share=0.3, fault_shares={"NEGATIVE": 0.2})


WHOLE = {"line_code": "L01", "duration_seconds": 60}


def made(plan):
    expected = Expected(Calendars())
    return [(day, record) for day, records in arrivals(plan, Calendars(), expected) for record in records], expected


@pytest.mark.parametrize("plan", [QUIET, BUSY, DYING])
def test_the_same_seed_gives_the_same_rows(plan):
    (rows, expected), (again, expected_again) = made(plan), made(plan)
    assert rows == again
    assert (expected.facts, expected.reasons) == (expected_again.facts, expected_again.reasons)
    assert made(replace(plan, seed=8))[0] != rows


@pytest.mark.parametrize(
    "plan", [QUIET, BUSY, DYING, replace(BUSY, lines=1, products=1, bad_share=0.5, corrected_share=0.5)]
)
def test_as_many_rows_arrive_as_were_announced(plan):
    assert len(made(plan)[0]) == total(plan, Calendars())


def test_a_quiet_plant_sends_each_row_once_and_on_its_day():
    rows, expected = made(QUIET)
    calendars = Calendars()
    assert len({(record.record_type, record.external_id) for _, record in rows}) == len(rows) == 3 * 3 * 2 * (3 * 5 + 2)
    assert all(calendars.business_date(record.event_time) == day for day, record in rows)
    assert not expected.reasons


def test_disturbances_come_in_about_the_shares_asked_for():
    rows, expected = made(replace(BUSY, days=60))
    keys = {(record.record_type, record.external_id) for _, record in rows}
    calendars = Calendars()
    late = sum(calendars.business_date(record.event_time) < day for day, record in rows)
    assert sum(expected.reasons.values()) / len(keys) == pytest.approx(0.05, rel=0.15)
    assert len(rows) / len(keys) == pytest.approx(1 + 0.1 + 0.1 * 0.95, rel=0.02)
    assert late / len(rows) > 0.2


def test_faults_of_one_kind_come_in_about_the_share_asked_for_and_no_others():
    shares = {"END_BEFORE_START": 0.1, "UNKNOWN_STATUS": 0.4}
    rows, expected = made(replace(QUIET, days=60, fault_shares=shares))
    kinds = Counter(record.record_type for _, record in rows)
    assert expected.reasons.keys() == shares.keys()
    assert expected.reasons["END_BEFORE_START"] / kinds.total() == pytest.approx(0.1, rel=0.15)
    assert expected.reasons["UNKNOWN_STATUS"] / kinds[RecordType.EQUIPMENT_STATUS] == pytest.approx(0.4, rel=0.15)


def test_deleted_rows_come_once_more_later_and_nothing_comes_of_them():
    rows, expected = made(replace(QUIET, deleted_share=0.5))
    deleted = {(record.record_type, record.external_id): record for _, record in rows if record.deleted}
    before = [record for _, record in rows if not record.deleted]
    orders = [record for record in before if record.record_type is RecordType.WORK_ORDER]
    assert 0 < len(deleted) < len(before)
    assert all(
        deleted[record.record_type, record.external_id].source_time > record.source_time
        for record in before
        if (record.record_type, record.external_id) in deleted
    )
    kept = [record for record in orders if (record.record_type, record.external_id) not in deleted]
    assert sum(fact.get("work_orders", 0) for fact in expected.facts.values()) == len(kept)


def test_what_is_made_is_what_is_good_defective_and_scrapped():
    _, expected = made(BUSY)
    for fact in expected.facts.values():
        if fact.get("work_orders"):
            assert fact["total_qty"] == fact["good_qty"] + fact["defect_qty"] + fact["scrap_qty"]


def test_every_kind_of_row_can_have_every_fault_of_its_kind():
    assert KINDS.keys() == set(RecordType)
    for kind, faults in KINDS.items():
        assert len(faults) >= 6
        assert all(spoilt(kind, fault, WHOLE) != WHOLE for fault in faults)


@pytest.mark.parametrize(
    ("field", "value"),
    [("days", 0), ("days", 367), ("lines", 101), ("products", 0), ("orders_per_shift", 2001), ("bad_share", 0.51)],
)
def test_a_plan_beyond_its_limits_is_refused_by_field(field, value):
    assert [fault.field for fault in violations(replace(QUIET, **{field: value}))] == [field]
