"""Documents: everything that is wrong with one is found at once, each fault at its place."""

import copy
import json

import pytest
from judgment_samples.documents import FIELDS, decision, reading, ruleset, table, weld, weld_rows
from millwright_judgment.domain.errors import InvalidRuleset
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.ruleset import canonical, document, gorules
from millwright_judgment.domain.ruleset.limits import DOCUMENT_BYTES, ROWS
from millwright_judgment.domain.ruleset.model import HitPolicy


def found(value):
    return [(finding.code, finding.pointer) for finding in reading(value).findings]


def cell(row, column):
    return f"/decision/nodes/1/content/rules/{row}/{column}"


def main_table(value):
    return value["decision"]["nodes"][1]["content"]


def test_a_sound_document_is_a_ruleset():
    read = ruleset(weld())
    assert read.id == "line.weld"
    assert read.rule_ids == ("r-critical", "r-warm", "r-hot", "r-normal")
    assert read.tables[0].hit_policy is HitPolicy.FIRST
    assert read.level("critical") == 2


@pytest.mark.parametrize(
    ("rows", "code", "at"),
    [
        (weld_rows(r_hot={"temperature": "> abc"}), "CELL_SYNTAX", cell(2, "i_temperature")),
        (weld_rows(r_hot={"temperature": '"hot"'}), "CELL_TYPE", cell(2, "i_temperature")),
        (weld_rows(r_hot={"temperature": "x" * 1_001}), "CELL_TOO_LONG", cell(2, "i_temperature")),
        (weld_rows(r_hot={"temperature": 5}), "WRONG_TYPE", cell(2, "i_temperature")),
        (weld_rows(r_hot={"product": '"wheel"'}), "CELL_OUT_OF_RANGE", cell(2, "i_product")),
        (weld_rows(r_hot={"outcome": '"bad"'}), "CELL_TYPE", cell(2, "o_outcome")),
        (weld_rows(r_hot={"outcome": ""}), "OUTCOME_MISSING", cell(2, "o_outcome")),
        (weld_rows(r_hot={"outcome": "1 / 0"}), "CELL_SYNTAX", cell(2, "o_outcome")),
        (weld_rows(r_hot={"confidence": "1.01"}), "CELL_TYPE", cell(2, "o_confidence")),
        (weld_rows(r_hot={"confidence": "true"}), "CELL_TYPE", cell(2, "o_confidence")),
        (weld_rows(r_hot={"actions": '"explode"'}), "CELL_OUT_OF_RANGE", cell(2, "o_actions")),
        (weld_rows(r_hot={"actions": "7"}), "CELL_TYPE", cell(2, "o_actions")),
        (weld_rows(r_hot={"explanation_en": '"{colour}"'}), "UNKNOWN_FIELD", cell(2, "o_explanation_en")),
        (weld_rows(r_hot={"confidence": "colour"}), "UNKNOWN_FIELD", cell(2, "o_confidence")),
        (weld_rows(r_hot={"_id": "r-warm"}), "DUPLICATE_RULE", cell(2, "_id")),
        (weld_rows(r_hot={"_id": ""}), "MISSING_KEY", "/decision/nodes/1/content/rules/2"),
        (weld_rows(r_hot={"_id": "no spaces"}), "INVALID_VALUE", cell(2, "_id")),
        (weld_rows(r_hot={"colour": "> 1"}), "UNKNOWN_COLUMN", cell(2, "i_colour")),
    ],
)
def test_a_fault_in_a_cell_is_found_at_the_cell(rows, code, at):
    assert (code, at) in found(weld(rows))


def test_a_fault_in_a_cell_names_table_rule_and_field():
    finding = reading(weld(weld_rows(r_hot={"temperature": "> abc"}))).findings[0]
    assert (finding.table, finding.rule, finding.field) == ("main", "r-hot", "temperature")


def test_all_faults_are_found_at_once():
    rows = weld_rows(r_hot={"temperature": "> abc", "outcome": '"bad"'}, r_warm={"defect_rate": "[5..1]"})
    codes = [code for code, _ in found(weld(rows, version="one", levels=["normal", "warning", "critical"]))]
    assert sorted(codes) == ["CELL_SYNTAX", "CELL_SYNTAX", "CELL_TYPE", "INVALID_VALUE"]
    with pytest.raises(InvalidRuleset) as refusal:
        reading(weld(rows)).require()
    assert len(refusal.value.violations) == 3


@pytest.mark.parametrize("kind", ["functionNode", "expressionNode", "switchNode", "decisionNode", "customNode"])
def test_nodes_that_cannot_be_analysed_are_refused_by_name(kind):
    value = weld()
    value["decision"]["nodes"].append({"id": "f", "type": kind, "name": "extra", "content": {}})
    finding = next(finding for finding in reading(value).findings if finding.code == "FORBIDDEN_NODE")
    assert kind in finding.message
    assert finding.pointer == "/decision/nodes/3/type"


@pytest.mark.parametrize("policy", ["unique", None, ["first"]])
def test_other_hit_policies_are_refused(policy):
    value = weld()
    main_table(value)["hitPolicy"] = policy
    assert found(value) == [("INVALID_HIT_POLICY", "/decision/nodes/1/content/hitPolicy")]


def test_a_column_that_collects_contradicts_its_table():
    value = weld()
    main_table(value)["outputs"].append({"id": "m", "name": "matched", "field": "matched[]"})
    assert found(value) == [("INVALID_HIT_POLICY", "/decision/nodes/1/content/outputs/5/field")]


def test_only_the_last_table_collects():
    first = table(["temperature"], ["heat"], [{"_id": "a", "heat": '"hot"'}], name="first", hit="collect")
    second = table(["heat"], ["outcome"], [{"_id": "b", "outcome": '"normal"'}], name="second")
    assert ("INVALID_HIT_POLICY", "/decision/nodes/1/content/hitPolicy") in found(
        weld(decision=decision(first, second))
    )


@pytest.mark.parametrize(
    "edges",
    [
        [],
        [("begin", "node-main")],
        [("begin", "end")],
        [("begin", "node-main"), ("node-main", "end"), ("begin", "end")],
        [("begin", "node-main"), ("node-main", "node-main")],
        [("begin", "node-main"), ("node-main", "gone")],
        [("begin", "node-main"), ("node-main", "end"), ("end", "begin")],
    ],
)
def test_nodes_that_form_no_chain_are_refused(edges):
    value = weld()
    value["decision"]["edges"] = [{"id": "e", "sourceId": source, "targetId": target} for source, target in edges]
    assert "BROKEN_GRAPH" in [code for code, _ in found(value)]


@pytest.mark.parametrize(
    ("field", "code", "at"),
    [
        ({"field": "x y", "type": "number"}, "INVALID_VALUE", "/inputs/3/field"),
        ({"field": "x", "type": "date"}, "INVALID_VALUE", "/inputs/3/type"),
        ({"field": "x"}, "MISSING_KEY", "/inputs/3"),
        ({"field": "product", "type": "string"}, "DUPLICATE_FIELD", "/inputs/3"),
        ({"field": "x", "type": "number", "resolution": 0}, "INVALID_VALUE", "/inputs/3/resolution"),
        ({"field": "x", "type": "number", "resolution": -1}, "INVALID_VALUE", "/inputs/3/resolution"),
        ({"field": "x", "type": "integer", "resolution": 0.5}, "INVALID_VALUE", "/inputs/3/resolution"),
        ({"field": "x", "type": "number", "min": 5, "max": 1}, "INVALID_VALUE", "/inputs/3/max"),
        ({"field": "x", "type": "number", "min": 0.5, "resolution": 1}, "INVALID_VALUE", "/inputs/3/min"),
        ({"field": "x", "type": "string", "min": 5}, "INVALID_VALUE", "/inputs/3/min"),
        ({"field": "x", "type": "number", "values": ["a"]}, "INVALID_VALUE", "/inputs/3/values"),
        ({"field": "x", "type": "string", "values": ["a", "a"]}, "INVALID_VALUE", "/inputs/3/values"),
        ({"field": "x", "type": "number", "missing": "default"}, "INVALID_VALUE", "/inputs/3/default"),
        ({"field": "x", "type": "number", "default": 1}, "INVALID_VALUE", "/inputs/3/default"),
        ({"field": "x", "type": "number", "missing": "zero"}, "INVALID_VALUE", "/inputs/3/missing"),
        ({"field": "x", "type": "number", "colour": 1}, "UNKNOWN_KEY", "/inputs/3/colour"),
    ],
)
def test_a_fault_in_the_schema_is_found_at_its_key(field, code, at):
    assert (code, at) in found(weld(inputs=[*FIELDS, field]))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "MALFORMED_JSON"),
        ("{", "MALFORMED_JSON"),
        ("[" * 100_000, "DOCUMENT_TOO_DEEP"),
        ("[" * 40 + "]" * 40, "DOCUMENT_TOO_DEEP"),
        (f'{{"name": "{"x" * DOCUMENT_BYTES}"}}', "DOCUMENT_TOO_LARGE"),
        ('{"version": NaN}', "MALFORMED_JSON"),
        ('{"version": 1e999}', "MALFORMED_JSON"),
        ('{"version": 123456789012345678901234}', "MALFORMED_JSON"),
        ('{"version": "\\u0000"}', "MALFORMED_JSON"),
        ('{"version": "\\ud800"}', "MALFORMED_JSON"),
        ('{"name": "a", "name": "b"}', "DUPLICATE_KEY"),
        ("[]", "WRONG_TYPE"),
        ("5", "WRONG_TYPE"),
        ("null", "WRONG_TYPE"),
    ],
)
def test_hostile_text_is_a_finding(text, code):
    assert code in [finding.code for finding in document.read(text).findings]


def places(value, at=()):
    yield at
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*at, key))


@pytest.mark.parametrize("strange", [5, -0.5, "x", "", [], {}, [5], [["x"]], {"x": 5}, True, None], ids=repr)
def test_no_value_at_any_place_makes_the_reader_fail(strange):
    full = weld(
        titles={"en": "Weld"},
        levels=["normal", "warning", "critical"],
        outputs={"outcome": "outcome", "explanations": {"en": "explanation_en"}},
        default={"outcome": "warning"},
        examples=[{"name": "hot", "input": {"temperature": 150}, "expect": {"outcome": "warning", "rule": "r-hot"}}],
        blocking=["GAP"],
        acknowledge="stored",
    )
    for at in places(full):
        changed = {"all": copy.deepcopy(full)}
        holder = changed
        key = "all"
        for step in at:
            holder, key = holder[key], step
        holder[key] = strange
        read = document.read(json.dumps(changed["all"]))
        if read.ruleset is not None:
            canonical.to_text(read.ruleset)
            Evaluator(read.ruleset)


def test_rows_are_taken_up_to_their_limit():
    def rows(count):
        return [{"_id": f"r{index}", "defect_rate": f"> {index}", "outcome": '"normal"'} for index in range(count)]

    fields = [{"field": "defect_rate", "type": "number"}]

    def findings(count):
        main = table(["defect_rate"], ["outcome"], rows(count))
        return found(weld(inputs=fields, decision=decision(main)))

    assert findings(ROWS) == []
    assert [code for code, _ in findings(ROWS + 1)] == ["TOO_MANY", "OUTCOME_MISSING"]


def test_the_hash_sees_the_content_and_not_the_layout():
    original = canonical.content_hash(ruleset(weld()))
    moved = weld()
    moved["decision"]["nodes"][1]["position"] = {"x": 77, "y": 5}
    moved["decision"]["nodes"][1]["id"] = "another"
    for edge in moved["decision"]["edges"]:
        edge.update({key: "another" for key in ("sourceId", "targetId") if edge[key] == "node-main"})
    main_table(moved)["rules"][2]["i_temperature"] = "  >= 120 "
    assert canonical.content_hash(ruleset(moved)) == original
    assert canonical.content_hash(ruleset(weld(weld_rows(r_hot={"temperature": ">= 121"})))) != original
    assert canonical.content_hash(ruleset(weld(titles={"en": "Weld"}))) != original


def test_the_canonical_form_reads_back_as_itself():
    value = weld(
        titles={"en": "Weld", "ko": "용접"},
        default={"outcome": "warning", "confidence": 0.5},
        examples=[{"name": "hot", "input": {"temperature": 150}, "expect": {"outcome": "warning", "rule": "r-hot"}}],
        blocking=["GAP"],
        acknowledge="received",
    )
    text = canonical.to_text(ruleset(value))
    again = document.read(text).require()
    assert canonical.to_text(again) == text
    assert again == ruleset(json.loads(text))


def test_a_decision_file_goes_out_and_comes_back():
    decision_file = canonical.to_decision(ruleset(weld()))
    drafted, findings = gorules.import_decision(json.dumps(decision_file), "line", "weld", "1.0.0")
    assert findings == ()
    back = ruleset(drafted)
    assert canonical.to_decision(back) == decision_file
    assert [(field.name, field.type) for field in back.fields] == [
        ("defect_rate", "number"),
        ("temperature", "number"),
        ("product", "string"),
    ]
    assert back.fields[0].grid.resolution == 0.01


def test_what_an_imported_file_lacks_is_said():
    decision_file = decision(table(["x.y"], ["result"], [{"_id": "a", "x.y": "> 5", "result": "f(x)"}]))
    _, findings = gorules.import_decision(json.dumps(decision_file), "line", "weld", "1.0.0")
    assert {finding.code for finding in findings} >= {"INVALID_VALUE", "CELL_SYNTAX", "OUTCOME_MISSING"}


def test_a_description_that_is_null_is_an_empty_one():
    value = weld()
    main_table(value)["rules"][0]["_description"] = None
    assert canonical.to_decision(ruleset(value))["nodes"][1]["content"]["rules"][0]["_description"] == ""


@pytest.mark.parametrize("name", ["rate", "grade"])
def test_a_name_that_a_table_cannot_see_any_more_is_still_taken(name):
    fields = [{"field": "rate", "type": "number"}]
    first = table(["rate"], ["grade"], [{"_id": "a", "rate": "> 5", "grade": "1"}], name="first")
    second = table(["grade"], ["class"], [{"_id": "b", "grade": "1", "class": "1"}], name="second")
    third = table(["class"], [name], [{"_id": "c", "class": "1", name: "7"}], name="third")
    last = table([name], ["outcome"], [{"_id": "d", name: "7", "outcome": '"critical"'}], name="last")
    value = weld(inputs=fields, decision=decision(first, second, third, last))
    assert found(value) == [("DUPLICATE_FIELD", "/decision/nodes/3/content/outputs/0/field")]
