"""What the made-up plant says must come of its rows comes of them, exactly, in whatever order they arrive."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from millwright_etl.commands import landing
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.landing import Door
from millwright_etl.domain.mock_plant.arrivals import arrivals
from millwright_etl.domain.mock_plant.expected import Expected
from millwright_etl.domain.mock_plant.plan import Plan
from millwright_etl.domain.windows import discrepancies, window
from millwright_etl.store import months, windows

WEEK = Plan(seed=1, from_date=date(2025, 11, 3), days=7, lines=3, products=4, orders_per_shift=4)
DISTURBED = replace(WEEK, late_share=0.15, duplicate_share=0.1, corrected_share=0.15, deleted_share=0.1, bad_share=0.1)


async def land(connection, tenant, records):
    door = Door(Calendars(), datetime.now(UTC))
    async with connection.transaction():
        await landing.land(connection, tenant, [door.admit(record) for record in records])


async def run(connection, tenant, day):
    asked = window(Calendars(), tenant, day)
    await months.ensure(connection, asked.date)
    async with connection.transaction():
        await windows.set_limits(connection, 16)
        counts = (await windows.make_facts(connection, asked, uuid.uuid4(), 60)).counts
        assert discrepancies(counts, await windows.read_back(connection, asked)) == []
    return counts


@pytest.mark.parametrize("plan", [WEEK, DISTURBED], ids=["quiet", "disturbed"])
async def test_the_facts_of_a_week_are_those_that_the_plant_tells(connection, plan):
    tenant = f"t-{uuid.uuid4().hex[:12]}"
    await connection.execute(f"SET millwright.tenant = '{tenant}'; SET TIME ZONE 'UTC'")
    expected = Expected(Calendars())
    for day, records in arrivals(plan, Calendars(), expected):
        await land(connection, tenant, records)
        for back in range(5):  # what comes late changes days that have facts already
            await run(connection, tenant, day - timedelta(days=back))
    rows = await connection.fetch("SELECT * FROM bi.fact_daily_production")
    measured = {
        (row["date"], row["line"], row["product"], row["shift"]): {
            name: value
            for name, value in row.items()
            if value and name not in {"tenant", "date", "line", "product", "shift", "run", "update_time"}
        }
        for row in rows
    }
    told = {key: {name: value for name, value in fact.items() if value} for key, fact in expected.facts.items()}
    assert measured == told
    rows = await connection.fetch("SELECT * FROM bi.fact_daily_defect")
    defects = {
        ((row["date"], row["line"], row["product"], row["shift"]), row["defect_type"]): row["defect_qty"]
        for row in rows
    }
    assert defects == expected.defects
    reasons = await connection.fetch(
        "SELECT reason ->> 'code' AS code, count(*) AS rows "
        "FROM etl.quarantine, jsonb_array_elements(reasons) AS reason WHERE state = 'OPEN' GROUP BY 1"
    )
    assert dict(map(tuple, reasons)) == expected.reasons
