"""The `fork` task: joins and races."""

from random import Random

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault
from millwright_workflow.domain.interpreter.branches import merge_contexts

PRESSES = """
do:
- presses:
    fork:
      compete: {race}
      branches:
      - north:
          do:
          - warm: {{wait: PT9S}}
          - n: {{set: {{press: north}}, export: {{as: '$context + {{n: 1}}'}}}}
      - south:
          do:
          - warm: {{wait: PT4S}}
          - s: {{set: {{press: south}}, export: {{as: '$context + {{s: 1}}'}}}}
- seen: {{set: {{out: '${{ . }}', context: '${{ $context }}'}}}}
"""


def test_a_join_gives_the_outputs_in_the_order_of_the_branches_and_takes_as_long_as_the_slowest(plan, engine):
    one = engine()
    start = one.now
    output = one.run(plan(PRESSES.format(race="false")), {"lot": 7})
    assert output == {"out": [{"press": "north"}, {"press": "south"}], "context": {"lot": 7, "n": 1, "s": 1}}
    assert (one.now - start).total_seconds() == 9


def test_a_race_gives_the_output_and_the_context_of_whoever_finishes_first(plan, engine):
    one = engine()
    output = one.run(plan(PRESSES.format(race="true")), {"lot": 7})
    assert output == {"out": {"press": "south"}, "context": {"lot": 7, "s": 1}}
    assert not any("north" in result.reference for result in one.commits)


def test_each_branch_takes_the_input_of_the_task(run):
    text = "do: [{f: {input: {from: .lot}, fork: {branches: [{a: {set: '${ . + 1 }'}}, {b: {set: '${ . * 2 }'}}]}}}]"
    assert run(text, {"lot": 7}) == [8, 14]


def test_a_branch_does_not_see_what_its_siblings_export(run):
    export = "export: {as: '$context + {seen: true}'}"
    text = (
        f"do: [{{f: {{fork: {{branches: [{{a: {{set: {{x: 1}}, {export}}}}}, {{b: {{set: '${{ $context }}'}}}}]}}}}}}]"
    )
    assert run(text, {"lot": 7}) == [{"x": 1}, {"lot": 7}]


@pytest.mark.parametrize(
    ("before", "afters", "merged"),
    [
        ({"a": 1}, [{"a": 1, "b": 2}, {"a": 1, "c": 3}], {"a": 1, "b": 2, "c": 3}),
        ({"a": 1}, [{"a": 2}, {"a": 3}], {"a": 3}),
        ({"a": 1}, [{"a": 2}, {"a": 1}], {"a": 2}),
        ({"a": 1, "b": 1}, [{"b": 1}, {"a": 1, "b": 1}], {"b": 1}),
        ({"a": 1}, [{}, {"a": 5}], {"a": 5}),
        ({"a": 1}, [{"a": True}, {"a": 1}], {"a": True}),
        (None, [{"a": 1}, None], {"a": 1}),
        ({"a": 1}, [[1], {"a": 1}], [1]),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_contexts_merge_by_what_each_branch_changed_the_later_branch_winning(before, afters, merged):
    assert merge_contexts(before, afters) == merged


@pytest.mark.parametrize("race", ["true", "false"])
def test_the_fault_of_a_branch_ends_the_fork_and_cancels_the_others(plan, engine, race):
    text = f"""
do:
- f:
    fork:
      compete: {race}
      branches:
      - slow: {{wait: PT1H}}
      - bad: {{do: [{{w: {{wait: PT1S}}}}, {{r: {{raise: {{error: {{type: 'https://x.example/e', status: 418}}}}}}}}]}}
"""
    one = engine()
    with pytest.raises(WorkflowFault) as caught:
        one.run(plan(text))
    assert caught.value.error.instance == "/do/0/f/fork/branches/1/bad/do/1/r"
    assert [result.reference for result in one.commits] == ["/do/0/f/fork/branches/1/bad/do/0/w"]


def test_a_try_catches_the_fault_of_a_branch(run):
    bad = "{bad: {raise: {error: {type: 'https://x.example/e', status: 418}}}}"
    text = f"do: [{{t: {{try: [{{f: {{fork: {{branches: [{bad}]}}}}}}], catch: {{do: [{{c: {{set: {{ok: 1}}}}}}]}}}}}}]"
    assert run(text) == {"ok": 1}


def test_a_time_limit_around_a_fork_ends_all_branches_and_one_inside_only_its_own(run, fault_of):
    branches = "[{a: {wait: PT9S}}, {b: {wait: PT1S}}]"
    assert fault_of(f"do: [{{f: {{timeout: {{after: PT5S}}, fork: {{branches: {branches}}}}}}}]").instance == "/do/0/f"
    inner = "{t: {try: [{w: {wait: PT9S, timeout: {after: PT2S}}}], catch: {do: [{c: {set: {late: true}}}]}}}"
    text = f"do: [{{f: {{fork: {{branches: [{inner}, {{b: {{set: {{n: 1}}}}}}]}}}}}}]"
    assert run(text) == [{"late": True}, {"n": 1}]


@pytest.mark.parametrize("ending", ["{set: {n: 1}, then: end}", "{do: [{x: {set: {n: 1}, then: end}}]}"])
def test_an_end_in_a_branch_ends_the_workflow_once_all_branches_have_finished(run, ending):
    text = f"do: [{{f: {{fork: {{branches: [{{a: {ending}}}, {{b: {{set: {{n: 2}}}}}}]}}}}}}, {{z: {{set: {{n: 9}}}}}}]"
    assert run(text) == [{"n": 1}, {"n": 2}]


def test_a_skipped_branch_gives_its_input_to_a_join_and_is_out_of_a_race(run):
    text = "do: [{{f: {{fork: {{compete: {0}, branches: [{{a: {{if: 'false', set: {{n: 1}}}}}}, {{b: {1}}}]}}}}}}]"
    assert run(text.format("false", "{wait: PT1S}"), 5) == [5, 5]
    assert run(text.format("true", "{do: [{w: {wait: PT1S}}, {s: {set: {n: 2}}}]}"), 5) == {"n": 2}
    assert run(text.format("true", "{if: 'false', set: {n: 2}}"), 5) == 5


@pytest.mark.parametrize("race", ["true", "false"])
def test_a_fork_may_have_no_branches(run, race):
    assert run(f"do: [{{f: {{fork: {{compete: {race}, branches: []}}}}}}]", 5) == (5 if race == "true" else [])


def test_forks_inside_forks_and_loops_have_references_of_their_own(plan, engine):
    inner = "{f: {fork: {branches: [{a: {set: '${ $item }'}}, {b: {fork: {branches: [{c: {set: '${ -$item }'}}]}}}]}}}"
    one = engine(dice=Random(3))
    text = f"do: [{{l: {{for: {{in: '[1, 2]'}}, do: [{inner}]}}}}]"
    assert one.run(plan(text)) == [2, [-2]]
    references = [result.reference for result in one.commits]
    assert len(references) == len(set(references)) == 9


@pytest.mark.parametrize("seed", range(20))
def test_the_winner_of_a_race_stays_the_winner_after_a_crash_at_any_point(plan, engine, seed):
    runner = "{%s: {do: [{w: {wait: PT1S}}, {s: {set: {name: %s}, export: {as: '{by: \"%s\"}'}}}]}}"
    branches = ", ".join(runner % (name, name, name) for name in "abc")
    seen = "{z: {set: {r: '${ [., $context] }'}}}"
    definition = plan(f"do: [{{f: {{fork: {{compete: true, branches: [{branches}]}} }} }}, {seen}]")
    for cut in range(1, 9):
        first = engine(dice=Random(seed), stop_after=cut)
        if first.runs_to_its_end(definition, {}):
            break
        second = engine(dice=Random(seed + 100), history=first.past)
        output = second.run(definition, {})["r"]
        finished = [result for result in first.commits if result.reference.count("/") == 6]
        assert output[1] == {"by": output[0]["name"]}
        if finished:
            assert output[0] == finished[0].output
            assert not any(reference.startswith("/do/0/f/fork") for reference in second.began)
