"""`millwright etl generate | run | backfill | runs | show | watch | cancel` against the service."""

import json
import re

import pytest

PLAN = ("etl", "generate", "2025-11-03", "--days", "2", "--lines", "2", "--products", "3", "--orders", "3")
FIRST, SECOND = "2025-11-03", "2025-11-04"


@pytest.fixture
async def plant(call):
    """Two days of a made-up plant."""
    result = await call(*PLAN)
    assert result.exit_code == 0, result.stderr
    return result.stdout


async def test_a_plant_is_made_up_and_what_must_come_of_it_is_told(call, answer, plant):
    assert plant.startswith("✔ 132 rows made: 132 new, 0 changed, 0 unchanged, 0 outdated")
    told = re.search(r"(\d+) facts must come of them: [\d,]+ pieces in 36 orders, 0 reasons", plant)
    again = await answer(*PLAN)
    assert (again["counts"]["inserted"], again["counts"]["unchanged"]) == ("0", "132")
    assert len(again["expected"]) == int(told[1])


async def test_measures_defects_and_reasons_that_must_come_are_told(call, answer):
    spoilt = (*PLAN, "--deleted", "10%", "--fault", "END_BEFORE_START=30%", "--dry-run")
    told = await answer(*spoilt)
    assert told["expectedQuarantine"].keys() == {"END_BEFORE_START"}
    assert told["shifts"] == ["A", "B", "C"]
    drawn = " ".join((await call(*spoilt)).stdout.split())
    planned = sum(fact["plannedSeconds"] for fact in told["expected"])
    bridges = sum(each["defectQty"] for each in told["expectedDefects"] if each["defectType"] == "bridge")
    assert f"planned_seconds {planned:,.15g}" in drawn
    assert f"bridge {bridges:,.15g}" in drawn
    assert f"END_BEFORE_START {told['expectedQuarantine']['END_BEFORE_START']}" in drawn
    assert "for the shifts A, B, C" in drawn


async def test_a_plant_with_bad_rows_can_be_looked_at_first(answer, rows):
    preview = await answer(*PLAN, "--bad", "20%", "--late", "5%", "--corrected", "5%", "--repeated", "5%", "--dry-run")
    assert preview["expectedQuarantine"]
    assert await rows() == {}


async def test_what_is_due_is_run_and_watched_to_its_end(call, plant):
    result = await call("etl", "run", "--watch")
    assert result.exit_code == 0, result.stderr
    assert re.search(rf"{FIRST}\s+never published", result.stdout)
    assert f"✔ published  {SECOND}  66 rows read: 66 used, 0 set aside, 0 deleted" in result.stdout
    assert re.search(r"✔ completed  [0-9a-f-]{36}  █+  3 of 3 days", result.stdout)
    again = await call("etl", "run", "--watch")
    assert "nothing is due that no run has already" in again.stdout
    assert again.exit_code == 0


async def test_a_run_is_listed_and_shown_with_its_days(call, answer, made, plant):
    run = await made(FIRST, SECOND)
    listed = await call("etl", "runs")
    assert re.search(
        rf"{run.name[5:]}\s+✔ completed\s+days asked for\s+{FIRST} – {SECOND}\s+132\s+0\s+kim", listed.stdout
    )
    assert (await answer("etl", "runs", "--state", "failed"))["runs"] == []
    shown = await call("etl", "show", run.name)
    assert "132 rows read: 132 used, 0 set aside, 0 deleted" in shown.stdout
    assert re.search(rf"{FIRST}\s+✔ published\s+asked for\s+66\s+66\s+0", shown.stdout)
    assert (await answer("etl", "show", run.name[5:]))["run"]["name"] == run.name


async def test_a_watch_gives_a_script_each_message(call, made, plant):
    run = await made(FIRST)
    result = await call("etl", "watch", run.name, "-o", "json")
    [snapshot] = map(json.loads, result.stdout.splitlines())
    assert snapshot["snapshot"]["state"] == "STATE_COMPLETED"


async def test_a_backfill_can_be_looked_at_run_and_is_refused_if_it_is_too_long(call, answer, made, plant):
    await made(FIRST)
    preview = await call("etl", "backfill", FIRST, "2025-11-06", "--dry-run")
    assert [line.split()[0] for line in preview.stdout.splitlines() if line.startswith("2025")] == [
        SECOND,
        "2025-11-05",
        "2025-11-06",
    ]
    assert "nothing changed" in preview.stdout
    wish = ("etl", "backfill", FIRST, "2025-11-06", "--redo", "all", "--newest-first", "--parallel", "3")
    ordered = await answer(*wish)
    assert ordered["windows"][0]["date"] == "2025-11-06"
    assert ordered["windowsTotal"] == 4
    refusal = await call("etl", "backfill", "1925-11-03", FIRST)
    assert refusal.exit_code == 5
    assert "must leave at most 3,660 days: these are 36,526; run the range in parts" in refusal.stderr


async def test_a_run_whose_days_cannot_be_published_ends_with_8_and_says_why(call, plant, made, tmp_path):
    bad = tmp_path / "bad.ndjson"
    payload = {
        "line_code": "L1",
        "product_code": "P1",
        "shift": "A",
        "total_qty": "12,5",
        "good_qty": 1,
        "defect_qty": 0,
    }
    row = {
        "source_type": "SOURCE_TYPE_MES",
        "source_system": "mes-1",
        "record_type": "RECORD_TYPE_WORK_ORDER",
        "payload": json.dumps(payload),
        "event_time": "2025-11-03T12:00:00+09:00",
    }
    bad.write_text("\n".join(json.dumps({**row, "external_id": str(number)}) for number in range(60)))
    assert (await call("etl", "ingest", str(bad))).exit_code == 0
    result = await call("etl", "run", FIRST, "--watch")
    assert result.exit_code == 8
    assert "QUARANTINE_THRESHOLD: qualityRules/quarantined-rows: 60 of 126" in result.stdout
    assert (
        f"✘ failed  {FIRST}  126 rows read: 66 used, 60 set aside, 0 deleted  QUARANTINE_THRESHOLD: " in result.stdout
    )
    name = re.search(r"[0-9a-f-]{36}", result.stdout)[0]
    shown = await call("etl", "show", name)
    assert re.search(rf"{FIRST}\s+quarantined-rows\s+✘ error\s+60 of 126 rows are quarantined", shown.stdout)


async def test_a_run_that_is_cancelled_says_so(call, answer, plant):
    ordered = await answer("etl", "backfill", "2020-01-01", "2025-11-03")
    cancelled = await call("etl", "cancel", ordered["run"]["name"])
    assert cancelled.exit_code == 0
    watched = await call("etl", "watch", ordered["run"]["name"])
    assert watched.exit_code == 9
    assert "■ cancelled" in watched.stdout


async def test_in_korean(call, plant):
    result = await call("etl", "run", FIRST, "--watch", "--lang", "ko")
    assert f"✔ 반영됨  {FIRST}  66행 읽음: 사용 66, 격리 0, 삭제 0" in result.stdout
    assert "1일 중 1일" in result.stdout


async def test_a_run_that_there_is_not_is_told_with_what_to_do(call):
    result = await call("etl", "show", "01a20993-78db-710b-bddc-74249338ad91")
    assert result.exit_code == 3
    assert "millwright etl runs" in result.stderr
