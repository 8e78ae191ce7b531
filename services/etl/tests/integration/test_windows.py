"""The statement that makes the facts of a business day: what it counts, sets aside, writes, leaves and removes."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from etl_rig.plant import DAY, NOON, ORDER, SEOUL, Plant
from millwright_etl.domain.windows import MEASURES

TINY = timedelta(microseconds=1)


async def test_trap_1_a_late_row_adds_to_the_day(plant):
    await plant.land({**ORDER, "total_qty": 1000})
    await plant.run()
    await plant.land({**ORDER, "total_qty": 5, "good_qty": 5, "defect_qty": 0}, "late")
    await plant.run()
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 1005}


async def test_trap_2_a_second_run_writes_nothing(plant):
    await plant.land(ORDER)
    await plant.run()
    again = await plant.run()
    assert (again.facts_inserted, again.facts_updated, again.facts_deleted, again.facts_unchanged) == (0, 0, 0, 1)
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 100}


async def test_trap_4_an_order_that_moves_to_another_line_leaves_no_fact_behind(plant):
    await plant.land({**ORDER, "line_code": "A"})
    await plant.run()
    await plant.land({**ORDER, "line_code": "B", "total_qty": 150})
    moved = await plant.run()
    assert (moved.facts_inserted, moved.facts_deleted) == (1, 1)
    assert await plant.facts() == {(DAY, "B", "P1", "A"): 150}


async def test_trap_7_the_small_hours_belong_to_the_business_day_before(plant):
    await plant.land({**ORDER, "shift": None}, event_time=datetime(2026, 11, 15, 2, 30, tzinfo=SEOUL))
    await plant.run(DAY + timedelta(days=1))
    assert await plant.facts() == {}
    await plant.run()
    assert await plant.facts() == {(DAY, "L1", "P1", "C"): 100}


BAD_NUMBERS = {"12,5": "NOT_A_NUMBER", "NaN": "NOT_A_NUMBER", "Infinity": "NOT_A_NUMBER", "-Infinity": "NOT_A_NUMBER"}


async def test_traps_8_and_9_a_bad_cell_sets_its_row_aside_and_the_others_go_through(plant):
    for cell in BAD_NUMBERS:
        await plant.land({**ORDER, "total_qty": cell}, cell)
    await plant.land(ORDER)
    counts = await plant.run()
    assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (5, 1, 4)
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 100}
    expected = {cell: ("OPEN", {(code, "total_qty")}) for cell, code in BAD_NUMBERS.items()}
    assert await plant.quarantine() == expected


async def test_trap_10_cycle_times_are_weighted_by_pieces(plant):
    await plant.land({**ORDER, "cycle_seconds": 10}, "many")
    await plant.land({**ORDER, "total_qty": 1, "good_qty": 1, "defect_qty": 0, "cycle_seconds": 100}, "one")
    await plant.run()
    cycle = await plant.connection.fetchval("SELECT cycle_seconds FROM bi.daily_oee")
    assert round(cycle, 1) == Decimal("10.9")


async def test_trap_11_many_rows_of_one_key_are_one_fact(plant):
    for number in range(20):
        await plant.land(ORDER, str(number))
    counts = await plant.run()
    assert (counts.facts, counts.rows_used) == (1, 20)
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 2000}


async def test_a_day_ends_where_the_next_begins_to_the_microsecond(plant):
    morning = datetime(2026, 11, 15, 6, tzinfo=SEOUL)
    await plant.land({**ORDER, "shift": None}, "last", event_time=morning - TINY)
    await plant.land({**ORDER, "shift": None}, "first", event_time=morning)
    await plant.run()
    await plant.run(DAY + timedelta(days=1))
    assert await plant.facts() == {
        (DAY, "L1", "P1", "C"): 100,
        (DAY + timedelta(days=1), "L1", "P1", "A"): 100,
    }


FAULTS = [
    ("WORK_ORDER", {"line_code": None}, ("MISSING", "line_code")),
    ("WORK_ORDER", {"line_code": ""}, ("MISSING", "line_code")),
    ("WORK_ORDER", {"line_code": {"a": 1}}, ("NOT_A_TEXT", "line_code")),
    ("WORK_ORDER", {"product_code": "P" * 64}, ("TOO_LONG", "product_code")),
    ("WORK_ORDER", {"shift": "Z"}, ("UNKNOWN_SHIFT", "shift")),
    ("WORK_ORDER", {"shift": {"code": "A"}}, ("NOT_A_TEXT", "shift")),
    ("WORK_ORDER", {"shift": ["A"]}, ("NOT_A_TEXT", "shift")),
    ("WORK_ORDER", {"total_qty": None}, ("MISSING", "total_qty")),
    ("WORK_ORDER", {"defect_qty": -1}, ("NEGATIVE", "defect_qty")),
    ("WORK_ORDER", {"good_qty": 1e13, "total_qty": 1e13}, ("OUT_OF_RANGE", "good_qty")),
    ("WORK_ORDER", {"good_qty": 96}, ("SUM_EXCEEDS_TOTAL", "total_qty")),
    ("WORK_ORDER", {"rework_qty": "x"}, ("NOT_A_NUMBER", "rework_qty")),
    ("WORK_ORDER", {"scrap_qty": True}, ("NOT_A_NUMBER", "scrap_qty")),
    ("WORK_ORDER", {"runtime_seconds": [1]}, ("NOT_A_NUMBER", "runtime_seconds")),
    ("WORK_ORDER", {"cycle_seconds": -0.1}, ("NEGATIVE", "cycle_seconds")),
    ("WORK_ORDER", {"ideal_cycle_seconds": 1e8}, ("OUT_OF_RANGE", "ideal_cycle_seconds")),
    ("PRODUCTION_ORDER", {}, ("MISSING", "planned_qty")),
    ("PRODUCTION_ORDER", {"planned_qty": 1, "planned_seconds": "a"}, ("NOT_A_NUMBER", "planned_seconds")),
    ("EQUIPMENT_STATUS", {"status": "DOWN", "duration_seconds": 1}, ("MISSING", "equipment_code")),
    ("EQUIPMENT_STATUS", {"equipment_code": "E", "status": "OFF", "duration_seconds": 1}, ("UNKNOWN_STATUS", "status")),
    ("EQUIPMENT_STATUS", {"equipment_code": "E", "status": "DOWN"}, ("MISSING", "duration_seconds")),
    ("QUALITY", {}, ("MISSING", "defect_type")),
    ("QUALITY", {"defect_type": "scratch", "defect_qty": "NaN"}, ("NOT_A_NUMBER", "defect_qty")),
]


@pytest.mark.parametrize(("record_type", "fields", "reason"), FAULTS)
async def test_a_row_that_cannot_be_used_is_set_aside_with_the_reason(plant, record_type, fields, reason):
    await plant.land({**ORDER, **fields}, record_type=record_type)
    counts = await plant.run()
    assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (1, 0, 1)
    state, reasons = (await plant.quarantine())["1"]
    assert state == "OPEN"
    assert reason in reasons


async def test_all_reasons_of_a_row_are_told_at_once(plant):
    await plant.land({"shift": "Z", "total_qty": "12,5", "good_qty": -1, "defect_qty": 0})
    await plant.run()
    assert (await plant.quarantine())["1"][1] == {
        ("MISSING", "line_code"),
        ("MISSING", "product_code"),
        ("UNKNOWN_SHIFT", "shift"),
        ("NOT_A_NUMBER", "total_qty"),
        ("NEGATIVE", "good_qty"),
    }


async def test_a_row_that_its_source_has_mended_is_used_and_leaves_quarantine(plant):
    await plant.land({**ORDER, "total_qty": "12,5"})
    await plant.run()
    await plant.land(ORDER)
    await plant.run()
    assert (await plant.quarantine())["1"][0] == "SUPERSEDED"
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 100}


async def test_a_correction_is_laid_over_the_payload_and_the_row_is_fixed(plant):
    await plant.land({**ORDER, "total_qty": "12,5"})
    await plant.run()
    await plant.connection.execute("""UPDATE core.erp_mes_data SET corrections = '{"total_qty": 125}'""")
    await plant.run()
    assert (await plant.quarantine())["1"][0] == "FIXED"
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 125}


async def test_a_row_that_people_ignore_stays_out_and_is_counted(plant):
    await plant.land({**ORDER, "total_qty": "12,5"})
    await plant.connection.execute("UPDATE core.erp_mes_data SET ignored = true")
    counts = await plant.run()
    assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (1, 0, 1)
    assert await plant.quarantine() == {}


async def test_a_row_that_its_source_has_deleted_takes_its_fact_along(plant):
    await plant.land(ORDER)
    await plant.run()
    await plant.land(ORDER, deleted=True)
    counts = await plant.run()
    assert (counts.rows_read, counts.rows_superseded, counts.facts_deleted) == (1, 1, 1)
    assert await plant.facts() == {}


async def test_each_measure_comes_of_one_kind_of_row(plant):
    await plant.land({**ORDER, "rework_qty": 2, "scrap_qty": 0, "runtime_seconds": 3600, "ideal_cycle_seconds": 30})
    plan = {"planned_qty": 120, "planned_seconds": 7200}
    await plant.land({**ORDER, **plan}, record_type="PRODUCTION_ORDER")
    for number, (status, seconds) in enumerate([("RUNNING", 5000), ("DOWN", 60), ("DOWN", 30), ("SETUP", 10)]):
        spent = {"equipment_code": "E1", "status": status, "duration_seconds": seconds}
        await plant.land({**ORDER, **spent}, str(number), "EQUIPMENT_STATUS")
    await plant.land({**ORDER, "defect_type": "scratch", "defect_qty": 4}, record_type="QUALITY")
    await plant.run()
    fact = dict(await plant.connection.fetchrow("SELECT * FROM bi.fact_daily_production"))
    expected = {
        "total_qty": 100,
        "good_qty": 95,
        "defect_qty": 5,
        "rework_qty": 2,
        "planned_qty": 120,
        "planned_seconds": 7200,
        "runtime_seconds": 3600,
        "downtime_seconds": 90,
        "setup_seconds": 10,
        "ideal_seconds_sum": 3000,
        "work_orders": 1,
    }
    assert {name: fact[name] for name in expected} == expected
    defects = await plant.connection.fetch("SELECT defect_type, defect_qty FROM bi.fact_daily_defect")
    assert [tuple(row) for row in defects] == [("scratch", 4)]


async def _planned(plant):
    rows = await plant.connection.fetch("SELECT line, shift, product, planned_seconds FROM bi.fact_daily_production")
    return {tuple(row)[:3]: int(row["planned_seconds"]) for row in rows}


async def test_the_calendar_plans_a_shift_once_for_a_line_of_which_no_order_tells(plant):
    for number, (shift, product, seconds) in enumerate(
        [("A", "P1", 1), ("A", "P2", 1), ("A", "P3", 5), ("B", "P1", 0)]
    ):
        row = {**ORDER, "shift": shift, "product_code": product, "runtime_seconds": seconds}
        await plant.land(row, str(number))
    await plant.land({**ORDER, "shift": "B", "product_code": "P2"}, "9")
    down = {"line_code": "L1", "shift": "C", "equipment_code": "E1", "status": "DOWN", "duration_seconds": 60}
    await plant.land(down, record_type="EQUIPMENT_STATUS")
    await plant.run()
    assert await _planned(plant) == {
        ("L1", "A", "P1"): 3857,  # a seventh of 450 min
        ("L1", "A", "P2"): 3857,
        ("L1", "A", "P3"): 19286,
        ("L1", "B", "P1"): 0,  # nobody says how long it ran: planned time would make that 0 %
        ("L1", "B", "P2"): 0,
        ("L1", "C", "-"): 0,
    }
    assert (await plant.run()).facts_unchanged == 6


async def test_a_line_of_which_an_order_tells_planned_time_has_nothing_of_the_calendar_that_day(plant):
    for line in ("L1", "L2"):
        for shift in "AB":
            await plant.land({**ORDER, "line_code": line, "shift": shift, "runtime_seconds": 9}, f"{line}-{shift}")
    plan = {"line_code": "L1", "product_code": "P1", "shift": "A", "planned_qty": 500}
    await plant.land(plan, "plan", "PRODUCTION_ORDER")
    await plant.run()
    assert set((await _planned(plant)).values()) == {27000}
    await plant.land({**plan, "planned_seconds": 50000}, "plan", "PRODUCTION_ORDER")
    await plant.run()
    assert await _planned(plant) == {
        ("L1", "A", "P1"): 50000,
        ("L1", "B", "P1"): 0,
        ("L2", "A", "P1"): 27000,
        ("L2", "B", "P1"): 27000,
    }


async def test_a_plant_sees_and_changes_its_own_rows_alone(plant):
    await plant.land(ORDER)
    await plant.run()
    stranger = Plant(plant.connection)
    await stranger.begin()
    assert (await stranger.run()).rows_read == 0
    assert await stranger.facts() == {}
    await plant.begin()
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 100}


async def test_a_day_reads_its_own_rows_however_long_the_history_is(plant, sql):
    for day, rows in ((0, 5000), (-1, 20_000)):
        await plant.connection.execute(_MANY, plant.tenant, NOON + timedelta(days=day), rows)
    await plant.land({**ORDER, "total_qty": "12,5"}, "bad")
    await sql.execute("ANALYZE core.erp_mes_data")
    async with plant.connection.transaction():
        counts = await plant.run()
        read = await plant.connection.fetchval(_ROWS_READ)
    assert (counts.rows_read, counts.rows_quarantined) == (5001, 1)
    assert read < 6000


_MANY = """
INSERT INTO core.erp_mes_data
    (tenant, source_system, record_type, external_id, source_type, payload, payload_hash, event_time, source_time,
     deleted)
SELECT $1, 'mes-1', 'WORK_ORDER', $2::date || '-' || number, 'MES',
       '{"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 1, "good_qty": 1, "defect_qty": 0}', '',
       $2, $2, false
FROM generate_series(1, $3::int) AS number
"""
_ROWS_READ = """
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE schemaname = 'core' AND relname = 'erp_mes_data'
"""


STOP = {"equipment_code": "M1", "status": "DOWN", "duration_seconds": 60, "shift": "A"}


async def lines_of_equipment(plant):
    """The line that each piece of equipment is on."""
    rows = await plant.connection.fetch("SELECT equipment, line FROM bi.dim_equipment")
    return {row["equipment"]: row["line"] for row in rows}


async def test_equipment_that_was_named_before_its_first_row_is_on_the_line_of_its_newest(plant):
    await plant.connection.execute(
        "INSERT INTO bi.dim_equipment (tenant, equipment, names, inferred) VALUES ($1, 'M1', $2, false)",
        plant.tenant,
        '{"en": "Mill"}',
    )
    await plant.land({**STOP, "line_code": "L1"}, "first", "EQUIPMENT_STATUS")
    await plant.land({**STOP, "line_code": "L2"}, "second", "EQUIPMENT_STATUS", event_time=NOON + timedelta(hours=1))
    await plant.run()
    assert await lines_of_equipment(plant) == {"M1": "L2"}
    named = await plant.connection.fetchrow("SELECT names, inferred FROM bi.dim_equipment")
    assert tuple(named) == ('{"en": "Mill"}', False)


async def test_equipment_that_was_moved_is_on_its_new_line_also_when_an_older_day_is_made_again(plant):
    next_day = timedelta(days=1)
    await plant.land({**STOP, "line_code": "L1"}, "old", "EQUIPMENT_STATUS")
    await plant.run()
    assert await lines_of_equipment(plant) == {"M1": "L1"}
    await plant.land({**STOP, "line_code": "L2"}, "new", "EQUIPMENT_STATUS", event_time=NOON + next_day)
    await plant.run(DAY + next_day)
    await plant.run()
    assert await lines_of_equipment(plant) == {"M1": "L2"}
    await plant.land({**STOP, "line_code": "L3"}, "new", "EQUIPMENT_STATUS", event_time=NOON + next_day)
    await plant.run(DAY + next_day)
    assert await lines_of_equipment(plant) == {"M1": "L3"}


DEFECT = {"line_code": "L1", "product_code": "P1", "shift": "A", "defect_type": "dent", "defect_qty": 2}
WRITES = [("fact_daily_production", measure, f"{measure} made") for measure in MEASURES]
WRITES += [
    ("fact_daily_production", "work_orders", "work orders in the facts: 2 and "),
    ("fact_daily_defect", "defect_qty", "defects by type there: 4 and "),
]


@pytest.mark.parametrize(("fact", "measure", "told"), WRITES)
async def test_what_is_not_written_as_it_was_made_keeps_the_old_facts_in_place(plant, sql, fact, measure, told):
    await plant.land(ORDER)
    await plant.land(DEFECT, "defect", "QUALITY")
    assert (await plant.make()).refusal is None
    await plant.land(ORDER, "another")
    await plant.land({**DEFECT, "defect_type": "scratch"}, "scratch", "QUALITY")
    await sql.execute(_MEDDLE.format(fact=fact, measure=measure, tenant=plant.tenant))
    try:
        refusal = (await plant.make()).refusal
    finally:
        await sql.execute("DROP FUNCTION bi.meddle CASCADE")
    assert refusal.reason == "RECONCILIATION"
    assert told in refusal.message
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 100}
    assert (await plant.make()).refusal is None
    assert await plant.facts() == {(DAY, "L1", "P1", "A"): 200}


_MEDDLE = """
CREATE FUNCTION bi.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.{measure} := NEW.{measure} + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON bi.{fact} FOR EACH ROW WHEN (NEW.tenant = '{tenant}')
    EXECUTE FUNCTION bi.meddle();
"""
