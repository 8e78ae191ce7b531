"""A made-up plant over the API: landed once however often it is asked for, and told whole."""

import pytest
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_local.testing.refusals import refused

PLAN = {"seed": 3, "from_date": "2025-11-03", "days": 2, "lines": 2, "products": 3, "orders_per_shift": 3}
BUSY = {
    **PLAN,
    "late_share": 0.2,
    "duplicate_share": 0.2,
    "corrected_share": 0.2,
    "deleted_share": 0.2,
    "bad_share": 0.2,
    "fault_shares": {"END_BEFORE_START": 0.1, "NOT_A_TIME": 0.05, "NOT_A_DATE": 0.05},
}
PLACE = ("date", "line", "product", "shift")


async def generated(client, **plan):
    return [message async for message in client.GenerateRecords(**plan)]


async def test_the_rows_are_landed_and_what_must_come_of_them_is_told(client):
    messages = await generated(client, **PLAN)
    last = messages[-1]
    assert last.records == last.total == last.counts.inserted == 2 * 3 * 2 * (3 * 3 + 2)
    facts = [fact for message in messages for fact in message.expected]
    assert sum(fact.work_orders for fact in facts) == 2 * 3 * 2 * 3
    assert {fact.date for fact in facts} == {"2025-11-03", "2025-11-04"}


async def test_what_is_told_comes_of_the_rows_to_the_last_measure_and_defect(client, sql):
    faults = {"END_BEFORE_START": 0.02, "NOT_A_TIME": 0.01, "NOT_A_DATE": 0.01}  # a tenth is still published
    plan = {**BUSY, "orders_per_shift": 100, "bad_share": 0.04, "fault_shares": faults}
    messages = await generated(client, **plan)
    run = await client.ended((await client.RunPipeline(dates=["2025-11-03", "2025-11-04"])).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED

    measures = [field.name for field in pb.ExpectedFact.DESCRIPTOR.fields if field.name not in PLACE]
    made = await _sums(sql, client, "bi.fact_daily_production", PLACE, measures)
    told = [fact for message in messages for fact in message.expected]
    assert made == {_key(fact, PLACE): {name: getattr(fact, name) for name in measures} for fact in told}
    assert all(any(fact[name] for fact in made.values()) for name in measures)

    place = (*PLACE, "defect_type")
    defects = [defect for message in messages for defect in message.expected_defects]
    assert await _sums(sql, client, "bi.fact_daily_defect", place, ["defect_qty"]) == {
        _key(defect, place): {"defect_qty": defect.defect_qty} for defect in defects
    }
    reasons = await sql.fetch(_REASONS, client.tenant)
    assert dict(map(tuple, reasons)) == messages[-1].expected_quarantine
    assert {"END_BEFORE_START", "NOT_A_TIME", "NOT_A_DATE", "OUT_OF_RANGE"} <= dict(map(tuple, reasons)).keys()
    assert messages[-1].shifts == ["A", "B", "C"]


async def test_what_the_calendar_plans_of_lines_without_orders_of_the_erp_is_told(client, sql):
    """With an order a shift and half of the rows deleted, some line has work and no plan on some day."""
    plan = {**PLAN, "days": 5, "lines": 6, "orders_per_shift": 1, "deleted_share": 0.5}
    messages = await generated(client, **plan)
    run = await client.ended((await client.Backfill(from_date="2025-11-03", to_date="2025-11-07")).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED
    made = await _sums(sql, client, "bi.fact_daily_production", PLACE, ["planned_seconds"])
    told = [fact for message in messages for fact in message.expected]
    assert made == {_key(fact, PLACE): {"planned_seconds": fact.planned_seconds} for fact in told}
    plans = [fact for fact in told if fact.planned_seconds and not fact.planned_qty]
    assert plans


async def _sums(sql, client, table, place, names):
    """All that is in a table of facts, by what it is about."""
    rows = await sql.fetch(f"SELECT *, date::text AS date FROM {table} WHERE tenant = $1", client.tenant)
    return {tuple(str(row[name]) for name in place): {name: float(row[name]) for name in names} for row in rows}


def _key(told, place):
    return tuple(getattr(told, name) for name in place)


_REASONS = """
SELECT reason ->> 'code', count(*)
FROM etl.quarantine, jsonb_array_elements(reasons) AS reason WHERE tenant = $1 AND state = 'OPEN' GROUP BY 1
"""


async def test_asked_for_again_it_changes_nothing(client, sql):
    first = (await generated(client, **BUSY))[-1]
    assert first.counts.updated > 0
    again = (await generated(client, **BUSY))[-1]
    assert (again.counts.inserted, again.counts.updated) == (0, 0)
    assert again.expected_quarantine == first.expected_quarantine


async def test_a_dry_run_lands_nothing(client, sql):
    last = (await generated(client, **PLAN, dry_run=True))[-1]
    assert (last.records, last.counts.inserted) == (last.total, 0)
    assert not await sql.fetchval("SELECT count(*) FROM core.erp_mes_data WHERE tenant = $1", client.tenant)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("from_date", "today"),
        ("days", 367),
        ("days", 0),
        ("lines", 101),
        ("orders_per_shift", 2001),
        ("bad_share", 0.6),
        ("deleted_share", -0.1),
    ],
)
async def test_a_plan_beyond_its_limits_is_refused(client, field, value):
    refusal = await refused(generated(client, **{**PLAN, field: value}))
    assert [name for name, _ in refusal.faults] == [field]


async def test_faults_that_there_are_not_or_too_many_are_refused(client):
    refusal = await refused(generated(client, **PLAN, fault_shares={"UNLUCKY": 0.1}))
    assert refusal.faults == [("fault_shares[UNLUCKY]", "UNKNOWN_VALUE")]
    refusal = await refused(generated(client, **PLAN, bad_share=0.3, fault_shares={"NEGATIVE": 0.3}))
    assert refusal.faults == [("fault_shares", "OUT_OF_RANGE")]
