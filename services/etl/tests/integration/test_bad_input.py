"""Bad input, each kind beside good rows: nothing is lost, nothing doubled, the reason is said, the others go through.

Files in CP949, with a broken byte or with a row of 5 MB, and a file whose stream is cut, are in the tests of the
command: services/cli/tests/etl/test_ingest.py.
"""

import asyncio

import grpc
import pytest
from etl_rig.client import DAY, ORDER, record
from millwright.etl.v1 import ingest_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_local.testing.refusals import refused

HUGE = "9e131071"
"""Eight characters; two of it are more than Postgres can hold."""
CELLS = [
    pytest.param({"total_qty": "12,5"}, "NOT_A_NUMBER", "total_qty", id="a decimal comma"),
    pytest.param({"good_qty": "NaN"}, "NOT_A_NUMBER", "good_qty", id="NaN"),
    pytest.param({"total_qty": "Infinity"}, "NOT_A_NUMBER", "total_qty", id="Infinity"),
    pytest.param({"total_qty": "-Infinity"}, "NOT_A_NUMBER", "total_qty", id="-Infinity"),
    pytest.param({"defect_qty": -5}, "NEGATIVE", "defect_qty", id="a negative quantity"),
    pytest.param({"good_qty": 96}, "SUM_EXCEEDS_TOTAL", "total_qty", id="good and defect above total"),
    pytest.param({"good_qty": HUGE, "defect_qty": HUGE}, "OUT_OF_RANGE", "good_qty", id="parts that have no sum"),
    pytest.param({"total_qty": HUGE, "scrap_qty": HUGE, "good_qty": HUGE}, "OUT_OF_RANGE", "scrap_qty", id="all huge"),
    pytest.param({"good_qty": f"-{HUGE}", "scrap_qty": f"-{HUGE}"}, "NEGATIVE", "good_qty", id="hugely negative parts"),
    pytest.param({"cycle_seconds": HUGE, "total_qty": HUGE}, "OUT_OF_RANGE", "cycle_seconds", id="a product too large"),
    pytest.param({"runtime_seconds": "1e-16383"}, "TOO_LONG", "runtime_seconds", id="a tiny number"),
    pytest.param({"cycle_seconds": f"0.{'1' * 16383}"}, "TOO_LONG", "cycle_seconds", id="a number without end"),
    pytest.param({"total_qty": "1e999999999"}, "NOT_A_NUMBER", "total_qty", id="an exponent without end"),
    pytest.param(
        {"start_time": "2025-11-14T10:00:00+09:00", "end_time": "2025-11-14T09:00:00+09:00"},
        "END_BEFORE_START",
        "end_time",
        id="end before start",
    ),
    pytest.param({"business_date": "2199-01-01"}, "OUT_OF_RANGE", "business_date", id="a date in 2199"),
    pytest.param({"end_time": "2199-01-01T00:00:00Z"}, "OUT_OF_RANGE", "end_time", id="a time in 2199"),
    pytest.param({"shift": "Z"}, "UNKNOWN_SHIFT", "shift", id="an unknown shift"),
    pytest.param({"line_code": None}, "MISSING", "line_code", id="a missing line"),
]


@pytest.mark.parametrize(("cells", "code", "field"), CELLS)
async def test_a_bad_cell_costs_its_own_row_alone(client, sql, cells, code, field):
    good = [record(external_id=f"good-{number}") for number in range(3)]
    assert await client.land(*good, record({**ORDER, **cells}, "bad")) == "inserted 4"
    for _ in range(2):  # a second run finds the same
        run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
        assert run.state == run_pb2.Run.STATE_COMPLETED
        counts = run.counts
        assert (counts.rows_read, counts.rows_used, counts.rows_quarantined) == (4, 3, 1)
        (found,) = (await client.ListQuarantinedRecords()).records
        assert found.record.external_id == "bad"
        assert (code, field) in {(reason.code, reason.field) for reason in found.reasons}
    pieces = await sql.fetchval("SELECT sum(total_qty) FROM bi.fact_daily_production WHERE tenant = $1", client.tenant)
    assert pieces == 300


OTHERS = [
    ("PRODUCTION_ORDER", {"planned_qty": HUGE}, "OUT_OF_RANGE"),
    ("PRODUCTION_ORDER", {"planned_qty": 1, "planned_seconds": "1e-16383"}, "TOO_LONG"),
    ("EQUIPMENT_STATUS", {"equipment_code": "M1", "status": "DOWN", "duration_seconds": HUGE}, "OUT_OF_RANGE"),
    ("QUALITY", {"defect_type": "scratch", "defect_qty": HUGE}, "OUT_OF_RANGE"),
]


@pytest.mark.parametrize(("kind", "cells", "code"), OTHERS)
async def test_numbers_that_have_no_sum_are_set_aside_whatever_their_rows_are(client, kind, cells, code):
    payload = {"line_code": "L1", "product_code": "P1", "shift": "A", **cells}
    await client.land(record(), *(record(payload, f"bad-{number}", kind=kind) for number in range(2)))
    run = await client.ended((await client.RunPipeline(dates=[str(DAY)])).run.name)
    assert (run.state, run.counts.rows_used) == (run_pb2.Run.STATE_COMPLETED, 1)
    found = (await client.ListQuarantinedRecords()).records
    assert [reason.code for row in found for reason in row.reasons] == [code, code]


async def test_a_payload_of_5_mb_is_more_than_a_message_holds_and_the_next_batch_is_landed(client):
    huge = record('{"note": "' + "x" * 5_000_000 + '"}', "huge")
    assert (await refused(client.IngestBatch(records=[huge]))).kind[0] == "RESOURCE_EXHAUSTED"
    assert await client.land(record()) == "inserted 1"


async def test_a_payload_of_3_mb_is_refused_by_name_and_the_others_are_landed(client):
    huge = record('{"note": "' + "x" * 3_000_000 + '"}', "huge")
    answer = await client.IngestBatch(records=[record(), huge])
    assert [(each.external_id, each.reason) for each in answer.refused] == [("huge", "PAYLOAD_TOO_LARGE")]
    assert answer.counts.inserted == 1


async def test_a_broken_utf_8_byte_in_a_message_is_refused_and_ends_nothing_else(client):
    data = pb.IngestBatchRequest(records=[record(external_id="abcdef")]).SerializeToString()
    path = "/millwright.etl.v1.IngestService/IngestBatch"
    call = client.channel.unary_unary(path, response_deserializer=pb.IngestBatchResponse.FromString)
    broken = call(data.replace(b"abcdef", b"abc\xffef"), metadata=[("authorization", f"Bearer {client.token}")])
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await broken
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await client.land(record()) == "inserted 1"


async def test_half_a_stream_is_landed_as_far_as_it_was_acknowledged_and_goes_on_from_there(client, sql):
    def part(offset, count):
        records = [record(external_id=str(offset + number)) for number in range(count)]
        return pb.IngestRecordsRequest(stream_id="half", offset=offset, records=records)

    stream = client.stream(None)
    await stream.write(part(0, 10))
    assert (await stream.read()).acknowledged_offset == 10
    await stream.write(part(10, 10))
    stream.cancel()
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await stream.read()
    offset = (await client.GetIngestOffset(stream_id="half")).acknowledged_offset
    assert offset in {10, 20}
    answers = [answer async for answer in client.stream(iter([part(offset, 30 - offset)]))]
    assert answers[-1].acknowledged_offset == 30
    assert await sql.fetchval("SELECT count(*) FROM core.erp_mes_data WHERE tenant = $1", client.tenant) == 30
