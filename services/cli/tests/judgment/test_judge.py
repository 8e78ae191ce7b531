"""`millwright judge` and `millwright execution` against the service."""

import json

import pytest

NAME = "quality.weld"
GOOD = ("defect_rate=0.012", "temperature=88.5", "product=gear")
SCRAP = ("defect_rate=0.09", "temperature=88.5", "product=gear")
ROWS = """defect_rate,temperature,product,_line,_shift,_unit
0.010,80,gear,L1,day,lot-1
0.045,80,gear,L1,day,lot-1
0.090,80,widget,L2,night,lot-2
0.010,,gear,L2,night,lot-2
"""


@pytest.fixture
def csv(tmp_path):
    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


async def test_a_judgment_says_outcome_rule_reason_and_what_to_do(call, line):
    result = await call("judge", NAME, *SCRAP, "--line", "L1", "--unit", "lot-7")
    verdict, why, first, second, by = result.stdout.splitlines()
    assert verdict == "✘ critical  by rule scrap · confidence 0.95"
    assert why == "  0.09 of the welds are defective"
    assert (first, second) == ("  1. stop the line (stop-line)", "  2. inspect the lot (inspect)")
    assert by.endswith("quality.weld version 1 · prod")


async def test_a_judgment_speaks_korean(call, line):
    result = await call("judge", NAME, *SCRAP, "--lang", "ko")
    assert "규칙 scrap · 신뢰도 0.95" in result.stdout
    assert "용접 불량률 0.09" in result.stdout
    assert "1. 라인 정지 (stop-line)" in result.stdout


async def test_what_is_missing_is_no_outcome(call, line):
    result = await call("judge", NAME, "defect_rate=0.01", "product=gear", "temperature=null")
    assert result.stdout.startswith("? INDETERMINATE\n  temperature: ")


@pytest.mark.parametrize("given", ["-", "@input.json", "inline"])
async def test_an_input_is_json_from_anywhere(call, answer, line, tmp_path, given):
    text = '{"defect_rate": 0.09, "temperature": 80, "product": "gear"}'
    (tmp_path / "input.json").write_text(text)
    judged = await answer(
        "judge", NAME, "--input", text if given == "inline" else given, "defect_rate=0.01", stdin=text
    )
    assert judged["execution"]["judgment"]["outcome"] == "normal"


async def test_a_wrong_field_is_named_with_a_hint(call, line):
    result = await call("judge", NAME, *GOOD, "defect_rate=much", "colour=red")
    assert result.exit_code == 5
    assert "input.values.defect_rate" in result.stderr
    assert "input.values.colour" in result.stderr
    assert "input schema" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["defect_rate"], "no FIELD=VALUE"),
        (["--input", "[1]"], "no JSON object"),
        (["--input", '{"a": {}}'], "a is a list or an object"),
        (["--input", "{"], "no JSON"),
        (["--version", "1", "--channel", "prod"], "exclude each other"),
        (["--file", "x.csv", "a=1"], "--file takes neither"),
    ],
)
async def test_what_makes_no_sense_is_sent_nowhere(call, args, said):
    result = await call("judge", NAME, *args)
    assert result.exit_code == 2
    assert said in result.stderr


async def test_a_dry_run_stores_nothing(call, answer, line):
    assert "dry run" in (await call("judge", NAME, *GOOD, "--dry-run")).stdout
    assert (await answer("execution", "list"))["executions"] == []


async def test_a_key_gives_the_first_answer_again(answer, line):
    first = await answer("judge", NAME, *GOOD, "--key", "k-1")
    again = await answer("judge", NAME, *GOOD, "--key", "k-1")
    assert again["execution"]["name"] == first["execution"]["name"]
    assert again["replayed"]


async def test_a_judgment_is_explained_in_words_and_in_tables(call, answer, line):
    judged = await answer("judge", NAME, "defect_rate=0.075", "temperature=88.5", "product=gear")
    result = await call("execution", "explain", judged["execution"]["name"])
    assert result.stdout.startswith("! warning  by rule drift · confidence 0.85")
    said, _, missed = result.stdout.partition("What missed by one condition")
    rules = {row.split()[0]: row for row in said.splitlines() if row[:1].islower()}
    assert "★ decided" in rules["drift"]
    assert "✔ defect_rate > 0.03  (0.045)" in rules["drift"]
    assert "✘ did not match" in rules["gear-hot"]
    missed, _, changed = missed.partition("What would change it")
    assert "scrap     critical  defect_rate  > 0.08    0.006      6" in missed
    assert "defect_rate  0.075  0.081    critical  6" in changed


async def test_judging_can_explain_at_once(call, line):
    result = await call("judge", NAME, *SCRAP, "--explain", "--lang", "ko")
    assert "규칙별 결과" in result.stdout


async def test_executions_are_listed_by_what_they_are(call, answer, line):
    await answer("judge", NAME, *GOOD, "--line", "L1")
    scrapped = await answer("judge", NAME, *SCRAP, "--line", "L2", "--shift", "night")
    (row,) = (await call("execution", "list", NAME, "--outcome", "critical")).stdout.splitlines()[2:]
    assert row.startswith(scrapped["execution"]["name"].removeprefix("executions/"))
    assert "✘ critical" in row
    assert "L2 · night" in row
    for wanted in (["--line", "L1"], ["--rule", "normal"], ["--until", "0s", "--line", "L1"]):
        found = await answer("execution", "list", NAME, *wanted)
        assert [each["segment"]["line"] for each in found["executions"]] == ["L1"]
    assert (await answer("execution", "list", NAME, "--version", "1", "--since", "0s"))["executions"] == []


async def test_one_execution_is_shown_whole(call, answer, line):
    judged = await answer("judge", NAME, *SCRAP, "--line", "L2", "--at", "2h")
    result = await call("execution", "get", judged["execution"]["name"])
    assert "defect_rate = 0.09" in result.stdout
    assert "Recommended  1. stop the line (stop-line)" in result.stdout
    assert "2 h ago" in result.stdout
    missing = await call("execution", "get", "0" * 8 + "-0000-7000-8000-" + "0" * 12)
    assert missing.exit_code == 3
    assert "execution list" in missing.stderr


async def test_a_file_is_judged_row_by_row_and_counted(call, answer, line, csv):
    result = await call("judge", NAME, "--file", csv(ROWS))
    assert result.exit_code == 0
    told, *table = result.stdout.splitlines()
    assert told.startswith("✔ 4 judged, 0 refused, in ")
    assert [row.split() for row in table[2:]] == [
        ["normal", "1", "25.0%"],
        ["warning", "1", "25.0%"],
        ["critical", "1", "25.0%"],
        ["INDETERMINATE", "1", "25.0%"],
    ]
    found = (await answer("execution", "list", "--unit", "lot-2"))["executions"]
    assert {(each["segment"]["line"], each["segment"]["shift"]) for each in found} == {("L2", "night")}


async def test_a_row_that_is_wrong_keeps_no_other_from_being_judged(call, line, csv, tmp_path):
    wrong = ROWS + "7,80,gear,L1,day,lot-3\n0.01,80\n"
    result = await call("judge", NAME, "--file", csv(wrong), "--results", "out.jsonl")
    assert result.exit_code == 5
    assert result.stdout.startswith("✘ 4 judged, 2 refused, in ")
    assert "row 5: defect_rate: " in result.stdout
    assert "row 6: it has 2 cells, the header has 6" in result.stdout
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert ["judged" in row for row in rows] == [True] * 4 + [False] * 2


async def test_a_run_that_goes_on_judges_nothing_twice(call, answer, line, csv):
    await call("judge", NAME, "--file", csv(ROWS), "--run", "r-1")
    again = await call("judge", NAME, "--file", csv(ROWS + "0.2,80,gear,L1,day,lot-9\n"), "--run", "r-1")
    assert "✔ 5 judged, 0 refused" in again.stdout
    assert "4 had been judged in this run before" in again.stdout
    assert len((await answer("execution", "list"))["executions"]) == 5


async def test_json_lines_are_judged_and_answered_as_json_lines(call, line, csv):
    given = [
        {"defect_rate": 0.5, "temperature": 80, "product": "gear", "_line": "L1", "_time": "2026-11-01T08:00:00Z"},
        {"defect_rate": 0.5, "temperature": [], "product": "gear"},
        {"defect_rate": 0.5, "temperature": 80, "product": "gear", "_time": "yesterday"},
    ]
    file = csv("\n".join(map(json.dumps, given)), "rows.jsonl")
    result = await call("judge", NAME, "--file", file, "-o", "json")
    first, second, third = [json.loads(row) for row in result.stdout.splitlines()]
    assert first["judged"]["execution"]["eventTime"] == "2026-11-01T08:00:00Z"
    assert "no JSON object" in second["error"]["message"]
    assert "yesterday" in third["error"]["message"]


@pytest.mark.parametrize(
    "text",
    [f'{{"defect_rate": 1{"0" * 400}}}', '{"product": "\\ud800"}', '{"_line": "\\ud800"}', "[" * 100_000, "[]", "no"],
)
async def test_a_line_that_no_message_can_hold_is_refused_alone(call, line, csv, text):
    good = json.dumps({"defect_rate": 0.5, "temperature": 80, "product": "gear"})
    result = await call("judge", NAME, "--file", csv(f"{text}\n{good}\n", "rows.jsonl"))
    assert result.exit_code == 5
    assert "✘ 1 judged, 1 refused" in result.stdout
    assert "row 1: it is no JSON object" in result.stdout


@pytest.mark.parametrize("source", ["-", "rows.csv"])
async def test_a_file_that_is_no_utf_8_says_so(call, line, tmp_path, source):
    data = ROWS.encode() + b"0.01,80,\xff\xfe,L1,day,lot-1\n"
    (tmp_path / "rows.csv").write_bytes(data)
    result = await call("judge", NAME, "--file", source, stdin=data)
    assert result.exit_code == 2
    assert "UTF-8?" in result.stderr


async def test_rows_come_from_standard_input_too(call, line):
    assert "4 judged" in (await call("judge", NAME, "--file", "-", stdin=ROWS)).stdout


async def test_a_column_that_is_no_field_is_left_out_only_if_told(call, line, csv):
    file = csv(ROWS.replace("_unit", "colour"))
    refused = await call("judge", NAME, "--file", file)
    assert refused.exit_code == 2
    assert "colour" in refused.stderr
    assert "--ignore-unknown" in refused.stderr
    assert (await call("judge", NAME, "--file", file, "--ignore-unknown")).exit_code == 0


async def test_more_rows_than_a_batch_are_judged_all(call, line, csv):
    rows = "".join(f"{number / 10_000:.3f},80,gear\n" for number in range(2_500))
    result = await call("judge", NAME, "--file", csv("defect_rate,temperature,product\n" + rows))
    assert result.stdout.startswith("✔ 2,500 judged, 0 refused, in ")


async def test_a_file_that_is_not_there_says_so(call, line):
    result = await call("judge", NAME, "--file", "nowhere.csv")
    assert result.exit_code == 2
    assert "nowhere.csv cannot be read" in result.stderr
