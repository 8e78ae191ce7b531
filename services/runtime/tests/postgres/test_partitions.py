"""Partitions are made ahead and dropped when old, by the database's clock, and what is needed stays."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from millwright_runtime.events.log import Event, EventLog
from millwright_runtime.postgres.database import Database
from millwright_runtime.postgres.partitions import AHEAD_DAYS, Partitions

LOG = EventLog("sample")
KEEP = {"event": 30, "reading": 30}
TODAY = datetime.now(UTC).date()
OLD = TODAY - timedelta(days=40)
NEXT = OLD + timedelta(days=1)


def named(day):
    return f"event_{day:%Y%m%d}"


def days(first, last):
    return [TODAY + timedelta(days=number) for number in range(first, last + 1)]


@pytest.fixture
async def owner(urls):
    """The owner of the schema, who may do what no service may; the database is as it was made, afterwards too."""
    connection = await asyncpg.connect(urls.owner, server_settings={"millwright.tenant": "*"})
    yield connection
    await connection.execute("DELETE FROM sample.outbox; DELETE FROM sample.note")
    for name in await partitions(connection):
        if name < named(TODAY - timedelta(days=1)):
            await connection.execute(f"DROP TABLE sample.{name}")
    await connection.execute("SELECT sample.make_partitions(7)")
    await connection.close()


@pytest.fixture
def keeper(database):
    return Partitions(database, "sample", KEEP)


async def partitions(connection, table="event"):
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass"
    return sorted(row[0].removeprefix("sample.") for row in await connection.fetch(query, f"sample.{table}"))


async def make_old(owner, *made):
    """Make partitions of days long past, as they were once made ahead."""
    for day in made:
        await owner.execute(
            f"CREATE TABLE sample.{named(day)} PARTITION OF sample.event FOR VALUES FROM ('{day}') "
            f"TO ('{day + timedelta(days=1)}')"
        )


async def append(database, resource, sequence, day=None):
    event = Event("north", resource, sequence, "progress", "sample.happened.v1", {}, datetime.now(UTC), day=day)
    async with database.transaction("north") as connection:
        await LOG.append(connection, [event])


async def publish_all(owner):
    await owner.execute("DELETE FROM sample.outbox")


async def test_partitions_are_there_from_yesterday_to_a_week_ahead(owner):
    assert await partitions(owner) == [named(day) for day in days(-1, AHEAD_DAYS)]
    assert f"reading_{TODAY:%Y%m}" in await partitions(owner, "reading")


async def test_what_is_missing_is_made_and_made_once(owner, keeper):
    await owner.execute(f"DROP TABLE sample.{named(days(3, 3)[0])}; DROP TABLE sample.{named(TODAY)}")
    assert await keeper.make() == (named(TODAY), named(days(3, 3)[0]))
    assert await keeper.make() == ()


async def test_a_row_of_the_last_moment_of_a_month_is_kept_with_its_month(owner, database):
    async with database.transaction("north") as connection:
        last = datetime(TODAY.year, TODAY.month, 1, tzinfo=UTC)
        await connection.execute("INSERT INTO sample.reading VALUES ('north', $1, 'first')", last)
    assert (
        await owner.fetchval(
            f"SELECT count(*) FROM sample.reading WHERE tableoid = 'sample.reading_{TODAY:%Y%m}'::regclass"
        )
        == 1
    )


async def test_what_is_old_is_dropped_whole_and_the_rest_stays(owner, database, keeper):
    await make_old(owner, OLD, NEXT)
    await append(database, "lines/old", 1, OLD)
    await append(database, "lines/new", 1)
    await publish_all(owner)
    assert (await keeper.run_once()).dropped == (named(OLD), named(NEXT))
    assert await partitions(owner) == [named(day) for day in days(-1, AHEAD_DAYS)]
    async with database.snapshot("north") as connection:
        assert await LOG.after(connection, "lines/old", 0, 10) == []
        assert len(await LOG.after(connection, "lines/new", 0, 10)) == 1


async def test_what_is_not_older_than_the_setting_stays(owner, keeper):
    kept = TODAY - timedelta(days=30)
    await make_old(owner, kept, kept - timedelta(days=1))
    assert (await keeper.run_once()).dropped == (named(kept - timedelta(days=1)),)


async def test_a_table_without_a_setting_is_kept_whole(owner, database):
    await make_old(owner, OLD)
    assert (await Partitions(database, "sample", {}).run_once()).dropped == ()


async def test_a_day_that_is_needed_is_held_back_and_no_other(owner, keeper):
    await make_old(owner, OLD, NEXT)
    await owner.execute("INSERT INTO sample.note VALUES ('north', $1)", f"hold {OLD:%Y%m%d}")
    kept = await keeper.run_once()
    assert (kept.dropped, kept.held) == ((named(NEXT),), (named(OLD),))
    await owner.execute("DELETE FROM sample.note")
    assert (await keeper.run_once()).dropped == (named(OLD),)


async def test_an_event_that_waits_for_nats_is_not_dropped(owner, database, keeper):
    await make_old(owner, OLD)
    await append(database, "lines/waiting", 1, OLD)
    assert (await keeper.run_once()).held == (named(OLD),)
    await publish_all(owner)
    assert (await keeper.run_once()).dropped == (named(OLD),)


async def test_who_needs_a_day_while_the_drop_waits_for_its_lock_is_heard(owner, urls, database, keeper):
    await make_old(owner, OLD)
    await owner.execute("ALTER FUNCTION sample.drop_partition SET lock_timeout = '30s'")
    other = await asyncpg.connect(urls.owner, server_settings={"millwright.tenant": "*"})
    holding = other.transaction()
    await holding.start()
    await other.execute("LOCK TABLE sample.event IN ACCESS SHARE MODE")
    await other.execute("INSERT INTO sample.note VALUES ('north', $1)", f"hold {OLD:%Y%m%d}")
    dropping = asyncio.create_task(keeper.run_once())
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sample.event'::regclass"
    while not await owner.fetchval(waiting):
        assert not dropping.done()
    await holding.commit()
    assert (await dropping).held == (named(OLD),)
    await owner.execute("ALTER FUNCTION sample.drop_partition SET lock_timeout = '200ms'")
    await other.close()


async def test_a_table_in_use_is_not_waited_for(owner, urls, keeper):
    await make_old(owner, OLD)
    other = await asyncpg.connect(urls.owner)
    async with other.transaction():
        await other.execute("LOCK TABLE sample.event IN ACCESS SHARE MODE")
        kept = await keeper.run_once()
        assert (kept.dropped, kept.busy) == ((), ("event",))
    assert (await keeper.run_once()).dropped == (named(OLD),)
    await other.close()


async def test_killed_between_two_partitions_the_next_pass_goes_on(owner, urls, keeper):
    await make_old(owner, OLD, NEXT)
    dying = await asyncpg.connect(urls.service, server_settings={"millwright.tenant": "*"})
    assert (await dying.fetchrow("SELECT * FROM sample.drop_partition('event', 30)"))["name"] == named(OLD)
    unfinished = dying.transaction()
    await unfinished.start()
    await dying.fetch("SELECT * FROM sample.drop_partition('event', 30)")
    backend = dying.get_server_pid()
    dying.terminate()
    while await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", backend):
        pass
    assert (await keeper.run_once()).dropped == (named(NEXT),)


async def test_of_two_replicas_each_partition_is_dropped_by_one(owner, urls):
    old = [OLD - timedelta(days=number) for number in range(6)]
    await make_old(owner, *old)
    pools = [await Database.open(urls.service, 2, application="test") for _ in range(2)]
    passes = await asyncio.gather(*(Partitions(pool, "sample", KEEP).run_once() for pool in pools))
    last = await Partitions(pools[0], "sample", KEEP).run_once()
    assert sorted(name for each in (*passes, last) for name in each.dropped) == sorted(named(day) for day in old)
    for pool in pools:
        await pool.close()


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
async def test_days_are_those_of_utc_whatever_the_session_says(owner, urls, zone):
    await owner.execute(f"DROP TABLE sample.{named(TODAY)}")
    session = await asyncpg.connect(urls.service, server_settings={"timezone": zone})
    await session.fetch("SELECT sample.make_partitions(7)")
    await session.close()
    bound = await owner.fetchval("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = $1", named(TODAY))
    assert bound == f"FOR VALUES FROM ('{TODAY}') TO ('{TODAY + timedelta(days=1)}')"


async def test_a_tenant_reaches_no_rows_of_another_through_a_partition(owner, database):
    await append(database, "lines/private", 1)
    async with database.transaction("south") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM sample.{named(TODAY)}")


async def test_a_grant_on_all_tables_opens_no_partition(owner, urls, database):
    await append(database, "lines/granted", 1)
    await owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA sample TO millwright_workflow")
    async with database.transaction("south") as connection:
        assert await connection.fetch(f"SELECT * FROM sample.{named(TODAY)}") == []
    await owner.execute(f"REVOKE ALL ON sample.{named(TODAY)} FROM millwright_workflow")


async def test_the_service_can_drop_neither_what_is_young_nor_what_is_not_registered(owner, database):
    async with database.transaction("north") as connection:
        assert await connection.fetch("SELECT * FROM sample.drop_partition('event', 0)") == []
        with pytest.raises(asyncpg.NoDataFoundError):
            await connection.fetch("SELECT * FROM sample.drop_partition('note', 1)")
    assert named(TODAY - timedelta(days=1)) in await partitions(owner)


async def test_a_tenants_own_transaction_still_counts_what_other_tenants_need(owner, database):
    await make_old(owner, OLD)
    await owner.execute("INSERT INTO sample.note VALUES ('south', $1)", f"hold {OLD:%Y%m%d}")
    async with database.transaction("north") as connection:
        (row,) = await connection.fetch("SELECT * FROM sample.drop_partition('event', 30)")
        assert not row["is_dropped"]
        assert await connection.fetchval("SELECT current_setting('millwright.tenant')") == "north"
