"""Runs over the API: what is due, what is asked for, backfills, history, and what a run leaves behind."""

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from etl_rig.client import DAY, ORDER, SEOUL, record
from millwright.etl.v1 import run_pb2
from millwright_local.processes import until
from millwright_local.testing.refusals import refused

DAY_AFTER = DAY + timedelta(days=1)


def noon(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=SEOUL)


def yesterday():
    """The last business day that is over, by the calendar that plants have unless they say otherwise."""
    return (datetime.now(SEOUL) - timedelta(hours=6)).date() - timedelta(days=1)


@pytest.fixture
def facts(sql, client):
    """Read the pieces of the client's tenant by day and line."""

    async def read():
        rows = await sql.fetch(
            "SELECT date, line, total_qty FROM bi.fact_daily_production WHERE tenant = $1", client.tenant
        )
        return {(row["date"], row["line"]): int(row["total_qty"]) for row in rows}

    return read


async def due(client, **fields):
    """Run what is due to its end; give the run, and why each day was in it."""
    answer = await client.RunPipeline(**fields)
    return await client.ended(answer.run.name), {window.date: window.cause for window in answer.windows}


async def test_a_day_with_rows_becomes_facts_and_the_run_tells_what_was_counted(client, facts):
    await client.land(record(), record(external_id="2"), record({**ORDER, "total_qty": "12,5"}, "bad"))
    run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
    assert (run.state, run.error) == (run_pb2.Run.STATE_COMPLETED, "")
    assert await facts() == {(DAY, "L1"): 200}
    counts = run.counts
    assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (3, 2, 1)
    assert (counts.facts_inserted, counts.total_qty, counts.fact_total_qty) == (1, 200, 200)
    assert (run.kind, run.from_date, run.to_date) == (run_pb2.Run.KIND_ASKED, str(DAY), str(DAY))
    assert (run.code_version, len(run.sql_hash), run.requester) == ("0.1.0", 64, "local")
    assert run.create_time.ToDatetime() <= run.start_time.ToDatetime() <= run.end_time.ToDatetime()
    [window] = (await client.ListWindows(run=run.name)).windows
    assert (window.name, window.cause) == (f"{run.name}/windows/{DAY}", "asked")
    assert (window.state, window.attempts, window.counts) == (run_pb2.Window.STATE_PUBLISHED, 1, counts)


async def test_due_are_yesterday_and_the_days_with_rows_that_have_no_facts(client, facts):
    await client.land(record())
    run, causes = await due(client)
    assert causes == {str(DAY): "missing", str(yesterday()): "yesterday"}
    assert run.state == run_pb2.Run.STATE_COMPLETED
    assert await facts() == {(DAY, "L1"): 100}


async def test_a_second_run_of_what_is_due_has_nothing_to_do(client):
    await client.land(record())
    await due(client)
    again, causes = await due(client)
    assert causes == {}
    assert (again.state, again.progress.windows_total, again.progress.percent) == (run_pb2.Run.STATE_COMPLETED, 0, 100)


async def test_a_late_row_makes_its_day_due_again_and_changes_its_facts(client, facts):
    await client.land(record())
    await due(client)
    await client.land(record(external_id="late"))
    run, causes = await due(client)
    assert causes == {str(DAY): "dirty"}
    assert (run.counts.facts_updated, await facts()) == (1, {(DAY, "L1"): 200})


async def test_rows_of_today_are_not_due_before_the_day_is_over(client):
    today = yesterday() + timedelta(days=1)
    await client.land(record(event_time=datetime.now(UTC)))
    _, causes = await due(client)
    assert str(today) not in causes


async def test_a_run_of_unchanged_days_writes_nothing(client):
    await client.land(record())
    await due(client)
    run, _ = await due(client, dates=[str(DAY)])
    counts = run.counts
    assert (counts.facts_inserted, counts.facts_updated, counts.facts_deleted, counts.facts_unchanged) == (0, 0, 0, 1)


async def test_two_runs_of_one_day_at_once_leave_the_facts_of_one(client, facts):
    await client.land(*(record(external_id=str(number)) for number in range(50)))
    answers = await asyncio.gather(*(client.RunPipeline(dates=[str(DAY)]) for _ in range(4)))
    runs = [await client.ended(answer.run.name) for answer in answers]
    assert {run.state for run in runs} == {run_pb2.Run.STATE_COMPLETED}
    assert sum(run.counts.facts_inserted for run in runs) == 1
    assert await facts() == {(DAY, "L1"): 5000}


async def test_what_is_due_and_asked_for_twice_at_once_is_in_one_run(client):
    await client.land(record())
    answers = await asyncio.gather(*(client.RunPipeline() for _ in range(3)))
    dates = [window.date for answer in answers for window in answer.windows]
    for answer in answers:
        await client.ended(answer.run.name)
    assert sorted(set(dates)) == sorted([str(DAY), str(yesterday())])


async def test_a_row_that_comes_while_its_day_is_made_is_in_the_next_run(client, sql, facts):
    await client.land(record())
    await due(client)
    await client.land(record(external_id="late"))
    async with sql.transaction():
        await sql.execute("SELECT FROM etl.day WHERE tenant = $1 AND date = $2 FOR UPDATE", client.tenant, DAY)
        first = await client.RunPipeline()

        async def is_to_be_published():
            return await sql.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")

        await until(is_to_be_published, 30)
        unchanged = await client.RunPipeline()
        await client.land(record(external_id="later"))
        second = await client.RunPipeline()
    runs = [await client.ended(answer.run.name) for answer in (first, second)]
    assert {run.state for run in runs} == {run_pb2.Run.STATE_COMPLETED}
    assert [[window.date for window in answer.windows] for answer in (first, unchanged, second)] == [
        [str(DAY)],
        [],
        [str(DAY)],
    ]
    assert await facts() == {(DAY, "L1"): 300}


async def test_a_preview_lists_the_windows_and_runs_nothing(client, facts):
    await client.land(record())
    preview = await client.RunPipeline(validate_only=True)
    assert (preview.run.name, preview.run.progress.windows_total) == ("", 2)
    assert [(window.date, window.cause) for window in preview.windows] == [
        (str(DAY), "missing"),
        (str(yesterday()), "yesterday"),
    ]
    assert (await client.ListRuns()).runs == []
    assert await facts() == {}


async def test_the_same_request_id_gives_the_first_run_again(client):
    request_id = str(uuid.uuid4())
    first = await client.RunPipeline(dates=[str(DAY)], request_id=request_id)
    again = await client.RunPipeline(dates=[str(DAY)], request_id=request_id)
    assert (again.replayed, again.run.name) == (True, first.run.name)
    refusal = await refused(client.RunPipeline(dates=[str(DAY_AFTER)], request_id=request_id))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")


TOMORROW = str(date.today() + timedelta(days=2))  # noqa: DTZ011 - ahead in every time zone


@pytest.mark.parametrize(
    ("dates", "faults"),
    [
        (["yesterday"], [("dates[0]", "NOT_A_DATE")]),
        ([str(DAY), "2199-01-01"], [("dates[1]", "OUT_OF_RANGE")]),
        ([TOMORROW, "1989-12-31"], [("dates[0]", "OUT_OF_RANGE"), ("dates[1]", "OUT_OF_RANGE")]),
        ([str(DAY)] * 401, [("dates", "TOO_MANY")]),
    ],
)
async def test_days_that_cannot_be_run_are_refused(client, dates, faults):
    assert (await refused(client.RunPipeline(dates=dates))).faults == faults


async def test_a_pipeline_that_there_is_not_is_refused(client):
    for call in (client.RunPipeline(pipeline="x"), client.Backfill(pipeline="x")):
        assert (await refused(call)).kind == ("NOT_FOUND", "PIPELINE_NOT_FOUND")


async def backfill(client, **fields):
    """Backfill the days from DAY on, and give the days that were in it, once they are done."""
    wish = {"from_date": str(DAY), "to_date": str(DAY + timedelta(days=3)), **fields}
    answer = await client.Backfill(**wish)
    await client.ended(answer.run.name)
    return [(window.date[-2:], window.cause) for window in answer.windows]


async def test_a_backfill_redoes_the_days_that_it_is_asked_to(client, sql):
    await due(client, dates=[str(DAY)])
    assert await backfill(client) == [("15", "missing"), ("16", "missing"), ("17", "missing")]
    await client.land(record(event_time=noon(DAY_AFTER)))
    await sql.execute("UPDATE etl.day SET state = 'FAILED' WHERE tenant = $1 AND date = $2", client.tenant, DAY)
    assert await backfill(client, redo="REDO_MISSING") == []
    await sql.execute("UPDATE etl.day SET state = 'FAILED' WHERE tenant = $1 AND date = $2", client.tenant, DAY)
    assert await backfill(client, redo="REDO_DIRTY") == [("14", "failed"), ("15", "dirty")]
    assert [day for day, _ in await backfill(client, redo="REDO_ALL", newest_first=True)] == ["17", "16", "15", "14"]


async def test_a_backfill_of_a_hundred_years_is_refused_and_says_how_many_days_there_are(client):
    refusal = await refused(client.Backfill(from_date="1925-11-14", to_date=str(DAY)))
    assert ("to_date", "RANGE_TOO_LONG") in refusal.faults
    assert "36,526" in refusal.message


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"from_date": "", "to_date": str(DAY)}, ("from_date", "NOT_A_DATE")),
        ({"from_date": str(DAY), "to_date": str(DAY - timedelta(days=1))}, ("to_date", "OUT_OF_RANGE")),
        ({"from_date": str(DAY), "to_date": "2199-01-01"}, ("to_date", "OUT_OF_RANGE")),
        ({"from_date": str(DAY), "to_date": str(DAY), "parallel": 17}, ("parallel", "OUT_OF_RANGE")),
        ({"from_date": str(DAY), "to_date": str(DAY), "parallel": -1}, ("parallel", "OUT_OF_RANGE")),
        ({"from_date": str(DAY), "to_date": str(DAY), "redo": 9}, ("redo", "UNKNOWN_VALUE")),
    ],
)
async def test_a_range_that_cannot_be_run_is_refused(client, fields, fault):
    assert fault in (await refused(client.Backfill(**fields))).faults


async def test_a_backfill_can_be_looked_at_first(client):
    preview = await client.Backfill(from_date="2016-11-14", to_date=str(DAY), validate_only=True)
    assert (preview.run.name, preview.windows_total, len(preview.windows)) == ("", 3288, 400)
    assert (await client.ListRuns()).runs == []


async def test_a_cancelled_run_begins_no_more_windows(client):
    name = (await client.Backfill(from_date=str(DAY - timedelta(days=400)), to_date=str(DAY))).run.name
    cancelled = (await client.CancelRun(name=name)).run
    run = await client.ended(name)
    assert run.state == run_pb2.Run.STATE_CANCELLED
    assert run.progress.windows_done < 401
    states = {window.state for window in (await client.ListWindows(run=name, page_size=500)).windows}
    assert run_pb2.Window.STATE_CANCELLED in states
    assert states <= {run_pb2.Window.STATE_CANCELLED, run_pb2.Window.STATE_PUBLISHED}
    again = (await client.CancelRun(name=name)).run
    assert (again.state, again.end_time) == (run.state, run.end_time)
    assert cancelled.name == name


async def test_cancelling_what_has_ended_changes_nothing(client):
    ended, _ = await due(client, dates=[str(DAY)])
    assert (await client.CancelRun(name=ended.name)).run == ended


async def test_runs_are_listed_newest_first_page_by_page(client):
    made = [(await due(client, dates=[str(DAY)]))[0].name for _ in range(5)]
    found, token = [], ""
    while True:
        page = await client.ListRuns(page_size=2, page_token=token)
        found += [run.name for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    assert found == made[::-1]
    assert len((await client.ListRuns(state="STATE_COMPLETED")).runs) == 5
    assert (await client.ListRuns(state="STATE_FAILED")).runs == []
    page = await client.ListRuns(page_size=2)
    mismatch = await refused(client.ListRuns(state="STATE_FAILED", page_token=page.next_page_token))
    assert mismatch.kind == ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH")


async def test_windows_are_listed_by_day_page_by_page(client):
    answer = await client.Backfill(from_date=str(DAY), to_date=str(DAY + timedelta(days=4)), newest_first=True)
    await client.ended(answer.run.name)
    first = await client.ListWindows(run=answer.run.name, page_size=3)
    second = await client.ListWindows(run=answer.run.name, page_size=3, page_token=first.next_page_token)
    dates = [window.date for page in (first, second) for window in page.windows]
    assert dates == [str(DAY + timedelta(days=number)) for number in range(5)]
    assert second.next_page_token == ""


async def test_a_run_that_there_is_not_is_not_found_by_a_stranger_either(client, stranger):
    theirs = (await client.RunPipeline(dates=[str(DAY)])).run.name
    for name in (theirs, f"runs/{uuid.uuid4()}"):
        for call in (stranger.GetRun(name=name), stranger.CancelRun(name=name), stranger.ListWindows(run=name)):
            assert (await refused(call)).kind == ("NOT_FOUND", "RUN_NOT_FOUND")
    assert (await refused(client.GetRun(name="runs/x"))).faults == [("name", "MALFORMED_NAME")]
    assert (await stranger.ListRuns()).runs == []


async def test_a_window_that_does_not_add_up_fails_loudly_and_leaves_the_old_facts(client, sql, facts):
    await client.land(record())
    await due(client, dates=[str(DAY)])
    await sql.execute(_STEAL)
    try:
        await client.land(record(external_id="2"))
        run, _ = await due(client, dates=[str(DAY)])
    finally:
        await sql.execute("DROP TRIGGER steal ON bi.fact_daily_production; DROP FUNCTION bi.steal")
    assert run.state == run_pb2.Run.STATE_FAILED
    assert run.error.startswith("1 of 1 windows are not published")
    [window] = (await client.ListWindows(run=run.name, state="STATE_FAILED")).windows
    assert window.reason == "RECONCILIATION"
    assert "pieces in the rows used, and pieces in the facts: 200 and 199" in window.message
    assert await facts() == {(DAY, "L1"): 100}
    healed, causes = await due(client)
    assert causes[str(DAY)] == "failed"
    assert (healed.state, await facts()) == (run_pb2.Run.STATE_COMPLETED, {(DAY, "L1"): 200})


_STEAL = """
CREATE FUNCTION bi.steal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.total_qty := NEW.total_qty - 1; RETURN NEW; END $$;
CREATE TRIGGER steal BEFORE UPDATE ON bi.fact_daily_production FOR EACH ROW EXECUTE FUNCTION bi.steal()
"""


async def test_a_window_that_a_quality_rule_refuses_keeps_the_old_facts_and_tells_what_was_found(client, sql, facts):
    await client.land(*(record(external_id=str(number)) for number in range(30)))
    await due(client, dates=[str(DAY)])
    await client.land(*(record({**ORDER, "total_qty": "12,5"}, f"bad-{number}") for number in range(25)))
    run, _ = await due(client, dates=[str(DAY)])
    assert (run.state, run.counts.rows_read) == (run_pb2.Run.STATE_FAILED, 0)
    [window] = (await client.ListWindows(run=run.name)).windows
    assert (window.reason, window.counts.rows_read, window.counts.facts_unchanged) == ("QUARANTINE_THRESHOLD", 55, 0)
    assert {result.rule: result.held for result in window.quality}["qualityRules/quarantined-rows"] is False
    assert "25 of 55 rows are quarantined" in window.message
    assert await facts() == {(DAY, "L1"): 3000}
    kept = await sql.fetchval("SELECT count(*) FROM etl.quarantine WHERE tenant = $1 AND state = 'OPEN'", client.tenant)
    assert kept == 25
    preview = await client.RunPipeline(validate_only=True)
    assert {window.date: window.cause for window in preview.windows}[str(DAY)] == "failed"


async def test_yesterday_without_rows_is_in_one_run_alone_while_it_waits(client):
    answers = await asyncio.gather(*(client.RunPipeline() for _ in range(4)))
    planned = [window.date for answer in answers for window in answer.windows]
    runs = [await client.ended(answer.run.name) for answer in answers]
    assert planned.count(str(yesterday())) == 1
    assert {run.state for run in runs} == {run_pb2.Run.STATE_COMPLETED}
