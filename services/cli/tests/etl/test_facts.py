"""`millwright etl query` and `report` against the service: facts as tables, JSON, Arrow, charts and a page."""

import io
import xml.etree.ElementTree as ET
from datetime import date

import polars
import pytest
import typer
from etl_rows import MES, MES_MAPPING, SAP, SAP_MAPPING, raw_row
from millwright_cli.etl import facts
from millwright_cli.etl.views import plots

DAY = "2025-11-14"
PLAN = {"line_code": "L03", "product_code": "P-300", "shift": "A", "planned_qty": 900, "planned_seconds": 50000}


@pytest.fixture
async def plant(answer, made):
    """The examples, landed and made into facts."""
    await answer("etl", "ingest", SAP, "--mapping", SAP_MAPPING)
    await answer("etl", "ingest", MES, "--mapping", MES_MAPPING)
    plan = raw_row("plan", PLAN).replace("WORK_ORDER", "PRODUCTION_ORDER")
    defect = raw_row("d-1", {**PLAN, "defect_type": "긁힘", "defect_qty": 6}).replace("WORK_ORDER", "QUALITY")
    await answer("etl", "ingest", "-", stdin=f"{plan}\n{defect}\n")
    assert (await made(DAY)).counts.rows_quarantined == 2


async def test_facts_are_a_table_with_numbers_and_shares(call, plant):
    lines = (await call("etl", "query", DAY, "--by", "line", "--measure", "total_qty", "--measure", "yield")).stdout
    rows = [line.split() for line in lines.splitlines()]
    assert rows[0] == ["Line", "Total", "Yield"]
    assert ["L01", "1,700", "98.2%"] in rows
    assert ["L03", "1,070", "98.3%"] in rows


async def test_a_week_in_korean_of_one_line_and_shift(call, plant):
    result = await call("etl", "query", "2025-W46", "--line", "L03", "--shift", "A", "--lang", "ko")
    heading, _, row = result.stdout.splitlines()
    assert heading.split() == ["생산일", "생산량", "양품", "불량", "수율", "종합효율"]
    assert row.split()[:5] == [DAY, "820", "812", "8", "99.0%"]


async def test_json_has_the_values_and_nothing_for_what_has_none(answer, plant):
    found = await answer(
        "etl", "query", DAY, "--by", "line", "--measure", "availability", "--line", "L01", "--line", "L03"
    )
    assert found["rows"] == [
        {"keys": ["L01"], "values": [{}]},
        {"keys": ["L03"], "values": [{"value": (14000 + 14300 + 12500) / 50000}]},
    ]


async def test_polars_reads_the_arrow_file(call, plant, tmp_path):
    path = tmp_path / "facts.arrow"
    asked = ("etl", "query", DAY, "--by", "line", "--by", "shift", "--measure", "good_qty", "--arrow")
    assert str(path) in (await call(*asked, str(path))).stderr
    frame = polars.read_ipc_stream(path)
    assert frame.filter(line="L03", shift="B").rows() == [("L03", "B", 240.0)]
    piped = (await call(*asked, "-")).stdout_bytes
    assert polars.read_ipc_stream(io.BytesIO(piped)).equals(frame)


async def test_nothing_found_says_so(call):
    assert "nothing found" in (await call("etl", "query", DAY)).stdout
    assert "there are no facts" in (await call("etl", "report", DAY)).stdout


async def test_what_the_service_refuses_is_told_by_field(call):
    result = await call("etl", "query", "2000-01-01..2025-01-01")
    assert (result.exit_code, "filter.to_date" in result.stderr) == (5, True)


async def test_a_report_draws_pieces_oee_and_defects(call, plant):
    lines = (await call("etl", "report", "2025-W46")).stdout.splitlines()
    assert lines[0] == "Production 2025-11-10 to 2025-11-16"
    assert lines[1].startswith("Total 3,330  Good 3,277  Defective 43  Scrap 10  Yield 98.4%")
    (day,) = [line for line in lines if line.strip().startswith(DAY)]
    assert day.count("█") in {39, 40}
    assert "3,330   OEE" in day
    (third,) = [line for line in lines if line.strip().startswith("L03")]
    assert "Availability 81.6% × Performance" in third
    (defect,) = [line for line in lines if "긁힘" in line]
    assert defect.endswith(" 6")


async def test_a_page_is_whole_in_itself_and_shows_the_numbers(call, plant, tmp_path):
    path = tmp_path / "week.html"
    assert (await call("etl", "report", "2025-W46", "--html", str(path), "--lang", "ko")).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert not any(sign in text for sign in ("<script", "http:", "https:", "src=", "@import", "url("))
    page = ET.fromstring(text.removeprefix("<!doctype html>").replace(_METAS, ""))
    assert page.findtext("head/title") == "생산 실적 2025-11-10 ~ 2025-11-16"
    titles = [title.text for title in page.iter("title")]
    assert "L03 · 시간가동률 81.6%" in titles
    assert "긁힘: 6" in titles
    cells = [[cell.text for cell in row] for row in page.findall("body//tbody/tr")]
    assert ["L01", "–", "–", "98.2%", "–", "1,700"] in cells


_METAS = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'


async def test_codes_of_lines_cannot_write_markup_into_the_page(call, answer, made, tmp_path):
    payload = {"line_code": "<b>&", "product_code": "P", "shift": "A", "total_qty": 1, "good_qty": 1, "defect_qty": 0}
    await answer("etl", "ingest", "-", stdin=raw_row("1", payload))
    await made(DAY)
    path = tmp_path / "day.html"
    await call("etl", "report", DAY, "--html", str(path))
    assert "<b>" not in path.read_text()
    assert "&lt;b&gt;&amp;" in path.read_text()


def test_a_long_label_is_cut_in_a_plot_and_whole_in_its_title():
    long = "LINE-ASSEMBLY-OF-THE-SECOND-HALL"
    drawn = ET.fromstring(plots.bars([(long, 5.0, "5"), ("용접라인", 3.0, "3")], "defect"))
    assert [text.text for text in drawn.iter("text")][::2] == ["LINE-ASSEMBLY-OF-THE-SE…", "용접라인"]
    assert [title.text for title in drawn.iter("title")] == [f"{long}: 5", "용접라인: 3"]
    assert all(float(bar.get("x")) >= 24 * 8 for bar in drawn.iter("rect"))


@pytest.mark.parametrize(("days", "labels", "shares"), [(7, 7, 7), (31, 11, 0)])
def test_a_grid_writes_what_there_is_room_for(days, labels, shares):
    columns = [f"11-{day:02}" for day in range(1, days + 1)]
    drawn = ET.fromstring(plots.grid(columns, ["L1"], {("L1", column): 0.5 for column in columns}))
    texts = [text.text for text in drawn.iter("text")]
    assert (len([text for text in texts if text in columns]), texts.count("50%")) == (labels, shares)
    assert len(list(drawn.iter("title"))) == days


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025-11-14", date(2025, 11, 14), date(2025, 11, 14)),
        ("2025-W01", date(2024, 12, 30), date(2025, 1, 5)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025-12", date(2025, 12, 1), date(2025, 12, 31)),
        ("2025-11-10..2025-11-14", date(2025, 11, 10), date(2025, 11, 14)),
    ],
)
def test_days_weeks_months_and_ranges_are_read(text, first, last):
    assert facts.days(text) == facts.Days(first, last)


@pytest.mark.parametrize("text", ["yesterday", "2025-W54", "2025-13", "2025-11-10..", "14.11.2025"])
def test_what_is_no_day_is_told(text):
    with pytest.raises(typer.BadParameter, match="no day, week, month or range"):
        facts.days(text)
