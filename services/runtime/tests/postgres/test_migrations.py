"""Migrating is safe to repeat and to race, and a service waits for the schema it needs."""

import asyncio
import shutil

import asyncpg
import pytest
from millwright_runtime.postgres import schema
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.migrations import Migrations
from runtime_sample.service import MIGRATIONS

SAMPLE = Migrations(MIGRATIONS, "sample")


async def wait_for_sample(url):
    database = await Database.open(url, 1, application="test")
    await schema.wait("sample", schema.newest(MIGRATIONS), database)
    await database.close()


@pytest.fixture(autouse=True)
async def fresh(empty):
    """The database without the schema."""
    owner = await asyncpg.connect(empty.owner)
    await owner.execute("DROP SCHEMA IF EXISTS sample CASCADE")
    yield owner
    await owner.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(schema, "_POLL_SECONDS", 0.01)


async def revision(url):
    connection = await asyncpg.connect(url)
    found = await connection.fetchval("TABLE sample.alembic_version")
    await connection.close()
    return found


async def test_upgrading_twice_is_upgrading_once(empty):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await SAMPLE.upgrade(empty.owner, empty.service)
    assert await revision(empty.service) == "0001"


async def test_of_many_that_upgrade_at_once_one_does_and_all_succeed(empty):
    await asyncio.gather(*(SAMPLE.upgrade(empty.owner, empty.service) for _ in range(5)))
    assert await revision(empty.service) == "0001"


async def test_a_revision_that_fails_leaves_nothing(empty, fresh, tmp_path):
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_half.py").write_text(
        "from millwright_runtime.postgres import migrations\n"
        "revision, down_revision = '0001', None\n"
        "def upgrade():\n"
        "    migrations.execute('CREATE TABLE sample.half (id int); CREATE TABLE sample.half (id int);')\n"
    )
    with pytest.raises(asyncpg.DuplicateTableError):
        await Migrations(tmp_path, "sample").upgrade(empty.owner, empty.service)
    assert await fresh.fetchval("SELECT to_regnamespace('sample')") is None


@pytest.fixture
def later(tmp_path):
    """Gives the sample's migrations with a second revision that runs these statements."""

    def later(statements):
        shutil.copytree(MIGRATIONS, tmp_path, dirs_exist_ok=True)
        (tmp_path / "versions" / "0002_more.py").write_text(
            "from millwright_runtime.postgres import migrations\n"
            "revision, down_revision = '0002', '0001'\n"
            f"def upgrade():\n    migrations.execute({statements!r})\n"
        )
        return Migrations(tmp_path, "sample")

    return later


LENGTHS = """
ALTER TABLE sample.note ADD COLUMN length integer;
UPDATE sample.note SET length = char_length(text);
ALTER TABLE sample.note ALTER COLUMN length SET NOT NULL;
"""


async def test_a_filled_database_is_migrated_with_what_is_in_it(empty, fresh, later):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await fresh.execute("SET millwright.tenant = '*'")
    await fresh.execute(
        "INSERT INTO sample.note SELECT 'plant-' || n % 2, repeat('x', n) FROM generate_series(1, 1000) n"
    )
    await later(LENGTHS).upgrade(empty.owner, empty.service)
    assert await revision(empty.service) == "0002"
    assert await fresh.fetchrow("SELECT count(*), sum(length) FROM sample.note") == (1000, 500_500)


async def test_a_revision_that_a_row_does_not_allow_changes_nothing(empty, fresh, later):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await fresh.execute("SET millwright.tenant = '*'")
    await fresh.execute("INSERT INTO sample.note VALUES ('plant', 'a'), ('plant', 'a')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await later(LENGTHS + "CREATE UNIQUE INDEX ON sample.note (text);").upgrade(empty.owner, empty.service)
    assert await revision(empty.service) == "0001"
    assert await fresh.fetch("SELECT * FROM sample.note") == [("plant", "a")] * 2


async def test_waiting_ends_when_the_schema_is_there(empty):
    waiting = asyncio.create_task(wait_for_sample(empty.service))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await SAMPLE.upgrade(empty.owner, empty.service)
    async with asyncio.timeout(5):
        await waiting


async def test_an_older_schema_is_waited_on(empty, fresh):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await fresh.execute("UPDATE sample.alembic_version SET version_num = '0000'")
    waiting = asyncio.create_task(wait_for_sample(empty.service))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await fresh.execute("UPDATE sample.alembic_version SET version_num = '0001'")
    async with asyncio.timeout(5):
        await waiting


async def test_a_newer_schema_serves_an_older_release(empty, fresh):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await fresh.execute("UPDATE sample.alembic_version SET version_num = '0002'")
    async with asyncio.timeout(5):
        await wait_for_sample(empty.service)


async def test_an_older_release_leaves_a_newer_schema_as_it_is(empty, fresh):
    await SAMPLE.upgrade(empty.owner, empty.service)
    await fresh.execute("UPDATE sample.alembic_version SET version_num = '0002'")
    await SAMPLE.upgrade(empty.owner, empty.service)
    assert await revision(empty.service) == "0002"


async def test_waiting_outlives_a_database_that_is_not_up_yet(own_postgres):
    server, _, service = own_postgres
    await server.stop()
    waiting = asyncio.create_task(wait_for_sample(service))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await server.start()
    async with asyncio.timeout(10):
        await waiting
