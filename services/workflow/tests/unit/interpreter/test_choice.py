"""The `switch` task."""

import pytest

PAINT = """
do:
- by_grade:
    switch:
    - other: {then: scrap}
    - best: {when: .grade == "A", then: ship}
    - good: {when: .grade == "B", then: rework}
- ship: {set: {to: customer}, then: end}
- rework: {set: {to: line}, then: end}
- scrap: {set: {to: bin}}
"""


@pytest.mark.parametrize(("grade", "place"), [("A", "customer"), ("B", "line"), ("F", "bin")])
def test_the_first_case_that_holds_leads_and_the_default_only_where_none_does(run, grade, place):
    assert run(PAINT, {"grade": grade}) == {"to": place}


def test_without_a_match_or_a_default_the_task_leads_where_its_then_says(run):
    text = "do: [{s: {switch: [{a: {when: .x == 1, then: never}}], then: end}}, {never: {set: {n: 1}}}]"
    assert run(text, {"x": 2}) == {"x": 2}


def test_a_case_may_end_the_workflow(run):
    text = "do: [{s: {switch: [{a: {when: 'true', then: end}}]}}, {never: {set: {n: 1}}}]"
    assert run(text, {"x": 2}) == {"x": 2}


def test_conditions_after_the_one_that_holds_are_not_evaluated(run):
    text = "do: [{s: {switch: [{a: {when: 'true', then: end}}, {b: {when: '1 + {}', then: end}}]}}]"
    assert run(text, 1) == 1
