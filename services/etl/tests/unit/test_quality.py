"""Quality rules: what they find, what follows, and which rules are none."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from millwright_etl.domain import quality
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.quality import Check, History, Rule, Severity
from millwright_etl.domain.records import RecordType
from millwright_etl.domain.windows import Counts, Findings, window

DAY = window(Calendars(), "t", date(2026, 11, 14))
NOW = DAY.end_time + timedelta(hours=3)
COUNTS = Counts(100, 90, 10, 0, 80, Decimal(8000), 12, 12, 0, 0, [], 0, None)
FINDINGS = Findings({RecordType.WORK_ORDER: 80}, 10, {}, [])


def found(rule, *, broken=0, refused=0, sources=None, history=None, now=NOW):
    findings = replace(FINDINGS, rows_refused=refused, sources=sources or {}, broken=[broken])
    (result,) = quality.results([rule], COUNTS, findings, history or History(), DAY, now)
    return result


def rule(check, severity=Severity.ERROR, **others):
    return Rule("r", check, severity, **others)


@pytest.mark.parametrize(("broken", "held"), [(0, True), (8, True), (9, False)])
def test_a_rule_of_rows_holds_as_long_as_no_more_than_tolerated_break_it(broken, held):
    result = found(rule(Check.RANGE, field="total_qty", max=10, tolerated_share=0.1), broken=broken)
    assert (result.held, result.rows, result.value) == (held, broken, broken / 80)


@pytest.mark.parametrize(
    ("check", "severity", "blocks"),
    [
        (Check.NOT_NULL, Severity.WARNING, False),
        (Check.NOT_NULL, Severity.ERROR, False),
        (Check.NOT_NULL, Severity.CRITICAL, True),
        (Check.VOLUME, Severity.INFO, False),
        (Check.VOLUME, Severity.WARNING, False),
        (Check.VOLUME, Severity.ERROR, True),
        (Check.VOLUME, Severity.CRITICAL, True),
    ],
)
def test_what_follows_depends_on_severity_and_on_what_is_checked(check, severity, blocks):
    broken = found(rule(check, severity, max=0.1), broken=1, history=History(weekday_rows=[300, 300]))
    assert not broken.held
    assert broken.blocks is blocks
    refusal = quality.refusal([broken])
    assert (refusal.reason if refusal else "") == ("QUALITY" if blocks else "")


@pytest.mark.parametrize(
    ("usual", "held", "share"),
    [([], True, 0), ([1000], True, 0), ([90, 110, 100], True, 0), ([200, 210, 190], False, 0.5), ([0, 0], False, 1)],
)
def test_volume_is_compared_with_the_same_weekday_of_the_last_weeks(usual, held, share):
    result = found(rule(Check.VOLUME, max=0.4), history=History(weekday_rows=usual))
    assert (result.held, result.value) == (held, share)


def seconds(hours_before_the_end):
    return (DAY.end_time - timedelta(hours=hours_before_the_end)).timestamp()


def test_a_source_is_fresh_by_its_newest_row_at_the_end_of_the_day():
    result = found(rule(Check.FRESHNESS, max=4), sources={"mes-1": seconds(2), "erp-1": seconds(5)})
    assert (result.held, result.rows, result.value) == (False, 1, 5)
    assert "erp-1: nothing since 2026-11-14 16:00 UTC, 5.0 h before the end" in result.message


def test_a_source_of_which_the_day_has_nothing_is_known_from_the_days_before():
    before = History(sources={"mes-1": seconds(30), "mes-2": seconds(40)})
    result = found(rule(Check.FRESHNESS, max=24), sources={"mes-1": seconds(1)}, history=before)
    assert (result.held, result.rows, result.value) == (False, 1, 40)


def test_of_a_day_that_is_not_over_freshness_is_looked_at_now():
    now = DAY.end_time - timedelta(hours=10)
    assert found(rule(Check.FRESHNESS, max=4), sources={"mes-1": seconds(12)}, now=now).value == 2


@pytest.mark.parametrize(("refused", "held"), [(10, True), (11, False), (20, False)])
def test_more_rows_in_quarantine_than_a_share_keep_a_window_unpublished(refused, held):
    result = found(rule(Check.QUARANTINE, max=0.1), refused=refused)
    assert result.held is held
    refusal = quality.refusal([result])
    assert (refusal.reason if refusal else "") == ("" if held else "QUARANTINE_THRESHOLD")


def test_a_few_rows_in_quarantine_are_no_share_of_anything():
    assert found(rule(Check.QUARANTINE, min=20, max=0.1), refused=20).held
    assert not found(rule(Check.QUARANTINE, min=20, max=0.1), refused=21).held


def test_a_rule_that_is_disabled_finds_nothing():
    rules = [replace(each, disabled=True) for each in quality.BUILT_IN]
    assert quality.results(rules, COUNTS, FINDINGS, History(), DAY, NOW) == []


def test_a_plant_has_the_built_in_rules_until_it_changes_them():
    changed = replace(quality.BUILT_IN[2], max=0.9, revision=1)
    rules = {each.id: each for each in quality.in_force([changed, rule(Check.NOT_NULL, field="shift")])}
    assert list(rules) == ["quarantined-rows", "r", "source-freshness", "usual-volume"]
    assert rules["usual-volume"].max == 0.9


GOOD = [
    rule(Check.NOT_NULL, field="operator"),
    rule(Check.RANGE, field="total_qty", min=0),
    rule(Check.RANGE, field="total_qty", min=1, max=1, tolerated_share=1),
    rule(Check.UNIQUE, field="serial_no"),
    rule(Check.REFERENCE, field="line_code"),
    rule(Check.REFERENCE, field="equipment_code", record_type=RecordType.EQUIPMENT_STATUS),
    rule(Check.RANGE, field="duration_seconds", record_type=RecordType.EQUIPMENT_STATUS, max=1),
    rule(Check.RANGE, field="defect_qty", record_type=RecordType.QUALITY, max=1),
    rule(Check.UNIQUE, field="operator", record_type=RecordType.PRODUCTION_ORDER),
    rule(Check.VOLUME, max=2),
    rule(Check.FRESHNESS, max=0.5),
    rule(Check.QUARANTINE, max=0),
]


@pytest.mark.parametrize("good", GOOD, ids=lambda good: f"{good.check} {good.field}")
def test_a_rule_that_fits_its_check_has_no_fault(good):
    assert quality.faults(good) == []


FAULTY = [
    (Rule("Nº 1", Check.NOT_NULL, Severity.INFO, "shift"), "rule.name"),
    (rule(Check.NOT_NULL), "rule.field"),
    (rule(Check.NOT_NULL, field="x'; DROP TABLE etl.day; --"), "rule.field"),
    (rule(Check.NOT_NULL, field="shift", max=1), "rule.max"),
    (rule(Check.RANGE, field="total_qty"), "rule.max"),
    (rule(Check.RANGE, field="total_qty", min=2, max=1), "rule.max"),
    (rule(Check.RANGE, field="total_qty", max=float("nan")), "rule.max"),
    (rule(Check.RANGE, field="total_qty", max=1, tolerated_share=1.1), "rule.tolerated_share"),
    (rule(Check.REFERENCE, field="total_qty"), "rule.field"),
    (rule(Check.REFERENCE, field="equipment_code"), "rule.field"),
    (rule(Check.NOT_NULL, field="equipment_code"), "rule.field"),
    (rule(Check.RANGE, field="duration_seconds", max=1), "rule.field"),
    (rule(Check.RANGE, field="line_code", max=1), "rule.field"),
    (rule(Check.RANGE, field="total_qty", record_type=RecordType.QUALITY, max=1), "rule.field"),
    (rule(Check.VOLUME, max=1, record_type=RecordType.QUALITY), "rule.record_type"),
    (rule(Check.VOLUME), "rule.max"),
    (rule(Check.VOLUME, max=1, min=1), "rule.min"),
    (rule(Check.VOLUME, max=1, field="shift"), "rule.field"),
    (rule(Check.VOLUME, max=1, tolerated_share=0.1), "rule.tolerated_share"),
    (rule(Check.FRESHNESS, max=0), "rule.max"),
    (rule(Check.QUARANTINE, max=1.5), "rule.max"),
    (rule(Check.QUARANTINE, max=0.5, min=-1), "rule.min"),
]


@pytest.mark.parametrize(("faulty", "field"), FAULTY)
def test_a_rule_that_does_not_fit_its_check_is_told_by_field(faulty, field):
    assert [fault.field for fault in quality.faults(faulty)] == [field]


def test_times_are_told_in_utc():
    assert (
        "1970-01-01 00:00 UTC" in found(rule(Check.FRESHNESS, max=1), sources={"m": 0.0}, now=datetime.now(UTC)).message
    )
