"""Task lists: order, `then`, `if`, and the ways out."""

import pytest


def log(name, extra=""):
    return f"- {name}: {{set: {{log: '${{ .log + [\"{name}\"] }}'}}{extra}}}"


def test_tasks_run_in_the_order_they_are_written(run):
    assert run(f"do:\n{log('cut')}\n{log('weld')}\n{log('paint')}") == {"log": ["cut", "weld", "paint"]}


def test_then_leads_to_a_sibling_by_name(run):
    text = f"do:\n{log('cut', ', then: paint')}\n{log('weld', ', then: end')}\n{log('paint', ', then: weld')}"
    assert run(text) == {"log": ["cut", "paint", "weld"]}


def test_a_nested_list_takes_the_input_of_its_task_and_gives_its_output(run):
    text = "do:\n- line:\n    do: [{a: {set: {n: '${ .n + 1 }'}}}, {b: {set: {n: '${ .n * 10 }'}}}]"
    assert run(text, {"n": 1}) == {"n": 20}


def test_exit_leaves_the_list_and_the_flow_goes_on_after_its_task(run):
    text = """
do:
- shift:
    do:
    - start: {set: {log: [start]}, then: exit}
    - never: {set: {log: [never]}}
- close: {set: {log: '${ .log + ["close"] }'}}
"""
    assert run(text) == {"log": ["start", "close"]}


def test_end_inside_nested_lists_ends_the_workflow_through_every_transformation_on_the_way(run):
    text = """
do:
- outer:
    do:
    - inner:
        do: [{stop: {set: {n: 1}, then: end}}]
        output: {as: '{n: (.n + 1)}'}
    - never: {set: {n: 100}}
    output: {as: '{n: (.n * 10)}'}
- never: {set: {n: 1000}}
output: {as: '{total: .n}'}
"""
    assert run(text) == {"total": 20}


def test_exit_in_the_main_list_ends_the_workflow(run):
    assert run("do: [{a: {set: {n: 1}, then: exit}}, {b: {set: {n: 2}}}]") == {"n": 1}


def test_a_task_whose_condition_does_not_hold_passes_its_raw_input_on(run):
    text = """
do:
- rework:
    if: .defects > 0
    input: {from: .never}
    set: {state: rework}
    output: {as: .never}
    export: {as: .never}
"""
    assert run(text, {"defects": 0}) == {"defects": 0}
    assert run(text, {"defects": 2}) is None


def test_a_skipped_task_is_committed_as_skipped_without_having_begun(plan, engine):
    one = engine()
    one.run(plan("do: [{a: {if: 'false', set: {n: 1}}}]"), 7)
    assert one.began == []
    (result,) = one.commits
    assert (result.output, result.next, result.is_skipped) == (7, "continue", True)


def test_a_skipped_task_leads_to_the_task_after_it_and_not_where_its_then_says(run):
    assert run("do: [{stop: {if: .bad, set: {n: 0}, then: end}}, {go: {set: {n: 1}}}]", {"bad": False}) == {"n": 1}


@pytest.mark.parametrize(("value", "runs"), [("0", True), ('""', True), ("[]", True), ("null", False), (".x", False)])
def test_only_false_and_null_are_not_true(run, value, runs):
    assert run(f"do: [{{a: {{if: '{value}', set: {{ran: true}}}}}}]", {}) == ({"ran": True} if runs else {})


def test_going_to_a_task_that_is_not_there_faults(fault_of):
    error = fault_of("do: [{a: {set: {n: 1}, then: nowhere}}]")
    assert (error.type.rsplit("/", 1)[1], error.instance) == ("configuration", "/do/0/a")


LOOP = """
do:
- count: {set: {n: '${ .n + 1 }'}}
- again:
    switch: [{more: {when: .n < 4, then: count}}]
- done: {set: {total: '${ .n }'}}
"""


def test_a_task_reached_again_by_then_has_another_reference_each_time(plan, engine):
    one = engine()
    assert one.run(plan(LOOP), {"n": 0}) == {"total": 4}
    assert one.began == [
        *("/do/0/count", "/do/1/again"),
        *("/do/0/count#1", "/do/1/again#1"),
        *("/do/0/count#2", "/do/1/again#2"),
        *("/do/0/count#3", "/do/1/again#3"),
        "/do/2/done#3",
    ]


def test_lists_that_both_go_backwards_never_give_two_visits_one_reference(plan, engine):
    text = """
do:
- outer:
    do:
    - step: {set: {i: '${ .i + 1 }', o: '${ .o }'}}
    - inner: {switch: [{more: {when: .i % 3 != 0, then: step}}]}
- next: {set: {i: '${ .i }', o: '${ .o + 1 }'}}
- again: {switch: [{more: {when: .o < 3, then: outer}}]}
"""
    one = engine()
    assert one.run(plan(text), {"i": 0, "o": 0}) == {"i": 9, "o": 3}
    assert len(set(one.began)) == len(one.began)


def test_sixty_four_levels_of_nesting_run(run):
    text = '{"set": {"n": "${ .n + 1 }"}}'
    for _ in range(64):
        text = f'{{"do": [{{"level": {text}}}]}}'
    assert run(text, {"n": 1}) == {"n": 2}
