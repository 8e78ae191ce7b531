"""A transaction is its tenant's, whole, and leaves its connection as it found it."""

import asyncio

import asyncpg
import pytest
from millwright_local.processes import until
from millwright_runtime.errors import NotFound, Unavailable
from millwright_runtime.postgres.database import (
    ALL_TENANTS,
    Database,
    DatabaseUnavailable,
    RoleTooPowerful,
    is_away,
    is_connection_loss,
)

NOTE = "INSERT INTO sample.note VALUES ($1, $2)"
LOCK = "SELECT pg_advisory_xact_lock(7)"
TEXTS = "SELECT text FROM sample.note"
# Parse of a nameless statement, and Flush: Bind, Execute and Sync would come next.
HALF_A_QUESTION = b"P\0\0\0\x10\0SELECT 1\0\0\0H\0\0\0\x04"
WAITS_FOR = "SELECT wait_event FROM pg_stat_activity WHERE pid = $1"


async def texts(database, tenant):
    async with database.transaction(tenant) as connection:
        return {row["text"] for row in await connection.fetch(TEXTS)}


@pytest.fixture(autouse=True)
async def notes(database):
    """One note of each of two tenants."""
    async with database.transaction(ALL_TENANTS) as connection:
        await connection.execute("DELETE FROM sample.note")
        await connection.executemany(NOTE, [("north", "from north"), ("south", "from south")])


async def test_a_tenant_reads_its_own_rows_alone(database):
    assert await texts(database, "north") == {"from north"}


async def test_a_tenant_cannot_write_a_row_of_another(database):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction("north") as connection:
            await connection.execute(NOTE, "south", "forged")


async def test_a_tenant_cannot_hand_its_row_to_another(database):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction("north") as connection:
            await connection.execute("UPDATE sample.note SET tenant = 'south'")


async def test_a_tenant_cannot_change_or_delete_a_row_of_another(database):
    async with database.transaction("north") as connection:
        await connection.execute("UPDATE sample.note SET text = 'changed' WHERE tenant = 'south'")
        await connection.execute("DELETE FROM sample.note WHERE tenant = 'south'")
    assert await texts(database, "south") == {"from south"}


async def test_a_statement_that_reads_asks_for_its_tenant_once_and_not_for_each_row(database):
    async with database.transaction("north") as connection:
        plan = [line for (line,) in await connection.fetch(f"EXPLAIN (VERBOSE) {TEXTS}")]
    (held,) = (line for line in plan if "Filter" in line)
    assert "tenant" in held
    assert "current_setting" not in held
    assert any("InitPlan" in line for line in plan)


async def test_without_a_tenant_nothing_is_seen(urls):
    connection = await asyncpg.connect(urls.service)
    assert await connection.fetch(TEXTS) == []
    await connection.close()


async def test_even_the_owner_of_the_table_is_held(urls):
    connection = await asyncpg.connect(urls.owner)
    assert await connection.fetch(TEXTS) == []
    await connection.close()


async def test_background_work_sees_every_tenant(database):
    assert await texts(database, ALL_TENANTS) == {"from north", "from south"}


@pytest.mark.parametrize("tenant", ["", "North", "a b", "n'; DROP TABLE sample.note; --", "x" * 64, "north\n"])
async def test_what_no_token_can_hold_is_no_tenant(database, tenant):
    with pytest.raises(ValueError, match="not a tenant"):
        async with database.transaction(tenant):
            pass


@pytest.fixture
async def single(urls):
    """A pool of one connection: what one use leaves behind, the next one gets."""
    pool = await Database.open(urls.service, 1, application="test")
    yield pool
    await pool.close()


async def settled(pool):
    """Give the backend and the tenant of the pool's connection outside of a transaction."""
    async with pool._pool.acquire() as connection:
        return await connection.fetchrow(
            "SELECT pg_backend_pid() AS backend, coalesce(current_setting('millwright.tenant', true), '') AS tenant"
        )


async def test_a_tenant_does_not_outlive_its_transaction(single):
    before = await settled(single)
    await texts(single, "north")
    after = await settled(single)
    assert after["backend"] == before["backend"]
    assert after["tenant"] == ""


async def test_a_call_belongs_to_no_tenant(database):
    assert await database.call(TEXTS) == []


async def test_what_a_called_function_sets_does_not_outlive_the_call(single):
    before = await settled(single)
    (row,) = await single.call("SELECT set_config('millwright.tenant', $1, true) AS tenant", "north")
    assert row["tenant"] == "north"
    assert await settled(single) == before
    assert await single.call(TEXTS) == []


async def test_a_call_that_is_refused_leaves_its_connection_as_it_was(single):
    before = await settled(single)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await single.call("SELECT 1 / $1::int", 0)
    assert await settled(single) == before


async def test_an_exception_undoes_everything_and_the_connection_goes_on(single):
    before = await settled(single)

    async def write_and_fail():
        async with single.transaction("north") as connection:
            await connection.execute(NOTE, "north", "undone")
            raise LookupError

    with pytest.raises(LookupError):
        await write_and_fail()
    assert await texts(single, "north") == {"from north"}
    assert await settled(single) == before


async def test_a_failed_statement_undoes_everything_and_the_connection_goes_on(single):
    before = await settled(single)

    async def write_and_fail():
        async with single.transaction("north") as connection:
            await connection.execute(NOTE, "north", "undone")
            await connection.execute("SELECT * FROM sample.nothing")

    with pytest.raises(asyncpg.UndefinedTableError):
        await write_and_fail()
    assert await texts(single, "north") == {"from north"}
    assert await settled(single) == before


async def test_cancelling_in_the_middle_of_a_statement_undoes_everything(single, database):
    """Postgres forgets a cancellation that overtakes its statement, so the statement is seen to run first."""
    before = await settled(single)

    async def write_and_wait():
        async with single.transaction("north") as connection:
            await connection.execute(NOTE, "north", "undone")
            await connection.execute("SELECT pg_sleep(30)")

    async def is_sleeping():
        async with database.transaction(ALL_TENANTS) as connection:
            return await connection.fetchval(WAITS_FOR, before["backend"]) == "PgSleep"

    task = asyncio.create_task(write_and_wait())
    await until(is_sleeping, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await texts(single, "north") == {"from north"}
    assert await settled(single) == before


async def test_a_second_cancellation_while_rolling_back_gives_the_connection_up_and_nothing_stays(single):
    async def write_and_wait():
        async with single.transaction("north") as connection:
            await connection.execute(NOTE, "north", "undone")
            sleeping.set()
            await connection.execute("SELECT pg_sleep(30)")

    sleeping = asyncio.Event()
    task = asyncio.create_task(write_and_wait())
    await sleeping.wait()
    task.cancel()
    await asyncio.sleep(0)  # let the first cancellation arrive
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await texts(single, "north") == {"from north"}


async def test_a_snapshot_is_one_state(database):
    async with database.snapshot("north") as reading:
        first = await reading.fetch(TEXTS)
        async with database.transaction("north") as writing:
            await writing.execute(NOTE, "north", "later")
        assert await reading.fetch(TEXTS) == first


async def test_a_snapshot_writes_nothing(database):
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.snapshot("north") as connection:
            await connection.execute(NOTE, "north", "written")


async def test_a_pool_is_as_late_as_whoever_waits_the_longest_for_a_connection(single):
    assert single.late_seconds == 0.0
    async with single.transaction("north"):
        first = asyncio.create_task(single.call("SELECT 1"))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(single.call("SELECT 1"))
        await asyncio.sleep(0)
        assert single.late_seconds >= 0.2
        first.cancel()
        await asyncio.wait({first})
        assert single.late_seconds < 0.2
    await second
    assert single.late_seconds == 0.0


async def test_a_pool_whose_connections_are_all_busy_is_not_away(single):
    async with single.transaction("north"):
        await single.ping()


@pytest.fixture
async def powers(postgres, urls):
    """Roles that must not serve, each for its own reason."""
    name = urls.service.partition("@/")[2].partition("?")[0]
    owner = urls.owner.partition("//")[2].partition("@")[0]
    roles = {
        "strong": "SUPERUSER",
        "passing": "BYPASSRLS",
        "climbing": f'IN ROLE "{owner}" NOINHERIT',
    }
    async with postgres.connect(name) as connection:
        for role, power in roles.items():
            await connection.execute(f"CREATE ROLE test_{role} LOGIN {power}")
            await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO test_{role}")
    yield {role: postgres.url(name, f"test_{role}") for role in roles} | {"owning": urls.owner}
    async with postgres.connect(name) as connection:
        for role in roles:
            await connection.execute(f"DROP OWNED BY test_{role}; DROP ROLE test_{role}")


@pytest.mark.parametrize(
    ("role", "fault"),
    [
        ("strong", "is a superuser"),
        ("passing", "passes row-level security"),
        ("owning", "owns the schema sample or tables in it"),
        ("climbing", "owns the schema sample or tables in it"),
    ],
)
async def test_a_role_that_reaches_past_row_level_security_may_not_serve(powers, role, fault):
    database = await Database.open(powers[role], 1, application="test")
    with pytest.raises(RoleTooPowerful, match=fault):
        await database.check_role("sample")
    await database.close()


async def test_the_service_role_may_serve(database):
    await database.check_role("sample")


async def test_a_database_that_is_away_is_unavailable_and_comes_back(own_postgres):
    database = await Database.open(own_postgres.service, 2, application="test")
    assert await texts(database, "north") == set()
    await own_postgres.server.stop()
    with pytest.raises(DatabaseUnavailable):
        await texts(database, "north")
    await own_postgres.server.start()
    assert await texts(database, "north") == set()
    await database.close()


async def test_losing_the_database_in_the_middle_of_a_transaction_is_a_connection_loss(own_postgres):
    database = await Database.open(own_postgres.service, 2, application="test")

    async def write_and_lose():
        async with database.transaction("north") as connection:
            await connection.execute(NOTE, "north", "undone")
            await own_postgres.server.kill()
            await connection.execute(NOTE, "north", "undone, too")

    with pytest.raises(Exception) as caught:
        await write_and_lose()
    assert is_connection_loss(caught.value)
    await own_postgres.server.start()
    assert await texts(database, "north") == set()
    await database.close()


async def test_a_transaction_on_a_frozen_database_can_be_given_up(own_postgres, monkeypatch):
    monkeypatch.setattr("millwright_runtime.postgres.database._ROLLBACK_SECONDS", 0.2)
    database = await Database.open(own_postgres.service, 1, application="test")

    async def write_and_wait():
        async with database.transaction("north") as connection:
            own_postgres.server.freeze()
            await connection.execute(NOTE, "north", "undone")

    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await write_and_wait()
    finally:
        own_postgres.server.thaw()
    assert await texts(database, "north") == set()
    await database.close()


async def test_a_ping_of_a_frozen_database_ends(own_postgres, monkeypatch):
    database = await Database.open(own_postgres.service, 2, application="test")
    await database.ping()
    monkeypatch.setattr("millwright_runtime.postgres.database._PING_SECONDS", 0.2)
    monkeypatch.setattr("millwright_runtime.postgres.database._ROLLBACK_SECONDS", 0.2)
    own_postgres.server.freeze()
    try:
        with pytest.raises(TimeoutError):
            await database.ping()
    finally:
        own_postgres.server.thaw()
        await database.close()


@pytest.mark.parametrize(
    "error", [asyncpg.DiskFullError, asyncpg.OutOfMemoryError, asyncpg.DeadlockDetectedError, asyncpg.PostgresIOError]
)
def test_a_server_at_its_limits_is_no_fault_of_the_statement(error) -> None:
    assert is_connection_loss(error("could not extend file"))


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError, asyncpg.PostgresSyntaxError, asyncpg.DataError])
def test_a_statement_that_is_wrong_is_no_loss_of_the_connection(error) -> None:
    assert not is_connection_loss(error("duplicate key"))


@pytest.mark.parametrize(
    ("bound", "value", "sent"),
    [("_IDLE_MILLISECONDS", 100, b""), ("_TRANSACTION_SECONDS", 0.5, HALF_A_QUESTION)],
    ids=["idle", "in the middle of asking"],
)
async def test_a_transaction_that_freezes_lets_go_of_its_locks(own_postgres, monkeypatch, bound, value, sent):
    monkeypatch.setattr(f"millwright_runtime.postgres.database.{bound}", value)
    frozen = await Database.open(own_postgres.service, 1, application="test")
    other = await Database.open(own_postgres.service, 1, application="test")

    async def freeze():
        async with frozen.transaction("north") as connection:
            await connection.execute(LOCK)
            await connection.execute(NOTE, "north", "undone")
            connection._transport.write(sent)
            async with other.snapshot("north") as waiting:  # for what the frozen one would keep for ever
                await waiting.execute(LOCK)
            await connection.execute(NOTE, "north", "undone, too")

    with pytest.raises(Exception) as caught:
        await freeze()
    assert is_connection_loss(caught.value)
    assert await texts(other, "north") == set()
    await frozen.close()
    await other.close()


def test_tasks_that_lost_the_connection_together_lost_the_connection():
    losses = ExceptionGroup("tasks", [ConnectionResetError(), ExceptionGroup("tasks", [TimeoutError()])])
    assert is_connection_loss(losses)
    assert not is_connection_loss(ExceptionGroup("tasks", [losses, ValueError()]))


@pytest.mark.parametrize("error", [Unavailable(), ConnectionResetError(), asyncpg.DeadlockDetectedError("two of us")])
def test_what_is_away_may_be_asked_again(error):
    assert is_away(error)
    assert is_away(ExceptionGroup("tasks", [TimeoutError(), error]))


@pytest.mark.parametrize("error", [NotFound(), ValueError(), asyncpg.DataError("no number")])
def test_what_was_asked_wrong_is_not_asked_again(error):
    assert not is_away(error)
    assert not is_away(ExceptionGroup("tasks", [Unavailable(), error]))
