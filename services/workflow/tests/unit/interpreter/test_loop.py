"""The `for` task."""

import contextlib
import tracemalloc
from datetime import UTC, datetime

from millwright_workflow.domain.interpreter import Commit, Evaluate, History, Identity, walk_workflow

WHO = Identity("i-7", datetime(2026, 3, 2, tzinfo=UTC), "millwright", "0.1.0")
ITEMS = list(range(100_000))


def test_each_round_sees_its_item_and_index_and_takes_the_output_of_the_one_before(run):
    text = """
do:
- inspect:
    for: {each: part, in: .parts}
    do:
    - note: {set: {seen: '${ .seen + ["\\($index):\\($part)"] }'}}
"""
    assert run(text, {"parts": ["a", "b", "c"]}) == {"seen": ["0:a", "1:b", "2:c"]}


def test_item_and_index_have_default_names_and_can_be_named(run):
    assert run("do: [{l: {for: {in: '[5, 6]'}, do: [{a: {set: '${ [$item, $index] }'}}]}}]") == [6, 1]
    assert run("do: [{l: {for: {in: '[5, 6]', each: x, at: i}, do: [{a: {set: '${ [$x, $i] }'}}]}}]") == [6, 1]


def test_while_is_asked_before_each_round_on_what_the_round_would_take(run):
    text = "do: [{l: {for: {in: '[3, 4, 5]'}, while: .sum + $item < 10, do: [{a: {set: {sum: '${ .sum + $item }'}}}]}}]"
    assert run(text, {"sum": 0}) == {"sum": 7}


def test_no_items_mean_that_the_input_is_the_output(run):
    assert run("do: [{l: {for: {in: '[]'}, do: [{a: {set: {n: 1}}}]}}]", "same") == "same"


def test_nested_loops_see_the_names_of_both(plan, engine):
    text = """
do:
- lines:
    for: {in: '["x", "y"]', each: line}
    do:
    - stations:
        for: {in: '[1, 2]', each: station}
        do:
        - visit: {set: '${ . + ["\\($line)\\($station)"] }'}
"""
    one = engine()
    assert one.run(plan(text)) == ["x1", "x2", "y1", "y2"]
    inner = "/do/0/lines/do/0/stations/do/0/visit"
    assert [each for each in one.began if each.startswith(inner)] == [
        f"{inner}@0.0",
        f"{inner}@0.1",
        f"{inner}@1.0",
        f"{inner}@1.1",
    ]


def test_exit_leaves_the_round_and_end_the_workflow(run):
    text = "do: [{l: {for: {in: '[1, 2, 3]'}, do: [{a: {set: '${ . + [$item] }', then: %s}}, {b: {set: never}}]}}]"
    text = text.replace("set: never", "set: {n: never}")
    assert run(text % "exit") == [1, 2, 3]
    assert run(text % "end") == [1]


def test_what_is_not_an_array_cannot_be_looped_over(fault_of):
    error = fault_of("do: [{l: {for: {in: .x}, do: [{a: {set: {n: 1}}}]}}]", {"x": {"a": 1}})
    assert (error.type.rsplit("/", 1)[1], error.instance) == ("expression", "/do/0/l")


def memory_held(walk):
    """Drive a walk to its end; give the bytes held after each thousand of its first 3,000 commits, and all commits."""
    held = []
    commits = 0
    tracemalloc.start(1)
    effect = next(walk)
    with contextlib.suppress(StopIteration):
        while True:
            if isinstance(effect, Commit):
                commits += 1
                if commits % 1_000 == 0 and tracemalloc.is_tracing():
                    held.append(tracemalloc.get_traced_memory()[0])
                    if len(held) == 3:
                        tracemalloc.stop()
            effect = walk.send(ITEMS if isinstance(effect, Evaluate) else WHO.started_time)
    return held, commits


def test_a_loop_of_100_000_rounds_holds_no_memory_of_its_rounds(plan):
    definition = plan("do: [{l: {for: {in: .}, do: [{a: {set: {n: 1}}}]}}]")
    (_, second, third), commits = memory_held(walk_workflow(definition, None, History(), WHO))
    assert commits == len(ITEMS) + 1
    assert third - second < 2_000


def test_a_then_that_leads_back_for_long_grows_nothing(plan):
    walk = walk_workflow(plan("do: [{a: {set: {n: 1}}}, {b: {set: {n: 2}, then: a}}]"), None, History(), WHO)
    held = []
    tracemalloc.start(1)
    next(walk)
    for _ in range(3):
        for _ in range(4_000):
            walk.send(WHO.started_time)
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    walk.close()
    assert held[2] - held[1] < 2_000
