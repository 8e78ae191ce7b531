"""A made-up plant over the API: landed once however often it is asked for, and told whole."""

import pytest
from millwright_local.testing.refusals import refused

PLAN = {"seed": 3, "from_date": "2025-11-03", "days": 2, "lines": 2, "products": 3, "orders_per_shift": 3}
BUSY = {**PLAN, "late_share": 0.2, "duplicate_share": 0.2, "corrected_share": 0.2, "bad_share": 0.2}


async def generated(client, **plan):
    return [message async for message in client.GenerateRecords(**plan)]


async def test_the_rows_are_landed_and_what_must_come_of_them_is_told(client):
    messages = await generated(client, **PLAN)
    last = messages[-1]
    assert last.records == last.total == last.counts.inserted == 2 * 3 * 2 * (3 * 3 + 2)
    facts = [fact for message in messages for fact in message.expected]
    assert sum(fact.work_orders for fact in facts) == 2 * 3 * 2 * 3
    assert {fact.date for fact in facts} == {"2025-11-03", "2025-11-04"}


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
    ],
)
async def test_a_plan_beyond_its_limits_is_refused(client, field, value):
    refusal = await refused(generated(client, **{**PLAN, field: value}))
    assert [name for name, _ in refusal.faults] == [field]
