"""Calls of functions, a workflow's own and the built-in ones."""

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault

FUNCTIONS = """
use:
  functions:
    weigh: {do: [{a: {set: {grams: '${ .kilos * 1000 }'}}}, {b: {set: {g: '${ .grams }', of: '${ $context.lot }'}}}]}
    twice: {call: weigh, with: {kilos: '${ .kilos * 2 }'}}
    round: {call: around}
    around: {call: round}
    last: {set: {n: 1}, then: end}
    mine: {set: '${ $item? }'}
"""


def test_a_function_runs_on_its_arguments(run):
    assert run(FUNCTIONS + "do: [{w: {call: weigh, with: {kilos: '${ .k }'}}}]", {"k": 2, "lot": 7}) == {
        "g": 2000,
        "of": 7,
    }


def test_a_function_called_without_arguments_takes_the_input(run):
    assert run(FUNCTIONS + "do: [{w: {call: weigh}}]", {"kilos": 3, "lot": 7})["g"] == 3000


def test_each_use_of_a_function_has_references_of_its_own(plan, engine):
    one = engine()
    one.run(plan(FUNCTIONS + "do: [{v: {call: weigh}}, {w: {call: twice, with: {kilos: 1}}}]"), {"kilos": 1})
    references = [result.reference for result in one.commits]
    assert len(references) == len(set(references))
    assert {"/do/0/v/call/do/0/a", "/do/1/w/call/call/do/0/a", "/do/1/w/call/call", "/do/1/w"} <= set(references)


def test_the_instance_of_a_fault_in_a_function_says_where_it_was_called(fault_of):
    assert fault_of(FUNCTIONS + "do: [{w: {call: weigh, with: {}}}]", {}).instance == "/do/0/w/call/do/0/a"


def test_an_end_in_a_function_ends_the_workflow(run):
    assert run(FUNCTIONS + "do: [{w: {call: last}}, {z: {set: {n: 2}}}]") == {"n": 1}


def test_a_function_sees_no_names_of_the_loop_around_its_caller(fault_of):
    text = FUNCTIONS + "do: [{l: {for: {in: '[1]'}, do: [{w: {call: mine}}]}}]"
    assert fault_of(text).type.endswith("/expression")


@pytest.mark.parametrize("call", ["round", "log", "log:1.0.0@default", "https://x.example/f.yaml", "judge:1@mine"])
def test_a_function_that_is_not_known_or_uses_itself_is_refused_before_anything_runs(plan, call):
    with pytest.raises(WorkflowFault) as caught:
        plan(FUNCTIONS + f"do: [{{w: {{call: '{call}'}}}}]")
    assert caught.value.error.type.endswith("/configuration")


@pytest.mark.parametrize("call", ["judge", "judge:1.0.0@default"])
def test_a_built_in_function_is_invoked_with_its_arguments_evaluated(plan, engine, call):
    one = engine(answers={"judge": {"verdict": "pass"}})
    arguments = "{ruleset: grading, version: '${ .v }', input: {lot: '${ .lot }'}}"
    text = f"do: [{{j: {{call: '{call}', with: {arguments}}}}}]"
    assert one.run(plan(text), {"v": 4, "lot": 7}) == {"verdict": "pass"}
    (asked,) = one.invocations
    assert (asked.function, asked.arguments) == ("judge", {"ruleset": "grading", "version": 4, "input": {"lot": 7}})


def test_what_takes_input_and_is_given_none_takes_that_of_the_task(plan, engine):
    one = engine(answers={"task": None})
    one.run(plan("do: [{j: {call: task, with: {queue: inspect}}}]"), {"lot": 7})
    assert one.invocations[0].arguments == {"queue": "inspect", "input": {"lot": 7}}


def test_an_approval_names_who_may_decide_and_until_when(plan, engine):
    one = engine(answers={"approve": {"approved": True}})
    text = "{title: Release, roles: [lead], expiresAfter: PT8H, escalation: {after: PT1H, roles: [manager]}}"
    one.run(plan(f"do: [{{j: {{call: approve, with: {text}}}}}]"))
    escalation = {"after": "PT1H", "roles": ["manager"]}
    expected = {"title": "Release", "roles": ["lead"], "expiresAfter": "PT8H", "escalation": escalation}
    assert one.invocations[0].arguments == expected


@pytest.mark.parametrize(
    "arguments", ["judge, with: {ruleset: ''}", "judge", "approve, with: {title: a, roles: []}",
                  "approve, with: {title: a, roles: [b], expiresAfter: soon}", "judge, with: {ruleset: '${ 5 }'}"]
)  # fmt: skip
def test_arguments_that_a_built_in_function_cannot_take_are_a_validation_error(fault_of, arguments):
    error = fault_of(f"do: [{{j: {{call: {arguments}}}}}]", {})
    assert (error.type.rsplit("/", 1)[1], error.instance) == ("validation", "/do/0/j")


def test_arguments_that_a_built_in_function_does_not_have_are_refused_before_anything_runs(plan):
    with pytest.raises(WorkflowFault, match="'rules'"):
        plan("do: [{j: {call: judge, with: {rules: x}}}]")


def test_a_function_of_the_workflow_stands_before_a_built_in_one(run):
    assert run("use: {functions: {judge: {set: {n: 1}}}}\ndo: [{j: {call: judge}}]") == {"n": 1}


def test_functions_that_multiply_past_all_bounds_are_refused_before_anything_runs(plan):
    levels = [f"f{n}: {{do: [{{a: {{call: f{n + 1}}}}}, {{b: {{call: f{n + 1}}}}}]}}" for n in range(30)]
    chain = [f"g{n}: {{call: g{n + 1}}}" for n in range(300)]
    use = ", ".join([*levels, *chain, "f30: {set: {n: 1}}", "g300: {set: {n: 1}}"])
    for first in ("f0", "g0"):
        with pytest.raises(WorkflowFault, match="too many"):
            plan(f"use: {{functions: {{{use}}}}}\ndo: [{{a: {{call: {first}}}}}]")


def test_functions_may_use_functions_as_deep_as_is_planned(run):
    chain = ", ".join(f"g{n}: {{do: [{{a: {{call: g{n + 1}}}}}]}}" for n in range(47))
    assert run(f"use: {{functions: {{{chain}, g47: {{set: {{n: 1}}}}}}}}\ndo: [{{a: {{call: g0}}}}]") == {"n": 1}
