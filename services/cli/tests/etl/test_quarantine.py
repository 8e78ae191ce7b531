"""`millwright etl quarantine …` against the service."""

import pytest
from etl_rows import raw_row

DAY = "2025-11-14"
ORDER = {"line_code": "L1", "product_code": "P1", "shift": "A", "total_qty": 100, "good_qty": 95, "defect_qty": 5}


@pytest.fixture
async def set_aside(answer, made):
    """Two rows that could not be used; gives their ids by external id."""
    rows = [raw_row("comma", {**ORDER, "total_qty": "12,5"}), raw_row("shift", {**ORDER, "shift": "Z"})]
    await answer("etl", "ingest", "-", stdin="\n".join(rows))
    await made(DAY)
    found = (await answer("etl", "quarantine", "list"))["records"]
    return {each["record"]["externalId"]: each["name"].removeprefix("quarantinedRecords/") for each in found}


async def test_rows_are_listed_with_what_is_wrong(call, set_aside):
    text = (await call("etl", "quarantine", "list")).stdout
    (row,) = [line for line in text.splitlines() if "comma" in line]
    assert row.startswith(set_aside["comma"])
    assert "! open" in row
    assert "mes-1 work_order" in row
    assert "NOT_A_NUMBER total_qty must be a number from 0 to 1000000000000  «12,5»" in row
    shown = (await call("etl", "quarantine", "list", "--code", "UNKNOWN_SHIFT", "--lang", "ko")).stdout
    assert ("comma" in shown, "! 미처리" in shown) == (False, True)
    assert "nothing found" in (await call("etl", "quarantine", "list", "--to", "2025-11-13")).stdout


async def test_a_row_that_is_corrected_goes_through_again(call, answer, made, set_aside):
    arguments = ("--set", "total_qty=125", "--set", "note=by hand", "--note", "a comma")
    result = await call("etl", "quarantine", "redrive", set_aside["comma"], *arguments)
    assert result.stdout.startswith(f"✔ 1 rows go through again, days: {DAY}, run ")
    await made(DAY)
    (fixed,) = (await answer("etl", "quarantine", "list", "--state", "fixed"))["records"]
    assert (fixed["corrections"], fixed["note"]) == ({"total_qty": 125.0, "note": "by hand"}, "a comma")
    (row,) = (await answer("etl", "query", DAY, "--measure", "total_qty"))["rows"]
    assert row["values"] == [{"value": 125.0}]


async def test_a_redrive_can_be_followed_to_its_end(call, set_aside):
    result = await call("etl", "quarantine", "redrive", set_aside["comma"], "--set", "total_qty=125", "--watch")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("✔ 1 rows go through again")
    assert "completed" in result.stdout
    assert "nothing found" in (await call("etl", "quarantine", "list", "--code", "NOT_A_NUMBER")).stdout


async def test_a_row_that_is_left_out_is_not_open_any_more(call, set_aside):
    result = await call("etl", "quarantine", "ignore", set_aside["shift"], "--note", "a test run")
    assert result.stdout == "✔ 1 rows are left out for good\n"
    again = await call("etl", "quarantine", "redrive", set_aside["shift"])
    assert (again.exit_code, "millwright etl quarantine list" in again.stderr) == (3, True)
    assert "Note: a test run" in (await call("etl", "quarantine", "list", "--state", "ignored")).stdout


async def test_what_is_no_correction_is_not_sent(call, set_aside):
    result = await call("etl", "quarantine", "redrive", set_aside["comma"], "--set", "total_qty")
    assert (result.exit_code, "is no FIELD=VALUE" in result.stderr) == (2, True)
