"""Copies of closed days in columns: they say what the table says, also of what comes late, and go with their days."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from judgment_rig.client import RULESET, given, version
from judgment_samples.documents import weld, weld_rows
from millwright.judgment.v1 import judgment_pb2, judgment_service_pb2, replay_pb2
from millwright_judgment.commands import storing
from millwright_judgment.commands.storing import Group, Item
from millwright_judgment.domain.executions import Execution, Filter, new_id, time_of
from millwright_judgment.domain.replays.replay import Selection
from millwright_judgment.engine.copying import Copied, Copies
from millwright_judgment.engine.versions import Versions
from millwright_judgment.store import column_files, copied_pages, execution_pages
from millwright_judgment.store.bases import Target
from millwright_local.processes import until
from millwright_local.testing.refusals import refused
from millwright_runtime.postgres.database import ALL_TENANTS

STRICT = weld(weld_rows(r_critical={"defect_rate": "> 0.04"}))["decision"]
EVERY_DAY = 60
"""So many executions on each of the days, and today."""
DAYS = (4, 3, 1)
"""How many days ago: two that follow one another, one day without any, yesterday, and today."""
SECOND = 1_000_000_000


def day_before(days):
    return datetime.now(UTC).date() - timedelta(days=days)


def closed_days():
    """Give the days of DAYS that take no more rows: yesterday does until two."""
    closed = [day_before(days) for days in DAYS]
    return closed if datetime.now(UTC).hour >= 2 else closed[:-1]


@pytest.fixture(scope="module")
async def partitions(urls, sql_of_module):
    """Partitions of days that are over, as an installation has them that is older than a test."""
    for days in range(1, 7):
        begin = day_before(days)
        await sql_of_module.execute(
            f"CREATE TABLE IF NOT EXISTS judgment.execution_{begin:%Y%m%d} PARTITION OF judgment.execution "
            f"FOR VALUES FROM ('{begin}') TO ('{begin + timedelta(days=1)}')"
        )


@pytest.fixture(scope="module")
async def sql_of_module(urls):
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


@pytest.fixture
async def line(client, partitions, sql):
    """A weld line that judged on days past and today, by two versions."""
    await client.publish("1.0.0", promote_to="prod")
    await judge(client, EVERY_DAY)
    await client.publish("2.0.0", promote_to="prod", decision=STRICT)
    await judge(client, EVERY_DAY)
    rows = [Execution(*row) for row in await sql.fetch(f"{SELECT} WHERE tenant = $1", client.tenant)]
    assert len(rows) == 2 * EVERY_DAY
    for days in DAYS:
        begin = datetime.combine(day_before(days), datetime.min.time(), UTC)
        moved = [at(row, begin + timedelta(minutes=7 * place)) for place, row in enumerate(rows)]
        await sql.copy_records_to_table(
            "execution", schema_name="judgment", records=moved, columns=list(Execution._fields)
        )
    return client


SELECT = f"SELECT {', '.join(Execution._fields)} FROM judgment.execution"


def at(row, instant):
    """Give an execution as if it had been judged at another time."""
    execution = new_id(int(instant.timestamp() * SECOND))
    return row._replace(execution=execution, judge_time=time_of(execution))


async def judge(client, count):
    inputs = [
        judgment_service_pb2.BatchInput(
            input=given(defect_rate=number / 1000, product="gear" if number % 7 else "widget"),
            segment=judgment_pb2.Segment(line=f"L{number % 3}", unit=f"lot-{number // 10}" if number % 2 else ""),
        )
        for number in range(count)
    ]
    await client.JudgeBatch(ruleset=RULESET, inputs=inputs)


@pytest.fixture
def copies(service):
    return Copies(service.platform.database, Versions(service.platform.database), keep_days=730)


async def pages(read, service, tenant, selection, limit=32_768):
    """Read everything page by page, as (execution, version, rule, line) each."""
    found, after = [], ""
    while True:
        async with service.platform.database.snapshot(tenant) as connection:
            page = await read.page(connection, selection, after, limit)
        if page is None:
            return found
        for row in range(page.rows):
            rule, line = (
                column.texts[column.codes[row]] if column.codes[row] >= 0 else None
                for column in (page.recorded.rule, page.segments["line"])
            )
            values = {name: value for name, value in page.inputs.at(row).items() if value is not None}
            found.append((str(page.execution(row)), int(page.versions[row]), rule, line, str(sorted(values.items()))))
        after = found[-1][0]


async def files(sql, tenant):
    return [
        row["day"]
        for row in await sql.fetch("SELECT day FROM judgment.column_file WHERE tenant = $1 ORDER BY day", tenant)
    ]


NOON = datetime.combine(day_before(4), datetime.min.time(), UTC) + timedelta(hours=6)
FILTERS = [
    {},
    {"version": 2},
    {"line": "L1"},
    {"unit": "lot-3"},
    {"winning_rule": "r-critical"},
    {"outcomes": ["warning", "INDETERMINATE"]},
    {"outcomes": ["NO_MATCH"]},
    {"from_time": NOON},
    {"to_time": NOON},
    {"from_time": NOON, "to_time": NOON + timedelta(days=2)},
    {"from_time": NOON + timedelta(days=2), "line": "L0"},
    {"product": "no such"},
]


@pytest.mark.parametrize("limit", [7, 50, 32_768])
@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_copies_say_what_the_table_says(line, service, copies, wanted, limit):
    selection = Selection(filter=Filter(ruleset="line.weld", **wanted))
    expected = await pages(execution_pages, service, line.tenant, selection)
    closed = closed_days()
    copied = await copies.run_once()
    assert copied.executions >= len(closed) * 2 * EVERY_DAY
    assert await pages(copied_pages, service, line.tenant, selection, limit) == expected


async def test_a_day_is_copied_once_and_only_when_it_is_over(line, copies, sql):
    await copies.run_once()
    assert await files(sql, line.tenant) == closed_days()
    assert await copies.run_once() == Copied()


async def test_a_replay_says_the_same_from_copies(line, copies):
    before = await report(line)
    await copies.run_once()
    after = await report(line)
    assert before.selected == after.selected == (len(DAYS) + 1) * 2 * EVERY_DAY
    assert after.targets == before.targets


async def report(client):
    selection = replay_pb2.Selection(filter=judgment_service_pb2.ExecutionFilter(ruleset=RULESET))
    target = replay_pb2.Target(version=f"{RULESET}/versions/2")
    replay = (await client.CreateReplay(selection=selection, targets=[target])).replay
    async for _ in client.WatchReplay(name=replay.name, deadline=60):
        pass
    return (await client.GetReplayReport(name=replay.name)).report


async def late(sql, tenant, days):
    """Give a judgment of a day that is over, which is stored only now."""
    row = Execution(*await sql.fetchrow(f"{SELECT} WHERE tenant = $1 LIMIT 1", tenant))
    return at(row, datetime.combine(day_before(days), datetime.min.time(), UTC) + timedelta(hours=23))


async def store(connection, row):
    target = Target(row.tenant, row.ruleset, "", 0)
    group = Group(target, None, [Item(row)], is_answered=True)
    await storing.store(connection, [group], is_repeated=False)


async def test_a_judgment_that_is_stored_late_is_missing_nowhere(line, service, copies, sql):
    await copies.run_once()
    row = await late(sql, line.tenant, days=3)
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        await store(connection, row)
    assert day_before(3) not in await files(sql, line.tenant)
    selection = Selection(filter=Filter(ruleset="line.weld"))
    found = await pages(copied_pages, service, line.tenant, selection, 50)
    assert str(row.execution) in [execution for execution, *_ in found]
    assert (await copies.run_once()).executions == 2 * EVERY_DAY + 1
    assert await pages(copied_pages, service, line.tenant, selection, 50) == found


async def test_a_judgment_that_is_stored_while_its_day_is_copied_is_missing_nowhere(line, service, copies, sql):
    row = await late(sql, line.tenant, days=4)
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        await store(connection, row)
        copying = asyncio.create_task(copies.run_once())
        await until(lambda: waits_for_a_lock(sql), 30)
    await copying
    assert day_before(4) not in await files(sql, line.tenant)
    await copies.run_once()
    selection = Selection(filter=Filter(ruleset="line.weld"))
    found = await pages(copied_pages, service, line.tenant, selection)
    assert day_before(4) in await files(sql, line.tenant)
    assert found == await pages(execution_pages, service, line.tenant, selection)
    assert str(row.execution) in [execution for execution, *_ in found]


async def waits_for_a_lock(sql):
    return await sql.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")


async def test_a_copier_that_ends_in_the_middle_leaves_nothing(line, service, copies, sql):
    async with service.platform.database.transaction(ALL_TENANTS) as connection:
        await store(connection, await late(sql, line.tenant, days=4))
        copying = asyncio.create_task(copies.run_once())
        await until(lambda: waits_for_a_lock(sql), 30)
        copying.cancel()
        await asyncio.wait([copying])
    assert day_before(4) not in await files(sql, line.tenant)
    assert (await copies.run_once()).executions > 0
    assert day_before(4) in await files(sql, line.tenant)


SHORT = "SET LOCAL transaction_timeout = 0; SET LOCAL transaction_timeout = 300"


async def test_a_day_may_take_longer_to_copy_than_other_transactions(line, service):
    async with service.platform.database.transaction(line.tenant) as connection:
        await connection.execute(SHORT)
        assert await column_files.take_turn(connection, line.tenant, "line.weld", day_before(4))
        assert await connection.fetchval("SELECT 'it goes on' FROM pg_sleep(0.6)") == "it goes on"


TOO_LONG = f"EXECUTE '{SHORT}'; PERFORM pg_sleep(20)"
CUT_OFF = "PERFORM pg_terminate_backend(pg_backend_pid())"


@pytest.mark.parametrize("fault", [TOO_LONG, CUT_OFF], ids=["too long", "cut off"])
async def test_a_day_that_loses_its_connection_holds_up_no_other(line, copies, sql, fault):
    *older, newest = closed_days()
    await sql.execute(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {fault}; RETURN NEW; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON judgment.column_file FOR EACH ROW
        WHEN (NEW.tenant = '{line.tenant}' AND NEW.day = '{newest}') EXECUTE FUNCTION fail();
    """)
    try:
        await copies.run_once()
    finally:
        await sql.execute("DROP TRIGGER fail ON judgment.column_file; DROP FUNCTION fail")
    assert await files(sql, line.tenant) == older
    await copies.run_once()
    assert await files(sql, line.tenant) == [*older, newest]


async def test_a_damaged_copy_is_not_read(line, service, copies, sql):
    await copies.run_once()
    selection = Selection(filter=Filter(ruleset="line.weld"))
    expected = await pages(execution_pages, service, line.tenant, selection)
    statement = (
        "UPDATE judgment.column_file SET content = set_byte(content, 99, 255 - get_byte(content, 99)) WHERE tenant = $1"
    )
    await sql.execute(statement, line.tenant)
    assert await pages(copied_pages, service, line.tenant, selection, 50) == expected


async def test_copies_go_when_their_executions_go(line, service, copies, sql):
    await copies.run_once()
    short = Copies(service.platform.database, Versions(service.platform.database), keep_days=2)
    assert (await short.run_once()).expired >= 2
    assert set(await files(sql, line.tenant)) <= {day_before(1)}


async def test_two_copiers_write_a_day_once(line, service, sql):
    both = [Copies(service.platform.database, Versions(service.platform.database), keep_days=730) for _ in range(2)]
    done = await asyncio.gather(*(each.run_once() for each in both))
    days = await files(sql, line.tenant)
    assert len(days) == len(set(days))
    assert sum(each.executions for each in done) >= len(days) * 2 * EVERY_DAY


async def test_what_was_dropped_with_its_day_cannot_be_replayed(line, sql):
    """One execution by its name is not there; a range of time holds what is left. It is last: no other has that day."""
    day = day_before(DAYS[0])
    found = await sql.fetchval(
        "SELECT execution FROM judgment.execution WHERE tenant = $1 AND judge_time::date = $2 LIMIT 1", line.tenant, day
    )
    newest = (await line.ListExecutions(page_size=1)).executions[0].name
    await sql.execute(f"DROP TABLE judgment.execution_{day:%Y%m%d}")
    gone, target = f"executions/{found}", replay_pb2.Target(version=version(2))
    named = replay_pb2.Selection(executions=replay_pb2.ExecutionNames(names=[newest, gone]))
    for call in (
        line.ReplayExecution(execution=gone, targets=[target]),
        line.CreateReplay(selection=named, targets=[target]),
    ):
        assert (await refused(call)).kind == ("NOT_FOUND", "EXECUTION_NOT_FOUND")
    filters = [
        judgment_service_pb2.ExecutionFilter(ruleset=RULESET),
        judgment_service_pb2.ExecutionFilter(ruleset=RULESET, to_time=datetime.combine(day, datetime.max.time(), UTC)),
    ]
    whole, before = [replay_pb2.Selection(filter=wanted) for wanted in filters]
    counted = (await line.CreateReplay(selection=whole, targets=[target], validate_only=True)).replay
    assert counted.progress.total == 2 * EVERY_DAY * len(DAYS)
    refusal = await refused(line.CreateReplay(selection=before, targets=[target]))
    assert refusal.kind == ("FAILED_PRECONDITION", "NOTHING_SELECTED")
