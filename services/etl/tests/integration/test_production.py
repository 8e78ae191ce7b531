"""Facts as callers read them: grouped, measured, paged, streamed and as Arrow; calendars and names."""

import io
import uuid
from datetime import UTC, date, datetime, timedelta

import polars
import pytest
from etl_rig.client import DAY, ORDER, SEOUL, record
from millwright.etl.v1 import production_service_pb2 as pb
from millwright.etl.v1 import run_pb2
from millwright_etl.domain.calendar import Calendars
from millwright_etl.domain.windows import window
from millwright_etl.store import months, windows
from millwright_local.testing.refusals import refused

TODAY = {"from_date": DAY.isoformat(), "to_date": DAY.isoformat()}


@pytest.fixture
async def plant(client, sql):
    """A plant that has made six orders on two lines in two shifts, and their facts."""
    places = [("L1", "P1", "A")] * 2 + [("L1", "P2", "B"), ("L2", "P1", "A"), ("L2", "P2", "A"), ("L2", "P2", "B")]
    records = [
        record(
            {**ORDER, "line_code": line, "product_code": product, "shift": shift, "runtime_seconds": 500}, f"o-{number}"
        )
        for number, (line, product, shift) in enumerate(places)
    ]
    planned = {"line_code": "L1", "product_code": "P1", "planned_qty": 250, "planned_seconds": 2000}
    plans = [record(planned, "plan", kind="PRODUCTION_ORDER")]
    defects = [
        record({**ORDER, "defect_type": kind, "defect_qty": count}, f"defect-{kind}", kind="QUALITY")
        for kind, count in (("scratch", 3), ("bridge", 8))
    ]
    await client.land(*records, *plans, *defects)
    await made(sql, client.tenant)
    return client


async def made(sql, tenant, day=DAY):
    """Make the facts of a day."""
    asked = window(Calendars(), tenant, day)
    await months.ensure(sql, asked.date)
    async with sql.transaction():
        await sql.execute(f"SET LOCAL millwright.tenant = '{tenant}'")
        await windows.make_facts(sql, asked, uuid.uuid4(), 60)
        await sql.execute(_PUBLISHED, tenant, day)


_PUBLISHED = """
INSERT INTO etl.day (tenant, pipeline, date, state, run, publish_time)
VALUES ($1, 'daily-production', $2, 'PUBLISHED', gen_random_uuid(), clock_timestamp())
"""


def dimensions(*names):
    return [f"DIMENSION_{name}" for name in names]


def measures(*names):
    return [f"MEASURE_{name}" for name in names]


async def read(plant, **query):
    query = {"filter": TODAY, **query}
    rows = [row async for message in plant.QueryProduction(**query) for row in message.rows]
    return {
        tuple(row.keys): tuple(value.value if value.HasField("value") else None for value in row.values) for row in rows
    }


async def test_facts_are_grouped_and_measured_as_asked(plant):
    found = await read(
        plant, group_by=dimensions("LINE", "SHIFT"), measures=measures("TOTAL_QTY", "WORK_ORDERS", "YIELD")
    )
    assert found == {
        ("L1", "A"): (200, 2, 0.95),
        ("L1", "B"): (100, 1, 0.95),
        ("L2", "A"): (200, 2, 0.95),
        ("L2", "B"): (100, 1, 0.95),
    }


async def test_grouped_by_nothing_there_is_one_row_with_every_measure(plant):
    (values,) = (await read(plant)).values()
    assert len(values) == len(pb.Measure.keys()) - 1
    assert values[:3] == (600, 570, 30)


async def test_ratios_are_ratios_of_sums_over_the_time_that_orders_or_else_the_calendar_plan(plant):
    found = await read(plant, group_by=dimensions("LINE"), measures=measures("AVAILABILITY", "CYCLE_SECONDS"))
    assert found == {("L1",): (1500 / 2000, 0), ("L2",): (1500 / (2 * 450 * 60), 0)}


async def test_weeks_and_months_are_named(plant):
    found = await read(plant, group_by=dimensions("WEEK", "MONTH", "DATE"), measures=measures("GOOD_QTY"))
    assert found == {("2025-W46", "2025-11", "2025-11-14"): (570,)}


async def test_only_what_the_filter_says_is_read(plant):
    wanted = {**TODAY, "lines": ["L1", "L9"], "products": ["P1"], "shifts": ["A"]}
    assert await read(plant, filter=wanted, measures=measures("TOTAL_QTY")) == {(): (200,)}
    assert await read(plant, filter={"from_date": "2025-01-01", "to_date": "2025-01-31"}) == {}


async def test_pages_together_are_the_whole(plant):
    query = {"filter": TODAY, "group_by": dimensions("SHIFT", "LINE", "PRODUCT"), "measures": measures("TOTAL_QTY")}
    keys, token = [], ""
    while True:
        page = await plant.ListProduction(**query, page_size=2, page_token=token)
        keys += [tuple(row.keys) for row in page.rows]
        if not (token := page.next_page_token):
            break
    assert keys == sorted((await read(plant, **query)).keys())
    assert len(keys) == 5
    first = (await plant.ListProduction(**query, page_size=2)).next_page_token
    other = {**query, "group_by": dimensions("SHIFT")}
    assert (await refused(plant.ListProduction(**other, page_token=first))).kind[1] == "PAGE_TOKEN_MISMATCH"


async def test_polars_reads_the_arrow_answer(plant):
    query = {"filter": TODAY, "group_by": dimensions("LINE", "PRODUCT"), "measures": measures("TOTAL_QTY", "OEE")}
    pieces = [message.arrow async for message in plant.QueryProduction(**query, arrow=True)]
    frame = polars.read_ipc_stream(io.BytesIO(b"".join(pieces)))
    assert frame.columns == ["line", "product", "total_qty", "oee"]
    assert frame.rows() == [
        ("L1", "P1", 200, 0),
        ("L1", "P2", 100, None),
        ("L2", "P1", 100, 0),
        ("L2", "P2", 200, 0),
    ]


async def test_an_arrow_answer_without_rows_is_an_empty_table(client):
    pieces = [message.arrow async for message in client.QueryProduction(filter=TODAY, arrow=True)]
    frame = polars.read_ipc_stream(io.BytesIO(b"".join(pieces)))
    assert (frame.height, frame.width) == (0, len(pb.Measure.keys()) - 1)


async def test_defects_come_by_type_with_the_most_pieces_first(plant):
    page = await plant.ListDefects(filter=TODAY, group_by=dimensions("LINE"), page_size=1)
    assert [(list(row.keys), row.defect_type, row.defect_qty) for row in page.rows] == [(["L1"], "bridge", 8)]
    page = await plant.ListDefects(
        filter=TODAY, group_by=dimensions("LINE"), page_size=1, page_token=page.next_page_token
    )
    assert [row.defect_type for row in page.rows] == ["scratch"]
    assert not page.next_page_token


async def test_nothing_of_a_plant_is_read_by_another(plant, stranger):
    assert await read(stranger) == {}
    assert not (await stranger.ListDimension(dimension="DIMENSION_LINE")).members


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"filter": {"from_date": "14.11.2025", "to_date": "soon"}}, ["filter.from_date", "filter.to_date"]),
        ({"filter": {"from_date": "2025-11-15", "to_date": "2025-11-14"}}, ["filter.to_date"]),
        ({"filter": {"from_date": "2000-01-01", "to_date": "2025-11-14"}}, ["filter.to_date"]),
        ({"filter": TODAY, "group_by": [0, 7]}, ["group_by[0]"]),
        ({"filter": TODAY, "group_by": [7]}, ["group_by[0]"]),
        ({"filter": TODAY, "group_by": [4, 4]}, ["group_by"]),
        ({"filter": TODAY, "measures": [99]}, ["measures[0]"]),
        ({"filter": {**TODAY, "lines": ["L"] * 1001}}, ["filter.lines"]),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_field(client, query, fields):
    refusal = await refused(read(client, **query))
    assert refusal.kind[0] == "INVALID_ARGUMENT"
    assert [field for field, _ in refusal.faults] == fields


# Freshness.


async def test_freshness_tells_days_apart(plant, sql):
    fresh = await plant.GetFreshness()
    assert (fresh.last_published_date, list(fresh.missing_dates)) == (DAY.isoformat(), [])
    assert list(fresh.dirty_dates) == [DAY.isoformat()]  # no run has taken the mark of the landing
    assert not fresh.sources  # it was not heard in the last 40 days
    await plant.land(record(ORDER, "now", event_time=datetime.now(UTC)))
    assert [source.source_system for source in (await plant.GetFreshness()).sources] == ["mes-1"]
    await plant.land(record(ORDER, "another", event_time=datetime(2025, 11, 10, 3, tzinfo=UTC)))
    assert list((await plant.GetFreshness()).missing_dates) == ["2025-11-10"]


# Calendars.

SHIFTS = [
    {"code": "day", "start": "07:00", "end": "19:00", "planned_minutes": 660},
    {"code": "night", "start": "19:00", "end": "07:00", "planned_minutes": 660},
]
TWO = {"time_zone": "Europe/Berlin", "day_start": "07:00", "shifts": SHIFTS}


async def test_a_plant_that_has_said_nothing_works_by_the_default(client):
    (calendar,) = (await client.GetPlantCalendar()).calendars
    assert (calendar.time_zone, calendar.day_start, len(calendar.shifts)) == ("Asia/Seoul", "06:00", 3)
    assert (calendar.valid_from, calendar.etag) == ("", "")


async def test_a_calendar_is_changed_by_who_has_seen_it(admin):
    saved = (await admin.SavePlantCalendar(calendar=TWO)).calendar
    assert (await refused(admin.SavePlantCalendar(calendar=TWO))).kind == ("ABORTED", "ETAG_MISMATCH")
    again = (await admin.SavePlantCalendar(calendar={**TWO, "day_start": "07:00", "etag": saved.etag})).calendar
    assert again.etag != saved.etag
    assert list((await admin.GetPlantCalendar()).calendars) == [again]


async def test_a_calendar_from_a_day_on_leaves_the_days_before(admin, sql):
    for day in (date(2025, 11, 10), date(2025, 11, 13), date(2025, 11, 14)):
        await sql.execute(_PUBLISHED, admin.tenant, day)
    answer = await admin.SavePlantCalendar(calendar={**TWO, "valid_from": "2025-11-14"})
    assert answer.dirty_days == 2  # the day before ends at another time
    assert [calendar.valid_from for calendar in (await admin.GetPlantCalendar()).calendars] == ["2025-11-14", ""]


MONDAY = date(2025, 11, 17)
EARLY = {
    "time_zone": "Asia/Seoul",
    "day_start": "08:00",
    "shifts": [{**SHIFTS[0], "code": "A", "start": "08:00", "end": "08:00"}],
}


async def test_a_row_that_a_calendar_moves_to_a_day_that_was_never_made_is_in_the_facts_of_that_day(
    client, admin_of, sql
):
    order = {**ORDER, "shift": None}
    hours = [datetime(2025, 11, 17, *clock, tzinfo=SEOUL) for clock in ((6, 30), (12, 0))]
    await client.land(*(record(order, str(hour), event_time=hour) for hour in hours))
    await client.ended((await client.RunPipeline(dates=[str(MONDAY)])).run.name)
    assert await pieces(sql, client.tenant) == {MONDAY: 200}
    async with admin_of(client) as admin:
        assert (await admin.SavePlantCalendar(calendar=EARLY)).dirty_days == 2
    assert list((await client.GetFreshness()).missing_dates) == ["2025-11-16"]
    run = await client.ended((await client.RunPipeline()).run.name)
    assert run.state == run_pb2.Run.STATE_COMPLETED
    assert await pieces(sql, client.tenant) == {MONDAY: 100, MONDAY - timedelta(days=1): 100}


async def test_a_row_that_states_its_day_is_moved_by_no_calendar(client, admin_of, sql):
    stated = {**ORDER, "business_date": "2025-11-17"}
    await client.land(record(stated, event_time=datetime(2025, 11, 17, 6, 30, tzinfo=SEOUL)))
    await client.ended((await client.RunPipeline(dates=[str(MONDAY)])).run.name)
    async with admin_of(client) as admin:
        assert (await admin.SavePlantCalendar(calendar=EARLY)).dirty_days == 1
    await client.ended((await client.RunPipeline()).run.name)
    assert await pieces(sql, client.tenant) == {MONDAY: 100}


async def pieces(sql, tenant):
    """Pieces by day, as far as there are facts."""
    found = await sql.fetch(_PIECES, tenant)
    return {row["date"]: row["pieces"] for row in found}


_PIECES = "SELECT date, sum(total_qty) AS pieces FROM bi.fact_daily_production WHERE tenant = $1 GROUP BY date"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Seoul"}, "calendar.time_zone"),
        ({"day_start": "7:00"}, "calendar.day_start"),
        ({"shifts": []}, "calendar.shifts"),
        ({"shifts": [SHIFTS[0], {**SHIFTS[1], "start": "20:00"}]}, "calendar.shifts[0].end"),
        ({"shifts": [SHIFTS[0], {**SHIFTS[1], "planned_minutes": 800}]}, "calendar.shifts[1].planned_minutes"),
        ({"shifts": [{**SHIFTS[0], "code": ""}, SHIFTS[1]]}, "calendar.shifts[0].code"),
        ({"valid_from": "today"}, "calendar.valid_from"),
    ],
)
async def test_a_calendar_that_is_none_is_refused_by_field(admin, changes, field):
    refusal = await refused(admin.SavePlantCalendar(calendar={**TWO, **changes}))
    assert field in [name for name, _ in refusal.faults]


async def test_changing_the_calendar_needs_an_admin(client):
    assert (await refused(client.SavePlantCalendar(calendar=TWO))).kind[0] == "PERMISSION_DENIED"


# Names.


async def test_a_line_known_from_rows_is_inferred_until_it_is_named(plant, admin_of):
    (first, second) = (await plant.ListDimension(dimension="DIMENSION_LINE")).members
    assert (first.code, first.inferred, second.code) == ("L1", True, "L2")
    async with admin_of(plant) as admin:
        member = {"code": "L1", "names": {"en": "Line 1", "ko": "1호 라인"}}
        saved = (await admin.SaveDimensionMember(dimension="DIMENSION_LINE", member=member)).member
        assert (saved.inferred, dict(saved.names)) == (False, member["names"])
        await admin.SaveDimensionMember(dimension="DIMENSION_EQUIPMENT", member={"code": "M1", "names": {"en": "Oven"}})
    page = await plant.ListDimension(dimension="DIMENSION_LINE", page_size=1)
    assert page.members[0] == saved
    assert (await plant.ListDimension(dimension="DIMENSION_LINE", page_token=page.next_page_token)).members[0] == second
    assert (await refused(plant.ListDimension(dimension="DIMENSION_DATE"))).faults[0][0] == "dimension"
