"""Quarantine over the API: what is told of rows, and the way back; nothing is lost, and nothing counts twice."""

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
from etl_rig.client import DAY, NOON, ORDER, record
from google.protobuf import json_format
from millwright.etl.v1 import quarantine_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_etl.domain.quarantine import TRANSITIONS
from millwright_local.testing.refusals import refused

BAD = {**ORDER, "total_qty": "12,5"}
DAY_BEFORE = DAY - timedelta(days=1)
COMPLETED = run_pb2.Run.STATE_COMPLETED


@pytest.fixture
def facts(sql, client):
    """Read the pieces of the client's tenant by day and line."""

    async def read():
        rows = await sql.fetch(
            "SELECT date, line, total_qty FROM bi.fact_daily_production WHERE tenant = $1", client.tenant
        )
        return {(row["date"], row["line"]): int(row["total_qty"]) for row in rows}

    return read


async def made(client, *days):
    """Make days' facts."""
    dates = [str(day) for day in days or (DAY,)]
    run = await client.ended((await client.RunPipeline(dates=dates)).run.name)
    assert run.state == COMPLETED
    return run


async def quarantined(client, state="OPEN", **filters):
    """The quarantined rows by external id."""
    page = await client.ListQuarantinedRecords(state=f"STATE_{state}", **filters)
    return {found.record.external_id: found for found in page.records}


async def redriven(client, *redrives, **fields):
    """Send rows through again, and wait for the run."""
    answer = await client.RedriveRecords(redrives=redrives, **fields)
    return await client.ended(answer.run.name)


async def test_pages_of_large_rows_are_within_what_a_client_reads(client):
    for number in range(6):
        await client.land(record({**BAD, "note": "x" * 900_000}, str(number)))
    await made(client)
    seen, token = [], ""
    while token or not seen:
        answer = await client.ListQuarantinedRecords(page_token=token)
        seen.append([found.record.external_id for found in answer.records])
        token = answer.next_page_token
    assert [len(page) for page in seen] == [4, 2]
    assert sorted(found for page in seen for found in page) == list("012345")


async def test_a_row_is_told_as_it_was_landed_with_everything_that_is_wrong_with_it(client):
    payload = {**BAD, "defect_qty": -1, "shift": "Z"}
    await client.land(record(payload, "7", source_time=NOON))
    run = await made(client)
    (found,) = (await client.ListQuarantinedRecords()).records
    assert json.loads(found.record.payload) == payload
    assert (found.record.source_system, found.record.external_id, found.record.record_type) == ("mes-1", "7", 1)
    assert (found.record.event_time.ToDatetime().hour, found.date, found.run) == (3, str(DAY), run.name)
    assert [(each.code, each.field, each.value) for each in found.reasons] == [
        ("UNKNOWN_SHIFT", "shift", "Z"),
        ("NEGATIVE", "defect_qty", "-1"),
        ("NOT_A_NUMBER", "total_qty", "12,5"),
    ]
    assert found.reasons[0].message == "shift must be one of A, B, C"


async def test_a_row_that_is_corrected_and_redriven_is_in_the_facts_once(client, facts):
    await client.land(record(BAD), record(external_id="good"))
    await made(client)
    (found,) = (await quarantined(client)).values()
    run = await redriven(client, {"name": found.name, "corrections": {"total_qty": 125}}, note="a comma")
    assert (run.state, run.kind, run.from_date) == (COMPLETED, run_pb2.Run.KIND_REDRIVE, str(DAY))
    assert await facts() == {(DAY, "L1"): 225}
    assert await quarantined(client) == {}
    fixed = (await quarantined(client, "FIXED"))["1"]
    assert (fixed.note, fixed.actor) == ("a comma", "local")
    assert json_format.MessageToDict(fixed.corrections) == {"total_qty": 125}
    assert json.loads(fixed.record.payload) == BAD
    await made(client)
    assert await facts() == {(DAY, "L1"): 225}


async def test_a_redrive_sent_twice_is_one_run(client, facts, sql):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    redrives = [{"name": found.name, "corrections": {"total_qty": 125}}]
    asked = {"redrives": redrives, "request_id": str(uuid.uuid4())}
    first, second = await asyncio.gather(client.RedriveRecords(**asked), client.RedriveRecords(**asked))
    assert first.run == second.run
    assert sorted([first.replayed, second.replayed]) == [False, True]
    await client.ended(first.run.name)
    assert (await client.RedriveRecords(**asked)).replayed
    assert await facts() == {(DAY, "L1"): 125}
    runs = await sql.fetchval("SELECT count(*) FROM etl.run WHERE tenant = $1 AND kind = 'REDRIVE'", client.tenant)
    assert runs == 1
    other = {**asked, "redrives": [{"name": found.name}]}
    assert (await refused(client.RedriveRecords(**other))).kind[1] == "REQUEST_ID_REUSED"


async def test_a_row_may_be_redriven_as_it_is_once_a_calendar_knows_its_shift(client, admin_of, facts):
    await client.land(record({**ORDER, "shift": "D"}))
    await made(client)
    (found,) = (await quarantined(client)).values()
    assert (await redriven(client, {"name": found.name})).counts.rows_quarantined == 1
    assert set(await quarantined(client)) == {"1"}
    day = {"code": "D", "start": "06:00", "end": "06:00", "planned_minutes": 1000}
    async with admin_of(client) as admin:
        await admin.SavePlantCalendar(calendar={"time_zone": "Asia/Seoul", "day_start": "06:00", "shifts": [day]})
    await redriven(client, {"name": found.name})
    assert await facts() == {(DAY, "L1"): 100}
    assert await quarantined(client) == {}


async def test_a_correction_can_move_a_row_to_another_day_and_both_are_made_anew(client, facts):
    await client.land(record({**BAD, "business_date": str(DAY)}))
    await made(client, DAY)
    (found,) = (await quarantined(client)).values()
    corrections = {"total_qty": 125, "business_date": str(DAY_BEFORE)}
    run = await redriven(client, {"name": found.name, "corrections": corrections})
    assert (run.from_date, run.to_date) == (str(DAY_BEFORE), str(DAY))
    assert await facts() == {(DAY_BEFORE, "L1"): 125}
    assert set(await quarantined(client, "FIXED")) == {"1"}


async def test_null_takes_a_field_away_and_times_are_looked_at_again(client, facts):
    times = {"start_time": "2025-11-14T10:00:00+09:00", "end_time": "2025-11-14T09:00:00+09:00"}
    await client.land(record({**ORDER, **times, "scrap_qty": "none"}))
    await made(client)
    (found,) = (await quarantined(client)).values()
    assert [each.code for each in found.reasons] == ["END_BEFORE_START", "NOT_A_NUMBER"]
    await redriven(client, {"name": found.name, "corrections": {"scrap_qty": None}})
    (found,) = (await quarantined(client)).values()
    assert [each.code for each in found.reasons] == ["END_BEFORE_START"]
    await redriven(client, {"name": found.name, "corrections": {"end_time": None}})
    assert await facts() == {(DAY, "L1"): 100}


async def test_a_correction_that_is_still_wrong_leaves_the_row_open_with_what_is_wrong_now(client, facts):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    await redriven(client, {"name": found.name, "corrections": {"total_qty": 1}})
    (found,) = (await quarantined(client)).values()
    assert [each.code for each in found.reasons] == ["SUM_EXCEEDS_TOTAL"]
    assert await facts() == {}


async def test_the_sources_newer_row_takes_the_place_of_a_correction(client, facts):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    await redriven(client, {"name": found.name, "corrections": {"total_qty": 125}})
    await client.land(record({**ORDER, "total_qty": 130}))
    await made(client)
    assert await facts() == {(DAY, "L1"): 130}


async def test_a_row_that_has_a_newer_revision_is_corrected_no_more(client, facts):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    await client.land(record(ORDER))
    redrive = {"name": found.name, "corrections": {"total_qty": 7000}}
    assert (await refused(client.RedriveRecords(redrives=[redrive]))).kind == ("NOT_FOUND", "RECORD_NOT_FOUND")
    await made(client)
    assert await facts() == {(DAY, "L1"): 100}
    superseded = (await quarantined(client, "SUPERSEDED"))["1"]
    assert json.loads(superseded.record.payload) == BAD


async def test_a_row_that_is_ignored_stays_out_until_its_source_sends_a_newer_one(client, facts):
    await client.land(record(BAD), record(external_id="good"))
    await made(client)
    (found,) = (await quarantined(client)).values()
    asked = {"names": [found.name], "note": "a test of the line", "request_id": str(uuid.uuid4())}
    (ignored,) = (await client.IgnoreRecords(**asked)).records
    assert (ignored.state, ignored.note, ignored.actor) == (pb.QuarantinedRecord.STATE_IGNORED, asked["note"], "local")
    again = await client.IgnoreRecords(**asked)
    assert (again.replayed, list(again.records)) == (True, [ignored])
    counts = (await made(client)).counts
    assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (2, 1, 1)
    assert await quarantined(client) == {}
    await client.land(record({**ORDER, "total_qty": "x"}))
    await made(client)
    assert set(await quarantined(client)) == {"1"}
    assert await facts() == {(DAY, "L1"): 100}


async def test_what_is_not_open_any_more_is_not_found_and_nothing_of_the_call_happens(client):
    await client.land(record(BAD), record(BAD, "2"))
    await made(client)
    found = await quarantined(client)
    await client.IgnoreRecords(names=[found["1"].name], note="gone")
    redrives = [{"name": found["2"].name, "corrections": {"total_qty": 200}}, {"name": found["1"].name}]
    refusal = await refused(client.RedriveRecords(redrives=redrives))
    assert refusal.kind == ("NOT_FOUND", "RECORD_NOT_FOUND")
    assert refusal.info.metadata["record"] in found["1"].name
    assert not (await quarantined(client))["2"].HasField("corrections")
    unknown = f"quarantinedRecords/{uuid.uuid4()}"
    assert (await refused(client.IgnoreRecords(names=[unknown], note="x"))).kind[1] == "RECORD_NOT_FOUND"


async def test_a_stranger_finds_and_changes_nothing(client, stranger):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    assert await quarantined(stranger) == {}
    assert (await refused(stranger.RedriveRecords(redrives=[{"name": found.name}]))).kind[1] == "RECORD_NOT_FOUND"
    assert (await refused(stranger.IgnoreRecords(names=[found.name], note="x"))).kind[1] == "RECORD_NOT_FOUND"


async def test_pages_together_are_the_whole_and_filters_choose(client):
    kinds = {"comma": {"total_qty": "12,5"}, "shift": {"shift": "Z"}, "both": {"total_qty": "12,5", "shift": "Z"}}
    await client.land(*(record({**ORDER, **fields}, name) for name, fields in kinds.items()))
    await client.land(record(BAD, "before", event_time=NOON - timedelta(days=1)))
    await made(client, DAY, DAY_BEFORE)
    names, token = [], ""
    while True:
        page = await client.ListQuarantinedRecords(page_size=1, page_token=token)
        names += [found.record.external_id for found in page.records]
        if not (token := page.next_page_token):
            break
    assert sorted(names) == ["before", "both", "comma", "shift"]
    assert set(await quarantined(client, code="UNKNOWN_SHIFT")) == {"shift", "both"}
    assert set(await quarantined(client, to_date=str(DAY_BEFORE))) == {"before"}
    assert set(await quarantined(client, from_date=str(DAY), code="NOT_A_NUMBER")) == {"comma", "both"}
    assert await quarantined(client, "IGNORED") == {}
    token = (await client.ListQuarantinedRecords(page_size=1)).next_page_token
    other = client.ListQuarantinedRecords(page_size=1, page_token=token, code="NEGATIVE")
    assert (await refused(other)).kind[1] == "PAGE_TOKEN_MISMATCH"


NAME = f"quarantinedRecords/{uuid.uuid4()}"


@pytest.mark.parametrize(
    ("method", "request_fields", "faults"),
    [
        ("ListQuarantinedRecords", {"from_date": "14.11."}, [("from_date", "NOT_A_DATE")]),
        ("ListQuarantinedRecords", {"state": 99}, [("state", "UNKNOWN_VALUE")]),
        ("RedriveRecords", {}, [("redrives", "OUT_OF_RANGE")]),
        ("RedriveRecords", {"redrives": [{"name": "runs/1"}]}, [("redrives[0].name", "MALFORMED_NAME")]),
        ("RedriveRecords", {"redrives": [{"name": NAME}] * 2}, [("redrives", "DUPLICATE")]),
        ("RedriveRecords", {"redrives": [{"name": NAME}], "note": "x" * 1001}, [("note", "TOO_LONG")]),
        ("IgnoreRecords", {"names": [NAME]}, [("note", "REQUIRED")]),
        ("IgnoreRecords", {"names": [NAME] * 1001, "note": "x"}, [("names", "OUT_OF_RANGE")]),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_field(client, method, request_fields, faults):
    assert (await refused(getattr(client, method)(**request_fields))).faults == faults


async def test_a_correction_that_makes_no_payload_is_refused(client):
    await client.land(record(BAD))
    await made(client)
    (found,) = (await quarantined(client)).values()
    for corrections in ({"note": "a\x00b"}, {"note": "x" * 1_100_000}):
        refusal = await refused(client.RedriveRecords(redrives=[{"name": found.name, "corrections": corrections}]))
        assert [field for field, _ in refusal.faults] == ["redrives[0].corrections"]


@pytest.fixture
async def moves(sql, client):
    """Gives every move that the database saw of the client's quarantined rows, each once."""
    await sql.execute(_WITNESS.format(tenant=client.tenant))

    async def read():
        return {
            (row["before"], row["after"]) for row in await sql.fetch("SELECT DISTINCT before, after FROM etl.moved")
        }

    yield read
    await sql.execute("DROP FUNCTION etl.witness CASCADE; DROP TABLE etl.moved")


_WITNESS = """
CREATE TABLE etl.moved (before text, after text);
CREATE FUNCTION etl.witness() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO etl.moved VALUES (OLD.state, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER UPDATE ON etl.quarantine FOR EACH ROW WHEN (NEW.tenant = '{tenant}')
    EXECUTE FUNCTION etl.witness();
"""


async def test_a_quarantined_row_moves_along_every_edge_of_the_table_and_no_other(client, admin_of, moves):
    early = NOON.replace(hour=6, minute=30)
    names = ("fixed", "ignored", "replaced", "moved")
    calendar = {"time_zone": "Asia/Seoul", "day_start": "08:00"}
    shift = {"code": "A", "start": "08:00", "end": "08:00", "planned_minutes": 1000}
    async with admin_of(client) as admin:
        saved = (await admin.SavePlantCalendar(calendar={**calendar, "shifts": [shift]})).calendar
        await client.land(*(record(BAD, name, event_time=early) for name in names))
        await made(client, DAY_BEFORE)
        found = await quarantined(client)
        assert set(found) == set(names)
        await redriven(client, {"name": found["fixed"].name, "corrections": {"total_qty": 100}})
        assert set(await quarantined(client, "FIXED")) == {"fixed"}
        await admin.SaveQualityRule(
            rule={
                "name": "qualityRules/few",
                "check": "CHECK_RANGE",
                "field": "total_qty",
                "max": 50,
                "severity": "SEVERITY_ERROR",
            }
        )
        await client.IgnoreRecords(names=[found["ignored"].name], note="a trial")
        await client.land(
            record({**ORDER, "total_qty": 10, "good_qty": 9, "defect_qty": 1}, "replaced", event_time=early)
        )
        await made(client, DAY_BEFORE)
        assert set(await quarantined(client)) == {"fixed", "moved"}
        shift = {**shift, "start": "06:00", "end": "06:00"}
        await admin.SavePlantCalendar(
            calendar={**calendar, "day_start": "06:00", "shifts": [shift], "etag": saved.etag}
        )
    await made(client, DAY_BEFORE)
    assert set(await quarantined(client, "SUPERSEDED")) == set(names) - {"ignored"}
    await made(client, DAY)
    assert set(await quarantined(client)) == {"fixed", "moved"}
    assert await moves() == {(str(before), str(after)) for before, after in TRANSITIONS}


async def test_many_rows_redriven_while_new_ones_are_landed_and_days_are_made_add_up(client, facts):
    await client.land(*(record(BAD, f"bad-{number}") for number in range(18)))
    await made(client)
    found = await quarantined(client)
    redrives = [{"name": each.name, "corrections": {"total_qty": 125}} for each in found.values()]

    async def landed():
        for number in range(10):
            await client.land(*(record(external_id=f"{number}-{each}") for each in range(20)))

    async def sent():
        for place in range(0, len(redrives), 3):
            await redriven(client, *redrives[place : place + 3])

    await asyncio.gather(landed(), sent())
    await made(client)
    assert await facts() == {(DAY, "L1"): 18 * 125 + 200 * 100}
    assert await quarantined(client) == {}
