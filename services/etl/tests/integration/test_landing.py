"""Landing: what rows become, what is kept, which days are marked, and what is refused at the door."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from etl_rig.client import DAY, NOON, ORDER, record, told
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright_etl.app import SERVICE
from millwright_etl.store import ingest_streams
from millwright_local.testing.refusals import refused
from millwright_runtime.service import running

HOUR = timedelta(hours=1)
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
async def dirty(sql, client):
    """Gives the days that were marked since it was asked last."""

    async def take():
        rows = await sql.fetch("DELETE FROM etl.dirty WHERE tenant = $1 RETURNING date", client.tenant)
        return sorted({row["date"] for row in rows})

    return take


@pytest.fixture
async def rows(sql, client):
    """Gives the tenant's rows as they are: payload and revision by external id."""

    async def read():
        found = await sql.fetch("SELECT * FROM core.erp_mes_data WHERE tenant = $1", client.tenant)
        return {row["external_id"]: (json.loads(row["payload"]), row["revision"]) for row in found}

    return read


async def test_a_row_that_comes_twice_is_there_once_and_its_day_is_marked_once(client, rows, dirty):
    assert await client.land(record()) == "inserted 1"
    assert await dirty() == [DAY]
    assert await client.land(record()) == "unchanged 1"
    assert await dirty() == []
    assert await rows() == {"1": (ORDER, 1)}


async def test_the_order_of_keys_and_the_spaces_of_a_payload_make_no_other_one(client):
    await client.land(record())
    again = json.dumps(dict(reversed(ORDER.items())), indent=3)
    assert await client.land(record(again)) == "unchanged 1"


async def test_a_correction_wins_by_the_time_of_its_source_in_whatever_order_it_comes(client, rows, sql):
    better = {**ORDER, "total_qty": 110}
    assert await client.land(record(better, source_time=NOON + HOUR)) == "inserted 1"
    assert await client.land(record(source_time=NOON)) == "outdated 1"
    assert await rows() == {"1": (better, 1)}
    assert await client.land(record({**ORDER, "total_qty": 120}, source_time=NOON + 2 * HOUR)) == "updated 1"
    kept = await sql.fetchrow("SELECT * FROM core.erp_mes_data_history WHERE tenant = $1", client.tenant)
    assert (json.loads(kept["payload"]), kept["revision"], kept["source_time"]) == (better, 1, NOON + HOUR)


async def test_of_two_rows_with_one_source_time_the_one_that_comes_later_wins(client, rows, dirty, sql):
    better = {**ORDER, "total_qty": 110}
    await client.land(record(source_time=NOON))
    assert await dirty() == [DAY]
    assert await client.land(record(better, source_time=NOON)) == "updated 1"
    assert await rows() == {"1": (better, 2)}
    assert await dirty() == [DAY]
    kept = await sql.fetchrow("SELECT * FROM core.erp_mes_data_history WHERE tenant = $1", client.tenant)
    assert (json.loads(kept["payload"]), kept["revision"], kept["source_time"]) == (ORDER, 1, NOON)
    assert await client.land(record(better, source_time=NOON)) == "unchanged 1"
    assert await dirty() == []


async def test_a_row_that_its_source_has_deleted_within_one_tick_of_its_clock_is_gone(client, sql):
    await client.land(record(source_time=NOON))
    assert await client.land(record("", source_time=NOON, deleted=True)) == "updated 1"
    assert await sql.fetchval("SELECT deleted FROM core.erp_mes_data WHERE tenant = $1", client.tenant)


async def test_a_row_that_its_source_has_confirmed_is_not_replaced_by_what_it_said_in_between(client):
    await client.land(record(source_time=NOON))
    assert await client.land(record(source_time=NOON + 2 * HOUR)) == "unchanged 1"
    assert await client.land(record({**ORDER, "total_qty": 7}, source_time=NOON + HOUR)) == "outdated 1"


async def test_rows_of_one_key_in_one_batch_are_landed_as_one_after_the_other(client, rows, dirty, sql):
    changed, last = {**ORDER, "total_qty": 1}, {**ORDER, "total_qty": 2}
    counts = await client.land(record(), record(changed), record(changed), record(last, event_time=NOON + 24 * HOUR))
    assert counts == "inserted 1, updated 2, unchanged 1"
    assert await rows() == {"1": (last, 3)}
    assert await dirty() == [DAY, NEXT_DAY]
    assert await sql.fetchval("SELECT count(*) FROM core.erp_mes_data_history WHERE tenant = $1", client.tenant) == 2


async def test_a_row_that_moves_marks_the_day_it_leaves_and_the_one_it_comes_to(client, dirty):
    await client.land(record())
    await dirty()
    await client.land(record({**ORDER, "business_date": "2025-11-10"}))
    assert await dirty() == [date(2025, 11, 10), DAY]


async def test_the_small_hours_mark_the_business_day_before(client, dirty):
    await client.land(record(event_time=NOON.replace(hour=5, minute=59)))
    assert await dirty() == [DAY - timedelta(days=1)]


async def test_a_tombstone_takes_a_row_back_and_needs_no_payload(client, rows, dirty, sql):
    await client.land(record())
    await dirty()
    assert await client.land(record("", deleted=True)) == "updated 1"
    assert await dirty() == [DAY]
    assert await rows() == {"1": ({}, 2)}
    assert await sql.fetchval("SELECT deleted FROM core.erp_mes_data WHERE tenant = $1", client.tenant)


async def test_what_people_have_corrected_or_ignored_gives_way_to_a_newer_row(client, sql):
    await client.land(record())
    await sql.execute(
        """UPDATE core.erp_mes_data SET corrections = '{"total_qty": 9}', ignored = true WHERE tenant = $1""",
        client.tenant,
    )
    await client.land(record())
    assert (await _row(sql, client))["ignored"]
    await client.land(record({**ORDER, "total_qty": 8}))
    row = await _row(sql, client)
    assert (row["corrections"], row["ignored"], row["total_qty"]) == (None, False, 8)


async def _row(sql, client):
    return await sql.fetchrow("SELECT * FROM core.erp_mes_data WHERE tenant = $1", client.tenant)


TIMES = [
    ({"business_date": "14.11.2025"}, {("NOT_A_DATE", "business_date")}),
    ({"business_date": 20251114}, {("NOT_A_DATE", "business_date")}),
    ({"business_date": "2199-01-01"}, {("OUT_OF_RANGE", "business_date")}),
    ({"start_time": "noon"}, {("NOT_A_TIME", "start_time")}),
    ({"end_time": "2199-01-01T00:00:00Z"}, {("OUT_OF_RANGE", "end_time")}),
    (
        {"start_time": "2025-11-14T10:00:00+09:00", "end_time": "2025-11-14T09:59:59"},
        {("END_BEFORE_START", "end_time")},
    ),
    ({"start_time": "2025-11-14T10:00:00", "end_time": "2025-11-14T01:00:00Z"}, set()),
    ({"start_time": None, "end_time": "2025-11-14T01:00:00Z", "business_date": "2025-11-13"}, set()),
]


@pytest.mark.parametrize(("fields", "faults"), TIMES)
async def test_what_is_wrong_with_dates_and_times_is_found_and_the_row_is_landed(client, sql, fields, faults):
    assert await client.land(record({**ORDER, **fields})) == "inserted 1"
    row = await _row(sql, client)
    assert {(fault["code"], fault["field"]) for fault in json.loads(row["faults"] or "[]")} == faults
    assert row["stated_date"] == (date(2025, 11, 13) if fields.get("business_date") == "2025-11-13" else None)


DEEP = "[" * 2000 + "]" * 2000
REFUSED = [
    (record(source_type=0), ("INVALID_FIELD", "source_type")),
    (record(source_type=9), ("INVALID_FIELD", "source_type")),
    (record(source_system="MES 1"), ("INVALID_FIELD", "source_system")),
    (record(record_type=0), ("INVALID_FIELD", "record_type")),
    (record(external_id=""), ("INVALID_FIELD", "external_id")),
    (record(external_id="x" * 201), ("INVALID_FIELD", "external_id")),
    (record(external_id="a\x00b"), ("INVALID_FIELD", "external_id")),
    (record(""), ("PAYLOAD_NOT_JSON", "payload")),
    (record("[1]"), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"total_qty": NaN}'), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"total_qty": 1'), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"note": "a\\u0000b"}'), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"note": "\\ud800"}'), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"x": 1e-20000}'), ("PAYLOAD_NOT_JSON", "payload")),
    (record('{"x": 1.' + "0" * 20_000 + "}"), ("PAYLOAD_NOT_JSON", "payload")),
    (record(f'{{"x": {DEEP}}}'), ("PAYLOAD_NOT_JSON", "payload")),
    (record(json.dumps({"note": "x" * 1024 * 1024})), ("PAYLOAD_TOO_LARGE", "payload")),
    (record(json.dumps({"note": "한" * 400_000}, ensure_ascii=False)), ("PAYLOAD_TOO_LARGE", "payload")),
    (record(event_time=datetime(1989, 12, 31, tzinfo=UTC)), ("EVENT_TIME_OUT_OF_RANGE", "event_time")),
    (record(event_time=datetime(2199, 1, 1, tzinfo=UTC)), ("EVENT_TIME_OUT_OF_RANGE", "event_time")),
    (record(source_time=datetime(2199, 1, 1, tzinfo=UTC)), ("INVALID_FIELD", "source_time")),
]


@pytest.mark.parametrize(("bad", "expected"), REFUSED)
async def test_a_row_that_cannot_be_landed_is_named_and_the_others_are_landed(client, rows, bad, expected):
    answer = await client.IngestBatch(records=[record(), bad, record(external_id="2")])
    (refusal,) = answer.refused
    assert (refusal.reason, refusal.field) == expected
    assert (refusal.offset, refusal.external_id) == (1, bad.external_id[:200])
    assert (answer.counts.inserted, answer.counts.refused) == (2, 1)
    assert set(await rows()) == {"1", "2"}


KEPT = [
    '{"note": "C:\\\\u0000"}',
    '{"note": "line-1234 e-20000"}',
    '{"order": 123456789012345678901234567890, "total_qty": 1.10}',
    '{"note": "한글 🏭"}',
]


@pytest.mark.parametrize("payload", KEPT)
async def test_what_only_looks_wrong_is_landed_as_it_is(client, sql, payload):
    assert await client.land(record(payload)) == "inserted 1"
    assert await sql.fetchval(
        "SELECT payload = $2::text::jsonb FROM core.erp_mes_data WHERE tenant = $1", client.tenant, payload
    )


async def test_a_batch_has_one_to_5000_records(client):
    assert (await refused(client.IngestBatch())).faults == [("records", "OUT_OF_RANGE")]
    many = [record(external_id=str(number)) for number in range(5001)]
    assert (await refused(client.IngestBatch(records=many))).faults == [("records", "OUT_OF_RANGE")]
    assert await client.land(*many[:5000]) == "inserted 5000"


async def test_batches_with_the_same_keys_at_once_are_landed_one_after_the_other(client, rows):
    records = [record({**ORDER, "total_qty": 200}, str(number), source_time=NOON) for number in range(300)]
    counts = await asyncio.gather(client.land(*records), client.land(*reversed(records)), client.land(*records))
    assert sorted(counts) == ["inserted 300", "unchanged 300", "unchanged 300"]
    assert {revision for _, revision in (await rows()).values()} == {1}


async def test_a_stranger_sees_and_changes_nothing(client, stranger, rows):
    await client.land(record())
    assert await stranger.land(record({**ORDER, "total_qty": 1})) == "inserted 1"
    assert await rows() == {"1": (ORDER, 1)}


def message(offset, *records, stream_id="s"):
    """A part of a stream."""
    return pb.IngestRecordsRequest(stream_id=stream_id, offset=offset, records=records)


def orders(begin, end):
    """Work orders numbered from begin to before end."""
    return [record(external_id=str(number)) for number in range(begin, end)]


async def test_a_stream_is_acknowledged_and_goes_on_where_it_was_cut_off(client, rows):
    stream = client.stream(None)
    await stream.write(message(0, *orders(0, 3)))
    assert (await stream.read()).acknowledged_offset == 3
    stream.cancel()
    assert (await client.GetIngestOffset(stream_id="s")).acknowledged_offset == 3
    answers = [answer async for answer in client.stream(iter([message(3, *orders(3, 5), record(external_id=""))]))]
    assert answers[-1].acknowledged_offset == 6
    assert (answers[-1].counts.inserted, answers[-1].counts.refused) == (5, 1)
    assert [(each.offset, each.reason) for each in answers[-1].refused] == [(5, "INVALID_FIELD")]
    assert set(await rows()) == {"0", "1", "2", "3", "4"}


async def test_whoever_goes_on_with_a_stream_knows_what_was_refused_before(client):
    stream = client.stream(None)
    await stream.write(message(0, record("no JSON", "a\0b"), *orders(1, 3)))
    (refusal,) = (await stream.read()).refused
    stream.cancel()
    known = await client.GetIngestOffset(stream_id="s")
    assert told(known.counts) == "inserted 2, refused 1"
    [kept] = known.refused
    assert (kept.offset, kept.reason, kept.external_id) == (0, refusal.reason, "a�b")
    last = [answer async for answer in client.stream(iter([message(3, record(external_id=""))]))][-1]
    assert told(last.counts) == "inserted 2, refused 2"
    assert [each.offset for each in (await client.GetIngestOffset(stream_id="s")).refused] == [0, 3]


async def test_many_messages_of_a_stream_are_landed_and_counted(client, rows):
    messages = [message(begin, *orders(begin, begin + 100)) for begin in range(0, 3000, 100)]
    answers = [answer async for answer in client.stream(iter(messages))]
    assert (answers[-1].acknowledged_offset, answers[-1].counts.inserted) == (3000, 3000)
    assert len(await rows()) == 3000


async def test_an_offset_that_is_not_the_next_one_is_refused_after_what_came_before_is_landed(client):
    acknowledged = []

    async def read():
        async for answer in client.stream(iter([message(0, *orders(0, 2)), message(3, *orders(3, 4))])):
            acknowledged.append(answer.acknowledged_offset)  # noqa: PERF401 - it ends in a refusal

    refusal = await refused(read())
    assert refusal.kind == ("INVALID_ARGUMENT", "OFFSET_NOT_NEXT")
    assert refusal.info.metadata["next_offset"] == "2"
    assert acknowledged == [2]


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ([message(0, stream_id="")], ("stream_id", "REQUIRED")),
        ([message(0, stream_id="x" * 129)], ("stream_id", "TOO_LONG")),
        ([message(0), message(0, stream_id="t")], ("stream_id", "MISMATCH")),
        ([message(0, *orders(0, 1001))], ("records", "OUT_OF_RANGE")),
    ],
)
async def test_a_message_that_is_none_of_the_stream_is_refused(client, messages, fault):
    assert (await refused(client.stream(iter(messages)))).faults == [fault]


async def test_a_stream_that_another_client_goes_on_with_can_land_nothing_more(client, rows):
    old, new = client.stream(None), client.stream(None)
    await old.write(message(0, *orders(0, 1)))
    assert (await old.read()).acknowledged_offset == 1
    await new.write(message(1, *orders(1, 2)))
    assert (await new.read()).acknowledged_offset == 2
    await old.write(message(1, *orders(7, 8)))
    assert (await refused(old.read())).kind == ("ABORTED", "STREAM_TAKEN_OVER")
    assert set(await rows()) == {"0", "1"}
    await new.done_writing()


async def test_a_stream_ends_with_its_replica_and_hears_how_to_go_on(urls, service_settings, connected):
    async with running(SERVICE, service_settings(SERVICE, urls.service)) as replica, connected(replica) as client:
        stream = client.stream(None)
        await stream.write(message(0, *orders(0, 2)))
        assert (await stream.read()).acknowledged_offset == 2
        replica.platform.signals.drain()
        refusal = await refused(stream.read())
    assert refusal.kind == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert "go on from there" in refusal.message


async def test_a_stream_that_nobody_knows_has_no_offset(client):
    assert (await refused(client.GetIngestOffset(stream_id="?"))).kind == ("NOT_FOUND", "STREAM_NOT_FOUND")


async def test_an_empty_stream_ends(client):
    assert [answer async for answer in client.stream(iter([]))] == []


async def test_streams_that_nobody_goes_on_with_are_forgotten_in_every_plant_and_no_others(client, stranger, sql):
    for plant in (client, stranger):
        for stream in ("old", "young"):
            opened = plant.stream(iter([pb.IngestRecordsRequest(stream_id=stream, records=[record()])]))
            assert [answer async for answer in opened]
    for plant, stream in ((client, "old"), (stranger, "old"), (stranger, "young")):
        await sql.execute(
            "UPDATE core.ingest_stream SET update_time = update_time - interval '8 days' "
            "WHERE tenant = $1 AND stream_id = $2",
            plant.tenant,
            stream,
        )
    assert await ingest_streams.forget(sql) == 3
    left = await sql.fetch("SELECT tenant, stream_id FROM core.ingest_stream")
    assert [(client.tenant, "young")] == [tuple(row) for row in left if row["stream_id"] in {"old", "young"}]
