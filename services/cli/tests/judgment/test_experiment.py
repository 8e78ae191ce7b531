"""`millwright experiment …` against the service: canary, A/B and shadow, and how they end."""

import json
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[4] / "examples" / "rulesets" / "weld"
V2 = str(EXAMPLES / "v2.json")
NAME = "quality.weld"


@pytest.fixture
async def two(answer, line):
    """Version 1 in use, and a version 2 with a tighter limit."""
    await answer("ruleset", "publish", V2)


@pytest.fixture
def judge(call, tmp_path):
    """Judge a lot a row at a rate that is critical by version 2 alone."""

    async def judge(count, rate=0.07):
        path = tmp_path / "lots.csv"
        rows = "".join(f"{rate},80,gear,lot-{number}\n" for number in range(count))
        path.write_text("defect_rate,temperature,product,_unit\n" + rows)
        result = await call("judge", NAME, "--file", str(path))
        assert result.exit_code == 0, result.stderr

    return judge


async def test_a_canary_says_what_runs_and_what_must_hold(call, two):
    result = await call(
        "experiment",
        "canary",
        NAME,
        "2",
        "--id",
        "tight",
        "--step",
        "10%/1h",
        "--step",
        "50%",
        "--guardrail",
        "critical=+2%",
    )
    began, guardrail, follow = result.stdout.splitlines()
    assert began.startswith("◔ tight runs on prod: control (version 1), trial (version 2), in ")
    assert guardrail == "  critical: at most 2.00% above the control"
    assert follow == "  follow it: millwright experiment watch tight"
    shown = await call("experiment", "get", "tight", "--lang", "ko")
    assert "▶ 실행 중  tight (prod)" in shown.stdout
    assert "10 % · 2단계 중 1단계" in shown.stdout
    assert "1시간" in shown.stdout
    assert "tight" in (await call("ruleset", "get", NAME)).stdout


async def test_a_dry_run_begins_nothing(call, answer, two):
    result = await call("experiment", "shadow", NAME, "2", "--dry-run")
    assert "dry run" in result.stdout
    assert (await answer("experiment", "list"))["experiments"] == []


async def test_a_canary_goes_on_and_is_promoted(call, two):
    await call("experiment", "canary", NAME, "2", "--id", "tight", "--step", "10%", "--step", "50%")
    assert "tight is at 50 %, in " in (await call("experiment", "step", "tight")).stdout
    last = await call("experiment", "step", "tight")
    assert last.exit_code == 4
    assert "millwright experiment promote" in last.stderr
    promoted = await call("experiment", "promote", "tight", "trial", "--reason", "it holds")
    assert promoted.stdout.startswith("↑ prod is on version 2, revision ")
    watched = await call("experiment", "watch", "tight")
    assert watched.exit_code == 0
    assert "↑ promoted" in watched.stdout


async def test_a_shadow_is_reported_as_pairs(call, two, judge):
    await call("experiment", "shadow", NAME, "2", "--id", "shade", "--arm", "tighter")
    await judge(60)
    result = await call("experiment", "report", "shade")
    assert result.exit_code == 0, result.stderr
    arms = {row.split()[0]: row for row in result.stdout.splitlines() if row.startswith(("control", "tighter"))}
    assert "60" in arms["control"]
    assert "60 (100.0%)" in arms["tighter"]
    assert "The same inputs, judged by both" in result.stdout
    assert "60 of 60 change their outcome" in result.stdout


async def test_arms_are_compared_without_any_guardrail_and_the_report_is_a_page(call, two, judge, tmp_path):
    await call("experiment", "ab", NAME, "--arm", "tighter=2", "--id", "split")
    await judge(400)
    result = await call("experiment", "report", "split")
    assert result.exit_code == 0, result.stderr
    assert "Beside the control, at any look" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("tighter") and "higher" in line]
    assert row.split()[:6] == ["tighter", "critical", "▲", "higher", "100.00%", "0.00%"]
    assert "▼ lower" in result.stdout
    assert "? open" in next(line for line in result.stdout.splitlines() if "ERROR" in line)
    page = tmp_path / "report.html"
    reported = await call("experiment", "report", "split", "--html", str(page), "--lang", "ko")
    assert str(page) in reported.stderr
    assert "대조군과의 차이" in reported.stdout
    assert "▲ 높음" in reported.stdout
    assert page.read_text().startswith("<!doctype html>")
    assert '<html lang="ko">' in page.read_text()


async def test_a_page_that_cannot_be_written_is_an_error(call, two, tmp_path):
    await call("experiment", "ab", NAME, "--arm", "tighter=2", "--id", "split")
    result = await call("experiment", "report", "split", "--html", str(tmp_path / "none" / "report.html"))
    assert result.exit_code == 2
    assert "report.html" in result.stderr


async def test_an_experiment_is_stopped_and_stopping_again_changes_nothing(call, two):
    await call("experiment", "ab", NAME, "--arm", "tighter=2:3", "--share", "20%", "--id", "split")
    assert "split is at 40 %" in (await call("experiment", "step", "split", "--share", "40%")).stdout
    stopped = await call("experiment", "stop", "split", "--reason", "enough seen")
    assert stopped.stdout.startswith("■ split is stopped, in ")
    assert "nothing changed" in (await call("experiment", "stop", "split", "--reason", "again")).stdout
    listed = await call("experiment", "list", NAME)
    assert "enough seen" in listed.stdout
    watched = await call("experiment", "watch", "split")
    assert watched.exit_code == 9


async def test_a_watch_ends_with_the_guardrail_that_brought_the_canary_back(call, two, judge, process):
    await call("experiment", "canary", NAME, "2", "--id", "tight", "--step", "50%", "--guardrail", "critical=+2%,-1%")
    watching = await process("experiment", "watch", "tight", "-o", "json")
    await judge(1_500)
    told, _ = await watching.communicate()
    assert watching.returncode == 8, told
    *_, last = [json.loads(row) for row in told.splitlines()]
    assert last["experiment"]["state"] == "STATE_ROLLED_BACK"
    told = (await call("experiment", "watch", "tight")).stdout
    assert "↩ rolled back" in told
    assert "✘ broken" in told
    releases = (await call("ruleset", "releases", NAME)).stdout
    assert "↩ rollback" in releases
    assert "tight" in releases


@pytest.mark.parametrize(
    "args",
    [
        ["canary", NAME, "2", "--step", "10"],
        ["canary", NAME, "2", "--step", "10%/x"],
        ["canary", NAME, "2", "--step", "10%/1h/5/6"],
        ["canary", NAME, "2", "--step", "10%", "--guardrail", "critical"],
        ["canary", NAME, "2", "--step", "10%", "--guardrail", "critical=2%"],
        ["ab", NAME, "--arm", "tighter"],
        ["ab", NAME, "--arm", "tighter=2:x"],
        ["stop", "tight"],
    ],
)
async def test_what_makes_no_sense_is_a_usage_error(call, args):
    assert (await call("experiment", *args)).exit_code == 2


async def test_a_name_is_used_once(call, two):
    await call("experiment", "shadow", NAME, "2", "--id", "shade")
    again = await call("experiment", "shadow", NAME, "2", "--id", "shade")
    assert again.exit_code == 4
    assert "--id" in again.stderr
    moved = await call("ruleset", "promote", NAME, "2")
    assert moved.exit_code == 4
    assert "millwright experiment list" in moved.stderr
