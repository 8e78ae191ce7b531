"""Old raw rows, removed by the statements of docs/operations.md."""

import re
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from etl_rig.client import DAY, NOON, ORDER, record

PAGE = Path(__file__).parents[4] / "docs" / "operations.md"
NEXT = DAY + timedelta(days=1)


@pytest.fixture
async def owner(urls):
    """A connection as the owner of the schemas."""
    connection = await asyncpg.connect(urls.owner)
    yield connection
    await connection.close()


@pytest.fixture
def statements(client):
    """Those of the page: which tenant, what is not as it should be, and what removes rows; of days before NEXT."""
    section = PAGE.read_text(encoding="utf-8").partition("### Old raw rows")[2].partition("## Backup")[0]
    text = "\n".join(re.findall(r"(?s)```sql\n(.*?)```", section))
    text = text.replace("plant-1", client.tenant).replace("2024-01-01", str(NEXT))
    return [each for each in text.split(";") if each.strip()]


async def _facts(sql, client):
    query = "SELECT date, sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1 GROUP BY 1 ORDER BY 1"
    return {row[0]: int(row[1]) for row in await sql.fetch(query, client.tenant)}


async def _left(sql, client, table):
    rows = await sql.fetch(f"SELECT external_id FROM {table} WHERE tenant = $1 ORDER BY 1", client.tenant)
    return [row["external_id"] for row in rows]


async def test_old_rows_go_and_their_facts_stay_until_their_day_is_made_again(client, stranger, owner, sql, statements):
    tenant, look, remove = statements
    small_hours = NOON + timedelta(hours=17, minutes=59)  # of the next morning: still this business day
    await client.land(
        record(external_id="old", event_time=small_hours),
        record({**ORDER, "business_date": str(DAY)}, "stated", event_time=NOON + timedelta(days=1)),
        record({**ORDER, "total_qty": "12,5"}, "bad"),
        record(external_id="new", event_time=small_hours + timedelta(minutes=1)),
    )
    await client.land(record({**ORDER, "total_qty": 120}, "old", event_time=small_hours))
    await stranger.land(record())
    await owner.execute(tenant)
    assert [tuple(row) for row in await owner.fetch(look)] == [(DAY, "changed")]
    await client.ended((await client.RunPipeline(dates=[str(DAY), str(NEXT)])).run.name)
    assert await owner.fetch(look) == []
    facts = await _facts(sql, client)
    assert facts == {DAY: 220, NEXT: 100}

    assert [await owner.fetchval(remove) for _ in range(2)] == [3, 0]
    assert await _left(sql, client, "core.erp_mes_data") == ["new"]
    assert await _left(sql, client, "core.erp_mes_data_history") == []
    assert await _left(sql, client, "etl.quarantine") == []
    assert await _left(sql, stranger, "core.erp_mes_data") == ["1"]
    due = {window.date for window in (await client.RunPipeline(validate_only=True)).windows}
    assert not due & {str(DAY), str(NEXT)}
    assert await _facts(sql, client) == facts

    await client.land(record({**ORDER, "total_qty": 110}, "late"))
    await client.ended((await client.RunPipeline()).run.name)
    assert await _facts(sql, client) == {DAY: 110, NEXT: 100}
