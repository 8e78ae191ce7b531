"""Judging one input."""

import pytest
from judgment_samples.documents import ACTIONS, decision, ruleset, table, weld, weld_rows
from millwright_judgment.domain.evaluation.decisions import Status
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.input.check import Refused

SOUND = {"defect_rate": 0.05, "temperature": 85.5, "product": "widget"}


def judge(value, **given):
    evaluator = Evaluator(ruleset(value))
    judgment = evaluator.judge(given)
    assert not isinstance(judgment, Refused), judgment
    return evaluator, judgment


@pytest.mark.parametrize(
    ("given", "outcome", "rule", "matched"),
    [
        ({}, "warning", "r-warm", ["r-warm", "r-normal"]),
        ({"defect_rate": 0.081}, "critical", "r-critical", ["r-critical", "r-normal"]),
        ({"defect_rate": 0.08}, "warning", "r-warm", ["r-warm", "r-normal"]),
        ({"defect_rate": 0.08000000000000002}, "warning", "r-warm", ["r-warm", "r-normal"]),
        ({"product": "gear"}, "normal", "r-normal", ["r-normal"]),
        ({"temperature": 120}, "warning", "r-warm", ["r-warm", "r-hot", "r-normal"]),
        ({"temperature": 119.94, "product": "gear"}, "normal", "r-normal", ["r-normal"]),
        ({"temperature": 119.96, "product": "gear"}, "warning", "r-hot", ["r-hot", "r-normal"]),
    ],
)
def test_the_first_rule_that_matches_decides(given, outcome, rule, matched):
    evaluator, judgment = judge(weld(), **{**SOUND, **given})
    assert (judgment.decision.outcome, judgment.decision.rule) == (outcome, rule)
    assert list(evaluator.matched_rules(judgment.matched)) == matched


def test_a_decision_holds_what_the_rule_says():
    evaluator, judgment = judge(weld(), **{**SOUND, "defect_rate": 0.1})
    assert judgment.decision.confidence == 0.95
    assert judgment.decision.level == 2
    assert [action.code for action in judgment.decision.actions] == ["stop-line", "inspect"]
    assert evaluator.explanations(judgment) == {"en": "0.1 defects on widget", "ko": "widget 불량률 0.1"}
    assert evaluator.matched_bits(judgment.matched) == b"\x09"


def test_an_input_that_is_wrong_is_never_normal():
    assert isinstance(Evaluator(ruleset(weld())).judge({}), Refused)
    assert isinstance(Evaluator(ruleset(weld())).judge({**SOUND, "temperature": "85"}), Refused)


def test_nothing_is_said_of_an_indeterminate_input():
    fields = [{"field": "defect_rate", "type": "number", "missing": "indeterminate"}]
    main = table(["defect_rate"], ["outcome"], [{"_id": "all", "outcome": '"normal"'}])
    _, judgment = judge(weld(inputs=fields, decision=decision(main)))
    assert judgment.decision.status is Status.INDETERMINATE
    assert judgment.matched == 0
    assert [problem.code for problem in judgment.problems] == ["MISSING"]


def test_without_a_match_the_default_speaks_or_nobody():
    rows = weld_rows()[:1]
    _, judgment = judge(weld(rows), **SOUND)
    assert judgment.decision.status is Status.NO_MATCH
    assert judgment.decision.label == "NO_MATCH"
    _, judgment = judge(weld(rows, default={"outcome": "warning", "confidence": 0.5}), **SOUND)
    assert (judgment.decision.outcome, judgment.decision.confidence, judgment.decision.rule) == ("warning", 0.5, "")


def test_a_collecting_table_takes_the_most_severe_outcome_and_all_actions():
    rows = [
        {"_id": "a", "temperature": "> 50", "outcome": '"warning"', "confidence": "0.7", "actions": '"inspect"'},
        {"_id": "b", "temperature": "> 80", "outcome": '"critical"', "confidence": "0.6", "actions": '"stop-line"'},
        {"_id": "c", "temperature": "> 80", "outcome": '"critical"', "confidence": "0.9", "actions": '["inspect"]'},
        {"_id": "d", "outcome": '"normal"'},
    ]
    main = table(["temperature"], ["outcome", "confidence", "actions"], rows, hit="collect")
    _, judgment = judge(weld(decision=decision(main)), **SOUND)
    assert (judgment.decision.outcome, judgment.decision.rule, judgment.decision.confidence) == ("critical", "b", 0.6)
    assert [action.code for action in judgment.decision.actions] == ["stop-line", "inspect"]
    _, judgment = judge(weld(decision=decision(main)), **{**SOUND, "temperature": 60})
    assert (judgment.decision.outcome, judgment.decision.rule) == ("warning", "a")


def chain(*, passes: bool):
    heat = table(
        ["temperature"],
        ["heat", "limit"],
        [
            {"_id": "hot", "temperature": "> 100", "heat": '"hot"', "limit": "0.05"},
            {"_id": "warm", "temperature": "> 50", "heat": '"warm"', "limit": "0.1"},
        ],
        name="heat",
        passes=True,
    )
    verdict = table(
        ["heat", "limit", "defect_rate"],
        ["outcome", "seen"],
        [
            {"_id": "h1", "heat": '"hot"', "defect_rate": "> 0.05", "outcome": '"critical"', "seen": "defect_rate"},
            {"_id": "w1", "limit": ">= 0.1", "outcome": '"warning"', "seen": "true"},
            {"_id": "cold", "heat": "null", "outcome": '"normal"'},
        ],
        name="verdict",
        passes=passes,
    )
    return weld(decision=decision(heat, verdict))


@pytest.mark.parametrize(
    ("temperature", "rate", "outcome", "matched", "outputs"),
    [
        (120, 0.06, "critical", ["hot", "warm", "h1"], {"seen": 0.06}),
        (60, 0.06, "warning", ["warm", "w1"], {"seen": True}),
        (20, 0.06, "normal", ["cold"], {}),
        (120, 0.01, "", ["hot", "warm"], {}),
    ],
)
def test_tables_judge_one_after_the_other(temperature, rate, outcome, matched, outputs):
    given = {**SOUND, "temperature": temperature, "defect_rate": rate}
    evaluator, judgment = judge(chain(passes=False), **given)
    assert judgment.decision.outcome == outcome
    assert list(evaluator.matched_rules(judgment.matched)) == matched
    assert evaluator.outputs(judgment) == outputs


def test_outputs_of_earlier_tables_are_passed_on_where_the_last_lets_them():
    evaluator, judgment = judge(chain(passes=True), **{**SOUND, "temperature": 120, "defect_rate": 0.06})
    assert evaluator.outputs(judgment) == {"seen": 0.06, "heat": "hot", "limit": 0.05}
    evaluator, judgment = judge(chain(passes=True), **{**SOUND, "temperature": 20})
    assert evaluator.outputs(judgment) == {}


def test_flags_and_nulls_are_judged():
    fields = [
        {"field": "locked", "type": "boolean", "missing": "allow"},
        {"field": "count", "type": "integer", "missing": "allow"},
    ]
    rows = [
        {"_id": "locked", "locked": "true", "outcome": '"critical"'},
        {"_id": "unknown", "locked": "null", "count": "null", "outcome": '"warning"'},
        {"_id": "some", "count": "!= 0", "outcome": '"warning"'},
        {"_id": "rest", "outcome": '"normal"'},
    ]
    value = weld(inputs=fields, actions=ACTIONS, decision=decision(table(["locked", "count"], ["outcome"], rows)))
    evaluator = Evaluator(ruleset(value))
    rules = [evaluator.judge(given).decision.rule for given in ({"locked": True}, {}, {"count": 3}, {"count": 0})]
    assert rules == ["locked", "unknown", "some", "rest"]
