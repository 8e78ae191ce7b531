"""A database role for BI tools, used by real ones: it reads schema bi of its tenant alone, whatever it sets."""

import os
import subprocess
import sys
import uuid

import asyncpg
import polars
import pytest
import sqlalchemy
from etl_rig.plant import DAY, ORDER, Plant
from sqlalchemy.exc import DBAPIError

TABLES = {
    "dim_date",
    "dim_line",
    "dim_product",
    "dim_shift",
    "dim_equipment",
    "fact_daily_production",
    "fact_daily_defect",
}
VIEWS = {"daily_oee", "weekly_oee", "monthly_oee"}


@pytest.fixture
def readers(urls):
    """Runs the command as the owner of the schemas."""

    def run(*arguments):
        environment = {**os.environ, "MILLWRIGHT_ETL_MIGRATION_DATABASE_URL": urls.owner}
        command = [sys.executable, "-m", "millwright_etl.bi_readers", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
async def role(sql):
    """A role that may log in, and do nothing yet."""
    name = f"bi_{uuid.uuid4().hex[:8]}"
    await sql.execute(f"CREATE ROLE {name} LOGIN")
    database = await sql.fetchval("SELECT current_database()")
    await sql.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {name}')
    yield name
    await sql.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
async def two_plants(connection):
    """Two plants with facts: the first made 100 pieces, the second 700."""
    plants = []
    for pieces in (100, 700):
        plant = Plant(connection)
        await plant.begin()
        await plant.land({**ORDER, "total_qty": pieces})
        await plant.land({**ORDER, "defect_type": "scratch", "defect_qty": 2}, record_type="QUALITY")
        assert (await plant.make()).refusal is None
        plants.append(plant.tenant)
    return plants


@pytest.fixture
def engine(urls, role):
    """SQLAlchemy as that role, over psycopg, as BI tools in Python have it."""
    url = sqlalchemy.make_url(urls.superuser).set(drivername="postgresql+psycopg", username=role)
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    yield engine
    engine.dispose()


def reflected(engine):
    """The tables and views of schema bi as SQLAlchemy finds them."""
    metadata = sqlalchemy.MetaData(schema="bi")
    metadata.reflect(engine, views=True)
    return {table.name: table for table in metadata.tables.values()}


async def test_a_sql_tool_finds_the_star_and_reads_the_facts_of_its_plant_alone(readers, role, engine, two_plants):
    mine, _ = two_plants
    assert readers("grant", role, mine).returncode == 0
    assert f"{role}\t{mine}\n" in readers("list").stdout
    tables = reflected(engine)
    assert set(tables) == TABLES | VIEWS
    facts = tables["fact_daily_production"]
    assert {key.referred_table.name for key in facts.foreign_key_constraints} == {
        "dim_date",
        "dim_line",
        "dim_product",
        "dim_shift",
    }
    with engine.connect() as connection:
        query = sqlalchemy.select(facts.c.date, facts.c.line, facts.c.total_qty)
        assert [tuple(row) for row in connection.execute(query)] == [(DAY, "L1", 100)]
        for name in sorted(tables.keys() - {"dim_date", "dim_equipment"}):
            tenants = connection.execute(sqlalchemy.select(tables[name].c.tenant)).scalars().all()
            assert set(tenants) == {mine}, name


async def test_a_join_of_the_whole_star_keeps_every_measure(plant):
    place = {"line_code": "L1", "shift": "A"}
    await plant.land({**ORDER, "runtime_seconds": 500, "cycle_seconds": 5, "ideal_cycle_seconds": 4}, "order")
    await plant.land(
        {**place, "product_code": "P2", "planned_qty": 9, "planned_seconds": 90}, "plan", "PRODUCTION_ORDER"
    )
    await plant.land({**place, "product_code": "P3", "defect_type": "dent", "defect_qty": 2}, "defect", "QUALITY")
    for number, status in enumerate(("DOWN", "SETUP", "RUNNING", "IDLE")):
        stop = {"line_code": f"L{number}", "equipment_code": "M1", "status": status, "duration_seconds": 60}
        await plant.land(stop, status, "EQUIPMENT_STATUS")
    await plant.run()
    for fact in ("fact_daily_production", "fact_daily_defect"):
        plain, joined = [
            await plant.connection.fetch(f"SELECT fact.* FROM bi.{fact} AS fact {join} ORDER BY fact.*")
            for join in ("", _STAR)
        ]
        assert plain == joined
        assert plain
    assert (
        await plant.connection.fetchval(
            "SELECT names ->> 'en' FROM bi.fact_daily_production JOIN bi.dim_product USING (tenant, product) "
            "WHERE downtime_seconds > 0"
        )
        == "no product"
    )


_STAR = """
JOIN bi.dim_date USING (date) JOIN bi.dim_line USING (tenant, line) JOIN bi.dim_product USING (tenant, product)
JOIN bi.dim_shift USING (tenant, shift)
"""


async def test_polars_reads_a_view_over_that_role(readers, role, engine, two_plants):
    readers("grant", role, two_plants[1])
    with engine.connect() as connection:
        frame = polars.read_database("SELECT period, line, total_qty, yield FROM bi.weekly_oee", connection)
    assert frame["total_qty"].to_list() == [700]
    assert frame["period"].to_list() == ["2026-W46"]
    assert float(frame["yield"][0]) == pytest.approx(95 / 700)


@pytest.mark.parametrize("setting", ["*", "{other}"])
async def test_no_setting_shows_a_reader_another_plant(readers, role, urls, two_plants, setting):
    mine, other = two_plants
    readers("grant", role, mine)
    reader = await asyncpg.connect(urls.superuser, user=role)
    try:
        await reader.execute(f"SET millwright.tenant = '{setting.format(other=other)}'")
        assert await reader.fetchval("SELECT sum(total_qty) FROM bi.fact_daily_production") == 100
        assert await reader.fetchval("SELECT sum(total_qty) FROM bi.daily_oee") == 100
    finally:
        await reader.close()


FORBIDDEN = [
    "SELECT * FROM core.erp_mes_data",
    "SELECT * FROM etl.quarantine",
    "SELECT * FROM bi_parts.fact_daily_production_202611",
    "SELECT bi.ensure_month('2026-11-01')",
    "DELETE FROM bi.fact_daily_production",
    "UPDATE bi.dim_line SET inferred = false",
    "INSERT INTO bi.dim_date SELECT * FROM bi.dim_date",
    "CREATE TABLE bi.mine (x integer)",
    "CREATE TABLE public.mine (x integer)",
]


async def test_a_reader_can_do_nothing_else(readers, role, engine, two_plants):
    readers("grant", role, two_plants[0])
    for statement in FORBIDDEN:
        with engine.connect() as connection, pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(sqlalchemy.text(statement))


async def test_a_reader_that_is_granted_another_plant_reads_that_one_alone(readers, role, engine, two_plants):
    for tenant in two_plants:
        assert readers("grant", role, tenant).returncode == 0
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT sum(total_qty) FROM bi.fact_daily_production")) == 700


async def test_a_reader_that_is_revoked_reads_nothing(readers, role, engine, two_plants):
    readers("grant", role, two_plants[0])
    assert readers("revoke", role).returncode == 0
    with engine.connect() as connection, pytest.raises(DBAPIError, match="permission denied"):
        connection.execute(sqlalchemy.text("SELECT * FROM bi.fact_daily_production"))
    assert role not in readers("list").stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [("ALTER ROLE {} BYPASSRLS", "passes row-level security"), ("GRANT millwright_etl TO {}", "may write tables")],
)
async def test_a_role_that_could_do_more_is_no_reader(readers, role, sql, change, told):
    await sql.execute(change.format(role))
    refused = readers("grant", role, "plant-a")
    assert (refused.returncode, told in refused.stderr) == (1, True)


@pytest.mark.parametrize("arguments", [("bi_nobody", "plant-a"), ('x"; DROP', "plant-a"), ("bi_nobody", "*")])
async def test_what_names_no_role_or_tenant_is_refused(readers, arguments):
    refused = readers("grant", *arguments)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
