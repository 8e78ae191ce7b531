"""Explanations: what matched, what nearly did, and what would have to be different."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judgment_samples.chance import random_inputs, random_ruleset
from judgment_samples.documents import FIELDS, decision, ruleset, table, weld, weld_rows
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.explanation.explanation import explain
from millwright_judgment.domain.explanation.margins import Margin, margin_of
from millwright_judgment.domain.ruleset import cells
from millwright_judgment.domain.ruleset.conditions import resolve

SOUND = {"defect_rate": 0.05, "temperature": 85.5, "product": "widget"}
RATE = ruleset(weld()).fields[0]


def explained(value=None, **given_input):
    evaluator = Evaluator(ruleset(value or weld()))
    return explain(evaluator, evaluator.judge({**SOUND, **given_input}))


@pytest.mark.parametrize(
    ("cell", "value", "margin"),
    [
        ("> 0.08", 0.08, Margin(-1, -0.001)),
        ("> 0.08", 0.081, Margin(1, 0.001)),
        ("> 0.08", 0.1, Margin(20, 0.02)),
        (">= 0.08", 0.08, Margin(1, 0.001)),
        ("[0.03..0.08]", 0.05, Margin(21, 0.021)),
        ("[0.03..0.08]", 0.07, Margin(11, 0.011)),
        ("[0.03..0.08]", 0.01, Margin(-20, -0.02)),
        ("[0..0.08]", 0.01, Margin(71, 0.071)),
        ("< 0.1 or > 0.5", 0.2, Margin(-101, -0.101)),
        (">= 0", 0.2, None),
        ("> 1", 0.2, None),
        ("null", 0.2, None),
    ],
)
def test_a_margin_is_the_way_to_where_the_condition_turns(cell, value, margin):
    assert margin_of(resolve(cells.parse(cell), RATE), RATE, value) == margin


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_value_moved_by_its_margin_turns_the_condition(seed):
    random = Random(seed)
    evaluator = Evaluator(random_ruleset(random))
    for given_input in random_inputs(random, evaluator.ruleset, 5):
        for trace in explain(evaluator, evaluator.judge(given_input)).rules:
            for condition in trace.conditions:
                field = next((each for each in evaluator.ruleset.fields if each.name == condition.field), None)
                if condition.margin is None or field is None:
                    continue
                cell = next(rule for _, rule in evaluator.ruleset.rules if rule.id == trace.rule).cells[field.name]
                predicate = resolve(cell.condition, field)
                steps = abs(condition.margin.steps)
                at = field.point(condition.value)
                low, high = field.range
                around = [step for step in (at - steps, at + steps) if low <= step <= high]
                assert any(predicate.holds(step) is not condition.held for step in around)
                nearer = range(max(low, at - steps + 1), min(high, at + steps - 1) + 1)
                assert all(predicate.holds(step) is condition.held for step in nearer)


def test_every_rule_is_traced_condition_by_condition():
    rules = {trace.rule: trace for trace in explained().rules}
    assert [trace.rule for trace in rules.values() if trace.matched] == ["r-warm", "r-normal"]
    assert [trace.rule for trace in rules.values() if trace.won] == ["r-warm"]
    held = [(each.field, each.held) for each in rules["r-warm"].conditions]
    assert held == [("defect_rate", True), ("temperature", True), ("product", True)]
    assert rules["r-critical"].failed[0].margin == Margin(-31, -0.031)
    assert rules["r-normal"].conditions == ()


def test_near_misses_are_those_that_would_have_spoken_nearest_first():
    misses = explained(temperature=69.5, defect_rate=0.079).near_misses
    found = [(miss.rule, miss.condition.field, miss.outcome) for miss in misses]
    assert found == [
        ("r-critical", "defect_rate", "critical"),
        ("r-warm", "temperature", "warning"),
        ("r-hot", "temperature", "warning"),
    ]
    assert explained(defect_rate=0.2).near_misses == ()


def test_counterfactuals_are_the_nearest_values_that_change_the_outcome():
    changes = {change.field: change for change in explained().counterfactuals}
    assert changes["defect_rate"].changed_value == 0.029
    assert (changes["defect_rate"].outcome, changes["defect_rate"].distance_steps) == ("normal", 21)
    assert (changes["temperature"].changed_value, changes["temperature"].outcome) == (70.0, "normal")
    assert (changes["product"].changed_value, changes["product"].distance_steps) == ("gear", None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_no_value_nearer_than_a_counterfactual_changes_the_outcome(seed):
    random = Random(seed)
    evaluator = Evaluator(random_ruleset(random))
    given_input = random_inputs(random, evaluator.ruleset, 1)[0]
    judgment = evaluator.judge(given_input)
    found = {change.field: change for change in explain(evaluator, judgment).counterfactuals}
    for place, field in enumerate(evaluator.ruleset.fields):
        if field.grid is None or judgment.values[place] is None:
            continue
        at, (low, high) = field.point(judgment.values[place]), field.range
        reach = found[field.name].distance_steps if field.name in found else 300
        labels = {
            distance: evaluator.judge_values(
                (*judgment.values[:place], field.scalar(at + distance), *judgment.values[place + 1 :])
            ).decision.label
            for distance in range(-reach, reach + 1)
            if low <= at + distance <= high
        }
        changed = {abs(distance) for distance, label in labels.items() if label != judgment.decision.label}
        assert min(changed, default=None) == (reach if field.name in found else None)


def test_it_is_said_in_english_and_korean():
    texts = explained(defect_rate=0.1).texts
    assert texts["en"].startswith(
        "It is critical by rule r-critical: defect_rate is 0.100 and the rule asks for > 0.08"
    )
    assert "(by 0.020)" in texts["en"]
    assert "With defect_rate at 0.080 it would be warning." in texts["en"]
    assert texts["ko"].startswith(
        "판정: critical. 적용 규칙: r-critical. 근거: defect_rate = 0.100(조건 > 0.08, 여유 0.020)"
    )
    missed = explained(temperature=69.5, defect_rate=0.05).texts["en"]
    assert "Rule r-warm, which would be warning, missed by temperature alone" in missed
    assert "69.5 °C, 0.6 °C short." in missed


def test_titles_are_used_where_the_schema_has_them():
    fields = [{**FIELDS[0], "titles": {"en": "defect rate", "ko": "불량률"}}, *FIELDS[1:]]
    texts = explained(weld(inputs=fields), defect_rate=0.1).texts
    assert "defect rate is 0.100" in texts["en"]
    assert "불량률 = 0.100" in texts["ko"]


def test_the_default_no_match_and_indeterminate_are_explained():
    rows = weld_rows()[:1]
    assert explained(weld(rows)).texts["en"].startswith("No rule matched, and the ruleset has no default.")
    by_default = explained(weld(rows, default={"outcome": "warning"}))
    assert by_default.texts["en"].startswith("It is warning by the ruleset's default")
    fields = [{**FIELDS[0], "missing": "indeterminate"}, *FIELDS[1:]]
    unsaid = explained(weld(inputs=fields), defect_rate=None)
    assert unsaid.texts["en"] == "Nothing can be said: The field defect_rate is missing."
    assert (unsaid.rules, unsaid.near_misses, unsaid.counterfactuals) == ((), (), ())


def test_what_earlier_tables_put_out_is_traced():
    heat = table(["temperature"], ["grade"], [{"_id": "hot", "temperature": "> 100", "grade": "2.5"}], name="heat")
    last = table(
        ["grade"],
        ["outcome"],
        [{"_id": "bad", "grade": ">= 2", "outcome": '"critical"'}, {"_id": "fine", "outcome": '"normal"'}],
        name="last",
    )
    rules = {trace.rule: trace for trace in explained(weld(decision=decision(heat, last)), temperature=120).rules}
    assert rules["hot"].won
    assert rules["bad"].conditions[0].value == 2.5
    assert rules["bad"].conditions[0].margin == Margin(6, 0.6)
    rules = {trace.rule: trace for trace in explained(weld(decision=decision(heat, last)), temperature=20).rules}
    assert rules["bad"].conditions[0].value is None
    assert not rules["bad"].conditions[0].held
