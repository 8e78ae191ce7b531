"""`millwright ruleset …` against the service: drafts, the gate, versions, releases."""

import json
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[4] / "examples" / "rulesets" / "weld"
V1, V2 = (str(EXAMPLES / f"v{number}.json") for number in (1, 2))
TEXT_1, TEXT_2 = (Path(path).read_text() for path in (V1, V2))
NAME = "quality.weld"


async def test_publishing_says_what_was_made_and_where_the_channel_points(call):
    result = await call("ruleset", "publish", V1, "--promote", "--reason", "first")
    first, second, *rest = result.stdout.splitlines()
    assert first.startswith("✔ quality.weld 1.0.0: published as version 1, in ")
    assert second == "↑ prod is on version 1, revision 2"
    assert "3 of 3 give what they say" in rest[0]


async def test_publishing_again_finds_the_version(call, line):
    assert "the same content exists as version 1" in (await call("ruleset", "publish", V1)).stdout


async def test_a_dry_run_publishes_nothing(call):
    result = await call("ruleset", "publish", V1, "--dry-run")
    assert "dry run" in result.stdout
    missing = await call("ruleset", "get", NAME)
    assert missing.exit_code == 3
    assert "millwright ruleset list" in missing.stderr


async def test_what_blocks_is_listed_by_its_place_with_a_hint(call, document):
    wrong = [{"name": "wrong", "input": {"defect_rate": 0.01, "temperature": 1}, "expect": {"outcome": "critical"}}]
    result = await call("ruleset", "validate", document(examples=wrong))
    assert result.exit_code == 5
    assert "/examples/0: wrong gives" in result.stderr
    assert "JSON pointers" in result.stderr


async def test_a_finding_that_does_not_block_is_a_row_of_the_report(call, document):
    wrong = [{"name": "wrong", "input": {"defect_rate": 0.5, "temperature": 1}, "expect": {"outcome": "normal"}}]
    result = await call("ruleset", "validate", document(examples=wrong, blocking=[]))
    assert result.exit_code == 0
    assert result.stdout.startswith("✔ it passes the gate")
    assert "0 of 1 give what they say" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("EXAMPLE_FAILED")]
    assert "! warning" in row
    assert "wrong gives" in row


async def test_the_gate_tells_what_would_change_of_what_was_judged(call, line):
    for rate in ("0.01", "0.07"):
        await call("judge", NAME, f"defect_rate={rate}", "temperature=80", "product=gear")
    result = await call("ruleset", "validate", V2)
    assert "2 judgments judged again, compared with version 1: 1 change their outcome" in result.stdout
    assert ["warning", "critical", "1"] in [row.split() for row in result.stdout.splitlines()]
    without = await call("ruleset", "validate", V2, "--replay", "0")
    assert "judged again" not in without.stdout


async def test_the_report_is_kept_with_the_version(call, line):
    result = await call("ruleset", "show", NAME, "1", "--report", "--lang", "ko")
    assert result.stdout.startswith("✔ 게시 관문 통과")
    assert "3개 중 3개 일치" in result.stdout


async def test_a_document_goes_into_a_pipe_as_it_was_published(call, line):
    assert (await call("ruleset", "show", NAME, "1")).stdout == TEXT_1


async def test_rulesets_and_versions_are_tables(call, line):
    listed = await call("ruleset", "list", "--lang", "ko")
    assert listed.stdout.splitlines()[-1].split()[:4] == ["quality.weld", "용접", "품질", "1"]
    await call("ruleset", "publish", V2)
    rows = [row for row in (await call("ruleset", "versions", NAME)).stdout.splitlines() if row[:1].isdigit()]
    assert [row.split()[:2] for row in rows] == [["2", "1.1.0"], ["1", "1.0.0"]]
    assert all("✔ published" in row for row in rows)


async def test_a_diff_is_a_row_for_each_edit(call, line):
    await call("ruleset", "publish", V2)
    result = await call("ruleset", "diff", NAME, "1", "2")
    (row,) = [row for row in result.stdout.splitlines() if "scrap" in row]
    assert row.startswith("▽ condition loosened")
    assert "defect_rate" in row
    assert row.index("> 0.08") < row.index("> 0.06")
    assert (await call("ruleset", "diff", NAME, "1", "1")).stdout == "= 1 and 1 judge alike\n"


@pytest.mark.parametrize("reference", ["0", "prod", "drafts/", "drafts/A", "versions/x"])
async def test_what_is_no_version_is_a_usage_error(call, reference):
    result = await call("ruleset", "diff", NAME, "1", reference)
    assert result.exit_code == 2
    assert "drafts/tighter" in result.stderr


async def test_a_draft_is_saved_validated_compared_and_published(call, answer, line):
    saved = await call("ruleset", "draft", "save", NAME, "tighter", V2)
    assert saved.stdout.startswith("○ tighter is saved, in ")
    compared = await call("ruleset", "diff", NAME, "1", "drafts/tighter")
    assert "> 0.06" in compared.stdout
    validated = await call("ruleset", "draft", "validate", NAME, "tighter")
    assert "◉ validated" in validated.stdout
    assert "✔ it passes the gate" in validated.stdout
    listed = await call("ruleset", "draft", "list", NAME)
    assert "quality.weld" in listed.stdout
    published = await call("ruleset", "draft", "publish", NAME, "tighter", "--promote", "--reason", "tighter")
    assert "published as version 2" in published.stdout
    assert "prod is on version 2" in published.stdout
    assert (await answer("ruleset", "draft", "get", NAME, "tighter"))["draft"]["state"] == "STATE_PUBLISHED"


async def test_a_draft_that_exists_is_changed_only_by_who_says_so(call):
    assert (await call("ruleset", "draft", "save", NAME, "d", V1, "--overwrite")).exit_code == 0
    refused = await call("ruleset", "draft", "save", NAME, "d", V2)
    assert refused.exit_code == 4
    assert "--overwrite" in refused.stderr
    assert (await call("ruleset", "draft", "save", NAME, "d", V2, "--overwrite")).exit_code == 0
    kept = await call("ruleset", "draft", "get", NAME, "d", "--document")
    assert kept.stdout == TEXT_2


async def test_a_draft_with_faults_is_saved_and_says_them(call):
    result = await call("ruleset", "draft", "save", NAME, "d", "-", stdin='{"namespace": "quality"}')
    assert result.exit_code == 0
    assert "MISSING_KEY" in result.stdout
    assert "✘ blocks" in result.stdout


async def test_a_draft_is_removed(call):
    await call("ruleset", "draft", "save", NAME, "d", V1)
    assert (await call("ruleset", "draft", "delete", NAME, "d")).stdout == "✔ d is removed\n"
    assert (await call("ruleset", "draft", "get", NAME, "d")).exit_code == 3


async def test_promotion_and_rollback_say_where_the_channel_went(call, line):
    await call("ruleset", "publish", V2)
    promoted = await call("ruleset", "promote", NAME, "2", "--reason", "tighter")
    assert "↑ prod: 1 → 2, revision 4, in " in promoted.stdout
    kept = await call("ruleset", "rollback", NAME, "--from", "1", "--reason", "too many stops")
    assert kept.stdout.startswith("= prod: on version 2 ")
    rolled_back = await call("ruleset", "rollback", NAME, "--from", "2", "--reason", "too many stops")
    assert "↩ prod: 2 → 1, revision 5, in " in rolled_back.stdout
    assert "✘ version 2 is marked bad" in rolled_back.stdout
    again = await call("ruleset", "promote", NAME, "2")
    assert again.exit_code == 4
    assert "millwright ruleset mark-good" in again.stderr
    assert (await call("ruleset", "mark-good", NAME, "2", "--reason", "it was the sensor")).stdout.startswith("✔ ")


async def test_a_promotion_can_be_planned(call, line):
    await call("ruleset", "publish", V2)
    planned = await call("ruleset", "promote", NAME, "2", "--at", "2h", "--reason", "with the early shift")
    assert planned.stdout.startswith("◷ prod: version 2 from ")
    shown = await call("ruleset", "get", NAME)
    assert "2 · " in next(row for row in shown.stdout.splitlines() if row.startswith("prod"))


async def test_the_release_log_is_a_table_newest_first(call, line):
    await call("ruleset", "publish", V2)
    await call("ruleset", "mark-bad", NAME, "2", "--reason", "a typo")
    rows = [row for row in (await call("ruleset", "releases", NAME)).stdout.splitlines() if row[:1].isdigit()]
    assert [row.split()[0] for row in rows] == ["4", "3", "2", "1"]
    assert "✘ mark bad" in rows[0]
    assert rows[0].split()[-3:] == ["kim", "a", "typo"]
    assert "– → 1" in rows[2]


async def test_a_retired_version_can_be_promoted_no_more(call, line):
    await call("ruleset", "publish", V2)
    retired = await call("ruleset", "retire", NAME, "2", "--reason", "the press is gone")
    assert "■ version 2 is retired, in " in retired.stdout
    refused = await call("ruleset", "promote", NAME, "2")
    assert refused.exit_code == 4
    assert "replayed" in refused.stderr


async def test_a_version_goes_to_gorules_and_back(call, line, tmp_path):
    exported = await call("ruleset", "export", NAME, "1")
    decision = json.loads(exported.stdout)
    assert {node["type"] for node in decision["nodes"]} == {"inputNode", "decisionTableNode", "outputNode"}
    imported = await call("ruleset", "import", "line.other", "-", "--semver", "2.0.0", stdin=exported.stdout)
    document = json.loads(imported.stdout)
    assert (document["namespace"], document["name"], document["version"]) == ("line", "other", "2.0.0")
    file = tmp_path / "other.json"
    file.write_text(imported.stdout)
    assert (await call("ruleset", "publish", str(file))).exit_code == 0


async def test_what_cannot_be_analysed_is_said_at_import(call):
    decision = {"nodes": [{"id": "f", "name": "code", "type": "functionNode"}], "edges": []}
    result = await call("ruleset", "import", "line.other", "-", stdin=json.dumps(decision))
    assert result.exit_code == 0
    assert "FORBIDDEN_NODE" in result.stderr
