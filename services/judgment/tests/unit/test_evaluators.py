"""Row = columns = ZEN, on rulesets and inputs at random.

What ZEN does differently is named here, each with a test of its own, and kept out of what is compared: it is why the
tables are judged by an evaluator of ours.
"""

import json
import os
from random import Random

import numpy as np
import pytest
import zen
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import columns, random_inputs, random_ruleset
from judgment_samples.documents import decision, ruleset, table, weld
from millwright_judgment.domain.evaluation.columns import ColumnEvaluator
from millwright_judgment.domain.evaluation.rows import Evaluator, Judgment
from millwright_judgment.domain.input.columns import FlagColumn, NumberColumn, TextColumn, check_columns, values_at
from millwright_judgment.domain.ruleset.canonical import to_decision

CASES = int(os.environ.get("JUDGMENT_CASES", "20000"))
"""How many inputs ZEN is compared on; a million takes a minute."""
INPUTS = 250


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


def test_rows_judge_as_zen_does():
    for seed in range(max(1, CASES // INPUTS)):
        random = Random(seed)
        evaluator = Evaluator(random_ruleset(random, null_after_comparison=False))
        evaluate = zen_of(evaluator.ruleset)
        for given_input in random_inputs(random, evaluator.ruleset, INPUTS):
            judgment = evaluator.judge(given_input)
            theirs = evaluate(dict(zip(evaluator.names, judgment.values, strict=True)))
            if isinstance(theirs, list):
                matched = [rule for rule in evaluator.matched_rules(judgment.matched) if rule.startswith("r")]
                assert [found["rule"] for found in theirs] == matched, (seed, given_input)
            else:
                assert (theirs or {}).get("rule", "") == judgment.decision.rule, (seed, given_input)
                assert (theirs or {}).get("outcome", "") == judgment.decision.outcome, (seed, given_input)


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
