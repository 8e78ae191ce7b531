"""Quality rules on real rows: what they set aside, what they keep from being published, and how they are kept."""

import json
from datetime import timedelta

import pytest
from etl_rig.plant import DAY, NOON, ORDER
from millwright.etl.v1 import record_pb2
from millwright_etl.domain.quality import Check, Rule, Severity
from millwright_etl.domain.records import RecordType
from millwright_etl.store import quality_rules
from millwright_local.testing.refusals import refused

TOTAL = {(DAY, "L1", "P1", "A"): 100}


@pytest.fixture
def with_rule(plant):
    """Gives the plant a rule: about total_qty, and an error, unless told otherwise."""

    async def save(check, severity=Severity.ERROR, field="total_qty", **others):
        field = field if check.is_of_rows else ""
        return await quality_rules.save(plant.connection, plant.tenant, Rule("mine", check, severity, field, **others))

    return save


def result(made, rule="mine"):
    (found,) = [each for each in made.quality if each.rule == f"qualityRules/{rule}"]
    return found.held, found.rows


async def test_a_row_out_of_range_is_quarantined_by_the_rule_and_the_others_are_published(plant, with_rule):
    await with_rule(Check.RANGE, min=10, max=200)
    await plant.land(ORDER, "usual")
    await plant.land({**ORDER, "total_qty": 9, "good_qty": 0}, "few")
    await plant.land({**ORDER, "total_qty": 201}, "many")
    made = await plant.make()
    assert made.refusal is None
    assert result(made) == (False, 2)
    assert (made.counts.rows_used, made.counts.rows_quarantined) == (1, 2)
    assert await plant.facts() == TOTAL
    assert await plant.quarantine() == {name: ("OPEN", {("OUT_OF_RANGE", "total_qty")}) for name in ("few", "many")}
    (reason,) = json.loads(
        await plant.connection.fetchval("SELECT reasons FROM etl.quarantine WHERE external_id = 'few'")
    )
    assert (reason["rule"], reason["value"]) == ("qualityRules/mine", "9")
    assert reason["message"] == "total_qty must be from 10 to 200"


async def test_a_warning_uses_the_row_and_tells_of_it(plant, with_rule):
    await with_rule(Check.RANGE, Severity.WARNING, max=50)
    await plant.land(ORDER)
    made = await plant.make()
    assert (made.refusal, result(made)) == (None, (False, 1))
    assert await plant.facts() == TOTAL


async def test_a_critical_rule_keeps_the_old_facts_in_place_and_shows_the_rows(plant, with_rule):
    await plant.land(ORDER)
    await plant.make()
    await with_rule(Check.RANGE, Severity.CRITICAL, max=150)
    await plant.land({**ORDER, "total_qty": 1000}, "huge")
    made = await plant.make()
    assert made.refusal.reason == "QUALITY"
    assert "1 of 2 work orders: total_qty must be at most 150" in made.refusal.message
    assert await plant.facts() == TOTAL
    assert await plant.quarantine() == {"huge": ("OPEN", {("OUT_OF_RANGE", "total_qty")})}


async def test_a_field_that_must_be_there_may_be_any_of_the_payload(plant, with_rule):
    await with_rule(Check.NOT_NULL, field="operator")
    for name, operator in (("given", "Kim"), ("empty", ""), ("null", None)):
        await plant.land({**ORDER, "operator": operator}, name)
    await plant.land(ORDER, "absent")
    await plant.land({"line_code": "L1", "planned_qty": 5, "product_code": "P1"}, "plan", "PRODUCTION_ORDER")
    made = await plant.make()
    assert result(made) == (False, 3)
    assert made.counts.rows_used == 2
    assert set(await plant.quarantine()) == {"empty", "null", "absent"}


async def test_rows_that_share_what_must_be_unique_are_all_set_aside(plant, with_rule):
    await with_rule(Check.UNIQUE, field="serial_no")
    for name, serial in (("1", "S1"), ("2", "S2"), ("3", "S1"), ("4", None), ("5", None)):
        await plant.land({**ORDER, "serial_no": serial}, name)
    await plant.land({**ORDER, "serial_no": "S2"}, "gone", deleted=True)
    made = await plant.make()
    assert result(made) == (False, 2)
    assert set(await plant.quarantine()) == {"1", "3"}


async def test_numbers_that_must_be_unique_are_compared_as_numbers(plant, with_rule):
    await with_rule(Check.UNIQUE, field="cycle_seconds")
    for name, seconds in (("1", 7), ("2", "7.0"), ("3", 8), ("4", "9e131071")):
        await plant.land({**ORDER, "cycle_seconds": seconds}, name)
    assert result(await plant.make()) == (False, 2)
    assert set(await plant.quarantine()) == {"1", "2", "4"}


async def test_a_line_that_nobody_has_named_is_unknown_until_it_is_named(plant, with_rule):
    await with_rule(Check.REFERENCE, field="line_code")
    await plant.land(ORDER)
    assert result(await plant.make()) == (False, 1)
    await plant.connection.execute(
        "INSERT INTO bi.dim_line (tenant, line, inferred) VALUES ($1, 'L1', false)", plant.tenant
    )
    assert result(await plant.make()) == (True, 0)
    assert await plant.facts() == TOTAL
    assert (await plant.quarantine())["1"][0] == "FIXED"


async def test_a_range_may_be_of_a_field_that_the_pipeline_does_not_use(plant, with_rule):
    await with_rule(Check.RANGE, field="temperature", max=80)
    for name, temperature in (("cold", 20), ("hot", "81.5"), ("odd", "warm"), ("none", None)):
        await plant.land({**ORDER, "temperature": temperature}, name)
    assert result(await plant.make()) == (False, 1)
    assert set(await plant.quarantine()) == {"hot"}


STATE = {"line_code": "L1", "shift": "A", "equipment_code": "E1", "status": "DOWN", "duration_seconds": 60}


@pytest.mark.parametrize(
    ("kind", "row", "field", "value"),
    [
        (RecordType.EQUIPMENT_STATUS, STATE, "duration_seconds", 7201),
        (RecordType.QUALITY, {**ORDER, "defect_type": "scratch"}, "defect_qty", 7201),
        (RecordType.PRODUCTION_ORDER, {**ORDER, "planned_qty": 7}, "planned_seconds", 7201),
    ],
)
async def test_a_range_may_be_of_rows_of_any_kind_and_leaves_the_others_alone(
    plant, with_rule, kind, row, field, value
):
    await with_rule(Check.RANGE, Severity.CRITICAL, field, record_type=kind, max=7200)
    await plant.land({**ORDER, "total_qty": 9000, field: value}, "order")
    await plant.land(row, "usual", kind)
    await plant.land({**row, field: value}, "long", kind)
    made = await plant.make()
    assert result(made) == (False, 1)
    assert f"1 of 2 {NAMES[kind]}: {field} must be at most 7200" in made.refusal.message
    assert await plant.quarantine() == {"long": ("OPEN", {("OUT_OF_RANGE", field)})}


NAMES = {
    RecordType.EQUIPMENT_STATUS: "states of equipment",
    RecordType.QUALITY: "inspections",
    RecordType.PRODUCTION_ORDER: "production orders",
}


async def test_rules_of_several_kinds_count_the_rows_of_their_own(plant):
    rules = [
        Rule("equipment", Check.REFERENCE, Severity.ERROR, "equipment_code", RecordType.EQUIPMENT_STATUS),
        Rule("product", Check.NOT_NULL, Severity.WARNING, "product_code", RecordType.EQUIPMENT_STATUS),
        Rule("known-product", Check.REFERENCE, Severity.ERROR, "product_code", RecordType.EQUIPMENT_STATUS),
        Rule("total", Check.RANGE, Severity.WARNING, "total_qty", max=50),
    ]
    for each in rules:
        await quality_rules.save(plant.connection, plant.tenant, each)
    await plant.connection.execute(
        "INSERT INTO bi.dim_equipment (tenant, equipment, line, inferred) VALUES ($1, 'E1', 'L1', false)", plant.tenant
    )
    await plant.land(ORDER, "order")
    await plant.land(STATE, "known", RecordType.EQUIPMENT_STATUS)
    await plant.land({**STATE, "equipment_code": "E2"}, "unknown", RecordType.EQUIPMENT_STATUS)
    made = await plant.make()
    assert {name: result(made, name) for name in ("equipment", "product", "known-product", "total")} == {
        "equipment": (False, 1),
        "product": (False, 2),
        "known-product": (True, 0),
        "total": (False, 1),
    }
    messages = {found.rule.removeprefix("qualityRules/"): found.message for found in made.quality}
    assert messages["total"].startswith("1 of 1 work orders")
    assert messages["equipment"].startswith("1 of 2 states of equipment")
    assert await plant.quarantine() == {"unknown": ("OPEN", {("UNKNOWN_VALUE", "equipment_code")})}


async def test_more_rows_in_quarantine_than_the_threshold_keep_the_old_facts_in_place(plant):
    await plant.land(ORDER)
    await plant.make()
    for number in range(21):
        await plant.land({**ORDER, "total_qty": "12,5"}, f"bad-{number}")
    await plant.land({**ORDER, "total_qty": 200}, "more")
    made = await plant.make()
    assert made.refusal.reason == "QUARANTINE_THRESHOLD"
    assert await plant.facts() == TOTAL
    assert len(await plant.quarantine()) == 21
    await plant.connection.execute("UPDATE core.erp_mes_data SET ignored = true WHERE external_id LIKE 'bad-%'")
    assert (await plant.make()).refusal is None
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 300}


async def test_what_is_set_aside_of_a_day_that_is_not_published_releases_nothing(plant, with_rule):
    await plant.land({**ORDER, "total_qty": "12,5"})
    await plant.make()
    await with_rule(Check.RANGE, Severity.CRITICAL, max=150)
    await plant.land(ORDER)
    await plant.land({**ORDER, "total_qty": 1000}, "huge")
    assert (await plant.make()).refusal is not None
    states = await plant.connection.fetch("SELECT external_id, state FROM etl.quarantine ORDER BY 1")
    assert list(map(tuple, states)) == [("1", "OPEN"), ("huge", "OPEN")]


async def test_volume_and_freshness_are_compared_with_the_days_before(plant, with_rule):
    await with_rule(Check.VOLUME, max=0.5)
    for week in (1, 2, 5):
        await plant.published(DAY - timedelta(weeks=week), rows=300)
    await plant.published(DAY - timedelta(days=2), rows=7, sources={"mes-2": (NOON - timedelta(days=2)).timestamp()})
    await plant.land(ORDER)
    made = await plant.make()
    assert made.refusal.reason == "QUALITY"
    assert "1 rows, and 300 on this weekday" in made.refusal.message
    assert result(made, "source-freshness") == (False, 2)


# As callers keep them.

NEW = {
    "name": "qualityRules/cycle",
    "check": "CHECK_RANGE",
    "field": "cycle_seconds",
    "max": 90,
    "severity": "SEVERITY_WARNING",
}


async def test_a_rule_is_created_listed_and_changed_only_as_it_was_seen(admin, stranger):
    saved = (await admin.SaveQualityRule(rule=NEW)).rule
    assert (saved.max, saved.HasField("min"), saved.built_in, saved.etag) == (90, False, False, "1")
    assert (await refused(admin.SaveQualityRule(rule=NEW))).kind == ("ABORTED", "ETAG_MISMATCH")
    changed = (await admin.SaveQualityRule(rule={**NEW, "max": 95, "etag": saved.etag})).rule
    assert (changed.max, changed.etag) == (95, "2")
    for stale in ("1", "3", "-1", "x" * 30):
        assert (await refused(admin.SaveQualityRule(rule={**NEW, "etag": stale}))).kind[1] == "ETAG_MISMATCH"
    names = [rule.name for rule in (await admin.ListQualityRules()).rules]
    assert names == [
        f"qualityRules/{name}" for name in ("cycle", "quarantined-rows", "source-freshness", "usual-volume")
    ]
    assert len((await stranger.ListQualityRules()).rules) == 3


async def test_a_rule_names_the_rows_it_looks_at_and_means_work_orders_without(admin):
    about = {**NEW, "field": "duration_seconds", "record_type": "RECORD_TYPE_EQUIPMENT_STATUS"}
    await admin.SaveQualityRule(rule={**NEW, "name": "qualityRules/orders"})
    await admin.SaveQualityRule(rule={**about, "name": "qualityRules/states"})
    kinds = {rule.name: rule.record_type for rule in (await admin.ListQualityRules()).rules}
    assert kinds["qualityRules/orders"] == record_pb2.RECORD_TYPE_WORK_ORDER
    assert kinds["qualityRules/states"] == record_pb2.RECORD_TYPE_EQUIPMENT_STATUS
    assert kinds["qualityRules/usual-volume"] == record_pb2.RECORD_TYPE_UNSPECIFIED


async def test_a_built_in_rule_can_be_set_but_not_made_another_check(admin):
    (built_in,) = [rule for rule in (await admin.ListQualityRules()).rules if rule.name.endswith("usual-volume")]
    assert built_in.built_in
    built_in.disabled, built_in.max = True, 3
    saved = (await admin.SaveQualityRule(rule=built_in)).rule
    assert (saved.disabled, saved.max, saved.built_in) == (True, 3, True)
    saved.check = "CHECK_FRESHNESS"
    assert (await refused(admin.SaveQualityRule(rule=saved))).faults == [("rule.check", "BUILT_IN")]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"check": 0, "severity": 9}, ["rule.check", "rule.severity"]),
        ({"name": "cycle"}, ["rule.name"]),
        ({"field": "Cycle Seconds"}, ["rule.field"]),
        ({"min": 91}, ["rule.max"]),
        ({"record_type": 9}, ["rule.record_type"]),
        ({"field": "duration_seconds"}, ["rule.field"]),
        ({"record_type": "RECORD_TYPE_QUALITY"}, ["rule.field"]),
    ],
)
async def test_a_rule_that_is_none_is_refused_by_field(admin, changes, fields):
    refusal = await refused(admin.SaveQualityRule(rule={**NEW, **changes}))
    assert [field for field, _ in refusal.faults] == fields


async def test_saving_a_rule_needs_an_admin(client):
    assert (await refused(client.SaveQualityRule(rule=NEW))).kind[0] == "PERMISSION_DENIED"


async def test_a_plant_has_a_hundred_rules_and_no_more(admin):
    for number in range(97):
        await admin.SaveQualityRule(rule={**NEW, "name": f"qualityRules/r-{number}"})
    refusal = await refused(admin.SaveQualityRule(rule=NEW))
    assert refusal.kind == ("FAILED_PRECONDITION", "TOO_MANY_QUALITY_RULES")
