"""Undoing what an instance has done."""

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault, walk_undo
from millwright_workflow.domain.interpreter.undo import undone_task

TEXT = """
use:
  functions:
    free: {emit: {event: {with: {source: 'a://b', type: freed, data: '${ {what: ., lot: $context.lot} }'}}}}
    empty: {do: [{a: {set: {n: 1}}}, {b: {emit: {event: {with: {source: 'a://b', type: emptied, data: '${ . }'}}}}}]}
do:
- hold: {set: {held: 1}, export: {as: '{lot: 7}'}, metadata: {undo: free}}
- skipped: {if: 'false', set: {held: 2}, metadata: {undo: free}}
- loop:
    for: {in: '[1, 2]'}
    do: [{fill: {set: {filled: '${ $item }'}, metadata: {undo: empty}}}]
- whole: {do: [{part: {set: {held: 4}, metadata: {undo: free}}}, {w: {set: {held: 5}}}], metadata: {undo: free}}
- both: {fork: {branches: [{x: {set: {held: 6}, metadata: {undo: free}}}, {y: {wait: PT1S, metadata: {undo: free}}}]}}
"""


def undo(definition, one, **more):
    two = type(one)(history=one.past, **more)
    return two, walk_undo(definition, None, two.history, two.identity)


def test_finished_tasks_are_undone_the_last_to_finish_first(plan, engine):
    definition = plan(TEXT)
    one = engine()
    one.run(definition)
    two, walk = undo(definition, one)
    branches = ["/do/4/both/fork/branches/1/y", "/do/4/both/fork/branches/0/x"]
    loop = ["/do/2/loop/do/0/fill@1", "/do/2/loop/do/0/fill@0"]
    assert two.drive(walk) == [*branches, "/do/3/whole", *loop, "/do/0/hold"]
    assert [event["type"] for event in two.emitted] == ["freed", "freed", "freed", "emptied", "emptied", "freed"]
    assert two.emitted[-1]["data"] == {"what": {"held": 1}, "lot": 7}
    assert "/do/2/loop/do/0/fill/metadata/undo/do/0/a@1" in {result.reference for result in two.commits}


def test_only_what_has_finished_is_undone(plan, engine):
    definition = plan(TEXT)
    one = engine(stop_after=4)
    assert not one.runs_to_its_end(definition)
    two, walk = undo(definition, one)
    assert two.drive(walk) == ["/do/2/loop/do/0/fill@1", "/do/2/loop/do/0/fill@0", "/do/0/hold"]


def test_undoing_goes_on_after_what_is_undone_already(plan, engine):
    definition = plan(TEXT)
    one = engine()
    one.run(definition)
    whole, walk = undo(definition, one)
    undone = whole.drive(walk)
    for cut in range(1, len(whole.commits) + 1):
        first, walk = undo(definition, one, stop_after=cut)
        assert not first.drives_to_its_end(walk)
        second, walk = undo(definition, first)
        assert second.drive(walk) == undone
        assert [each.reference for each in (*first.commits, *second.commits)] == [
            each.reference for each in whole.commits
        ]


def test_the_fault_of_an_undo_leaves_what_came_before_as_it_is(plan, engine):
    definition = plan("""
use: {functions: {bad: {raise: {error: {type: 'https://x.example/e', status: 500}}}}}
do: [{a: {set: {n: 1}, metadata: {undo: bad}}}, {b: {set: {n: 2}}}]
""")
    one = engine()
    one.run(definition)
    two, walk = undo(definition, one)
    with pytest.raises(WorkflowFault) as caught:
        two.drive(walk)
    assert caught.value.error.instance == "/do/0/a/metadata/undo"


def test_a_task_that_a_then_led_back_to_is_undone_once_for_each_visit(plan, engine):
    definition = plan("""
use: {functions: {free: {set: {freed: '${ .n }'}}}}
do:
- o:
    do:
    - count: {set: {n: '${ (.n // 0) + 1 }'}, metadata: {undo: free}}
    - again: {switch: [{more: {when: .n < 3, then: count}}]}
""")
    one = engine()
    one.run(definition)
    two, walk = undo(definition, one)
    assert two.drive(walk) == ["/do/0/o/do/0/count#0.2", "/do/0/o/do/0/count#0.1", "/do/0/o/do/0/count"]
    assert [result.output for result in two.commits] == [{"freed": 3}, {"freed": 2}, {"freed": 1}]


@pytest.mark.parametrize("name", ["nothing", "5"])
def test_an_undo_that_is_no_function_is_refused_before_anything_runs(plan, name):
    with pytest.raises(WorkflowFault):
        plan(f"do: [{{a: {{set: {{n: 1}}, metadata: {{undo: {name}}}}}}}]")


def test_what_a_result_undid_is_told_by_its_reference(plan, engine):
    definition = plan(TEXT)
    one = engine()
    one.run(definition)
    two, walk = undo(definition, one)
    undone = two.drive(walk)
    told = [undone_task(result.reference) for result in two.commits]
    assert [task for task in told if task] == undone
    assert not any(undone_task(result.reference) for result in one.commits)


@pytest.mark.parametrize(
    ("metadata", "undos", "compensates"),
    [({"compensate": "on-fault"}, True, True), ({"compensate": "on-fault"}, False, False), ({}, True, False)],
)
def test_a_fault_has_what_was_done_undone_where_the_document_says_so_and_something_can_be(
    plan, metadata, undos, compensates
):
    task = "{set: {n: 1}, metadata: {undo: free}}" if undos else "{set: {n: 1}}"
    text = f"use: {{functions: {{free: {{set: {{n: 0}}}}}}}}\ndo: [{{a: {task}}}]"
    assert plan(text, metadata=metadata).compensates_on_fault is compensates
