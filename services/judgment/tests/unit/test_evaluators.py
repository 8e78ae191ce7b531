"""Row = columns = ZEN, on rulesets and inputs at random.

What ZEN does differently is named here, each with a test of its own, and kept out of what is compared: it is why the
tables are judged by an evaluator of ours.
"""

import json
import math
import os
from decimal import Decimal
from random import Random

import numpy as np
import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import columns, random_inputs, random_ruleset
from judgment_samples.documents import decision, reading, ruleset, table, weld
from judgment_samples.pages import page
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.input.check import Refused
from millwright_judgment.domain.input.columns import FlagColumn, NumberColumn, TextColumn, check_columns, values_at
from millwright_judgment.domain.ruleset.canonical import to_decision
from millwright_judgment.store import parquet

CASES = int(os.environ.get("JUDGMENT_CASES", "20000"))
"""How many inputs ZEN is compared on; `make cases` takes a million."""
INPUTS = 100
"""How many of them a ruleset gets."""


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([None, 63, 64, 65, 130]))
def test_columns_judge_as_rows_do(seed, rules):
    random = Random(seed)
    evaluator = Evaluator(random_ruleset(random, rules=rules))
    inputs = random_inputs(random, evaluator.ruleset, 60)
    judged = ColumnEvaluator(evaluator).judge(columns(evaluator.ruleset, inputs), len(inputs))
    for row, given_input in enumerate(inputs):
        judgment = evaluator.judge(given_input)
        assert isinstance(judgment, Judgment)
        assert judged.decision_at(row) == judgment.decision
        assert judged.matched_at(row) == judgment.matched


def zen_of(rules):
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": to_decision(rules)}}})
    return lambda values: engine.evaluate("rules", json.dumps(values))["result"]


def test_rows_and_columns_judge_as_zen_does():
    """On a ruleset and inputs that shrink to what is needed: rules and cells go, and an input whose seed gets 0."""
    count = 0

    @settings(max_examples=math.ceil(CASES / INPUTS), deadline=None, derandomize=True, database=None)
    @given(st.randoms(use_true_random=False), st.lists(st.integers(0, 2**32), min_size=INPUTS, max_size=INPUTS))
    def compare(random, seeds):
        nonlocal count
        rules = random_ruleset(random, null_after_comparison=False)
        inputs = [random_inputs(Random(seed), rules, 1)[0] for seed in seeds if seed]
        compare_with_zen(rules, inputs)
        count += len(inputs)

    compare()
    assert count > 0.95 * CASES  # seeds of 0 are left out


def compare_with_zen(rules, inputs):
    """Hold rows, columns and ZEN to one answer for each input."""
    evaluator, evaluate = Evaluator(rules), zen_of(rules)
    judged = ColumnEvaluator(evaluator).judge(columns(rules, inputs), len(inputs))
    for row, given_input in enumerate(inputs):
        judgment = evaluator.judge(given_input)
        assert judged.decision_at(row) == judgment.decision, described(rules, given_input)
        assert judged.matched_at(row) == judgment.matched, described(rules, given_input)
        theirs = evaluate(dict(zip(evaluator.names, judgment.values, strict=True)))
        if isinstance(theirs, list):
            matched = [rule for rule in evaluator.matched_rules(judgment.matched) if rule.startswith("r")]
            assert [found["rule"] for found in theirs] == matched, described(rules, given_input)
        else:
            assert (theirs or {}).get("rule", "") == judgment.decision.rule, described(rules, given_input)
            assert (theirs or {}).get("outcome", "") == judgment.decision.outcome, described(rules, given_input)


def described(rules, given_input):
    """What a case is about, as it can be tried again."""
    return f"{json.dumps(given_input)} on {json.dumps(to_decision(rules))}"


def one_rule(cell, **field):
    fields = [{"field": "x", "type": "number", "resolution": 0.001, "missing": "allow", **field}]
    rows = [{"_id": "r", "x": cell, "outcome": '"critical"'}, {"_id": "rest", "outcome": '"normal"'}]
    return ruleset(weld(inputs=fields, decision=decision(table(["x"], ["outcome"], rows))))


def test_zen_gives_one_number_two_judgments_by_how_it_comes_in():
    rules = one_rule("> 0.08")
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": to_decision(rules)}}})
    value = {"x": 0.08000000000000002}
    assert engine.evaluate("rules", value)["result"] == {"outcome": "normal"}
    assert engine.evaluate("rules", json.dumps(value))["result"] == {"outcome": "critical"}
    evaluator = Evaluator(rules)
    judged = ColumnEvaluator(evaluator).judge({"x": NumberColumn(np.array([value["x"]]))}, 1)
    assert evaluator.judge(value).decision.outcome == judged.decision_at(0).outcome == "normal"


def test_zen_asks_for_null_no_more_once_it_has_compared():
    rules = one_rule("> 5 or null")
    assert zen_of(rules)({"x": None}) == {"outcome": "normal"}
    assert Evaluator(rules).judge({}).decision.outcome == "critical"


def test_zen_lets_nothing_through_a_dash():
    rules = one_rule("-")
    assert Evaluator(rules).judge({"x": 1}).decision.outcome == "critical"
    assert zen_of(rules)({"x": 1}) == {"outcome": "critical"}  # it is exported as an empty cell
    exported = to_decision(rules)
    exported["nodes"][1]["content"]["rules"][0]["in-1"] = "-"
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": exported}}})
    assert engine.evaluate("rules", {"x": 1})["result"] == {"outcome": "normal"}


def zen_with(rules, cell):
    """Give ZEN's result for a table of ours whose first cell is another: what we refuse, it takes."""
    exported = to_decision(rules)
    exported["nodes"][1]["content"]["rules"][0]["in-1"] = cell
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": exported}}})
    return lambda values: engine.evaluate("rules", json.dumps(values))["result"]


@pytest.mark.parametrize(
    ("cell", "value", "meant"),
    [
        ("> eight", 9, "a syntax error"),
        ("not(1)", 5, "all but 1"),
        ("-", 5, "anything, as in DMN"),
    ],
)
def test_zen_takes_a_cell_that_it_cannot_use_for_one_that_does_not_match(cell, value, meant):
    assert zen_with(one_rule("> 5"), cell)({"x": value}) == {"outcome": "normal"}, meant


def test_zen_means_the_outside_by_an_interval_of_turned_brackets():
    evaluate = zen_with(one_rule("> 5"), "]1..3[")
    assert [evaluate({"x": value})["outcome"] for value in (0, 2, 4)] == ["critical", "normal", "critical"]


@pytest.mark.parametrize("cell", ["> eight", "not(1)", "]1..3["])
def test_what_zen_takes_in_its_own_way_is_refused_here(cell):
    fields = [{"field": "x", "type": "number"}]
    rows = [{"_id": "r", "x": cell, "outcome": '"critical"'}]
    read = reading(weld(inputs=fields, decision=decision(table(["x"], ["outcome"], rows))))
    assert [finding.code for finding in read.findings] == ["CELL_SYNTAX"]


@pytest.mark.parametrize("values", [{}, {"x": None}, {"x": "9"}])
def test_zen_calls_what_is_missing_or_of_another_type_normal(values):
    rules = one_rule("> 5", missing="error")
    assert zen_of(rules)(values) == {"outcome": "normal"}
    assert isinstance(Evaluator(rules).judge(values), Refused)


def test_zen_passes_over_a_rule_whose_output_it_cannot_read():
    rules = one_rule("> 5")
    exported = to_decision(rules)
    exported["nodes"][1]["content"]["rules"][0]["out-1"] = "critical("
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": exported}}})
    assert engine.evaluate("rules", json.dumps({"x": 9}))["result"] == {"outcome": "normal"}


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, True),
        ({"defect_rate": NumberColumn(np.array([np.nan]))}, False),
        ({"defect_rate": NumberColumn(np.array([np.inf]))}, False),
        ({"defect_rate": NumberColumn(np.array([1e308]))}, False),
        ({"defect_rate": NumberColumn(np.array([1.0004]))}, True),
        ({"defect_rate": NumberColumn(np.array([1.0006]))}, False),
        ({"defect_rate": NumberColumn(np.array([0.5]), np.array([True]))}, False),
        ({"defect_rate": TextColumn(np.array([0], dtype=np.int32), ("0.5",))}, False),
        ({"defect_rate": None}, False),
        ({"product": TextColumn(np.array([0], dtype=np.int32), ("wheel",))}, False),
        ({"product": TextColumn(np.array([-1], dtype=np.int32), ("widget",))}, False),
        ({"product": FlagColumn(np.array([1], dtype=np.int8))}, False),
    ],
)
def test_columns_refuse_what_rows_refuse(changes, decided):
    sound = {
        "defect_rate": NumberColumn(np.array([0.05])),
        "temperature": NumberColumn(np.array([85.5])),
        "product": TextColumn(np.array([0], dtype=np.int32), ("widget",)),
    }
    given = {name: column for name, column in {**sound, **changes}.items() if column is not None}
    judged = ColumnEvaluator(Evaluator(ruleset(weld()))).judge(given, 1)
    assert (judged.decision_at(0) is not None) is decided


def test_columns_take_defaults_and_say_indeterminate():
    fields = [
        {"field": "rate", "type": "number", "missing": "default", "default": 0.5},
        {"field": "heat", "type": "number", "missing": "indeterminate", "max": 10, "outside": "indeterminate"},
        {"field": "label", "type": "string", "missing": "default", "default": "z"},
        {"field": "flag", "type": "boolean", "missing": "default", "default": True},
    ]
    rows = [{"_id": "r", "rate": "0.5", "label": '"z"', "flag": "true", "outcome": '"critical"'}]
    main = table(["rate", "heat", "label", "flag"], ["outcome"], rows)
    evaluator = Evaluator(ruleset(weld(inputs=fields, decision=decision(main))))
    heat = NumberColumn(np.array([5.0, 11.0, 0.0]), np.array([False, False, True]))
    checked = ColumnEvaluator(evaluator).judge({"heat": heat}, 3)
    labels = [checked.decision_at(row).label for row in range(3)]
    assert labels == ["critical", "INDETERMINATE", "INDETERMINATE"]
    assert [checked.matched_at(row) for row in range(3)] == [1, 0, 0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_values_come_out_of_columns_as_a_check_gives_them(seed):
    random = Random(seed)
    evaluator = Evaluator(random_ruleset(random))
    inputs = random_inputs(random, evaluator.ruleset, 20)
    checked = check_columns(evaluator.ruleset.fields, columns(evaluator.ruleset, inputs), len(inputs))
    for row, given_input in enumerate(inputs):
        values = values_at(evaluator.ruleset.fields, checked.columns, row)
        judged = evaluator.judge(given_input).values
        assert values == judged
        assert [type(value) for value in values] == [type(value) for value in judged]


@given(
    st.floats(min_value=-1e7, max_value=1e7),
    st.sampled_from([0.001, 0.25, 5, 0.000001, 0.3, 0.1]),
)
def test_a_number_is_rounded_alike_in_rows_and_columns(value, resolution):
    rules = one_rule("> 0.08", resolution=resolution)
    judged = ColumnEvaluator(Evaluator(rules))
    checked = Evaluator(rules).judge({"x": value})
    column = check_columns(rules.fields, {"x": NumberColumn(np.array([value]))}, 1).columns[0]
    assert float(column.values[0]) == checked.values[0]
    assert judged.judge({"x": NumberColumn(np.array([value]))}, 1).decision_at(0) == checked.decision


@settings(max_examples=300, deadline=None)
@given(
    st.integers(-2_000, 2_000),
    st.sampled_from([0.001, 0.01, 0.25, 5, 0.3]),
    st.sampled_from([0, 1, -1, 2, -2, 3]),
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
)
def test_a_number_at_a_limit_has_one_answer_on_every_path(steps, resolution, bits, sign):
    limit = Decimal(str(resolution)) * steps
    value = float(limit)
    for _ in range(abs(bits)):
        value = math.nextafter(value, math.copysign(math.inf, bits))
    evaluator = Evaluator(one_rule(f"{sign} {limit}", resolution=resolution))
    live = evaluator.judge({"x": value})
    exact = {">": 0, ">=": 1, "<": 0, "<=": 1, "==": 1, "!=": 0}[sign]
    assert live.decision.outcome == ("critical" if exact else "normal")  # as at the limit itself

    by_column = ColumnEvaluator(evaluator)
    assert by_column.judge({"x": NumberColumn(np.array([value]))}, 1).decision_at(0) == live.decision
    made = page([(1, evaluator, {"x": value})])
    copied = parquet.to_page(parquet.decode(parquet.encode(made, {1: evaluator})))
    for each in (made, copied):
        assert evaluator.judge(each.inputs.at(0)).decision == live.decision
        inputs = each.inputs.columns(evaluator.ruleset.fields, np.arange(1))
        assert by_column.judge(inputs, 1).decision_at(0) == live.decision
    stored = dict(zip(evaluator.names, live.values, strict=True))
    assert zen_of(evaluator.ruleset)(json.loads(json.dumps(stored)))["outcome"] == live.decision.outcome
