"""Extensions: tasks around the tasks of a kind."""

import pytest
from millwright_workflow.domain.interpreter import walk_undo
from millwright_workflow.domain.interpreter.compatibility import compare

LOG = "- log: {extend: all, before: [{b: {set: '${ $task.name }'}}], after: [{a: {set: '${ . }'}}]}\n"
SAFE = "- safe: {extend: call, when: '${ $task.with.method == \"post\" }', before: [{m: {set: {n: 7}, then: exit}}]}\n"


def extended(extensions, do, functions="{}"):
    items = extensions.strip().replace("\n", "\n  ")
    return f"use:\n  functions: {functions}\n  extensions:\n  {items}\ndo: {do}"


def references(engine, plan, data=None, **more):
    one = engine(**more)
    one.output = one.run(plan, data)
    return one, [result.reference for result in one.commits]


def test_what_comes_before_and_after_leaves_the_data_alone(plan, engine):
    one, committed = references(engine, plan(extended(LOG, "[{w: {set: {n: '${ .k }'}, output: {as: .n}}}]")), {"k": 3})
    assert one.output == 3
    inside = "/do/0/w/extensions/0/log"
    assert committed == [f"{inside}/before/0/b", "/do/0/w/extended", f"{inside}/after/0/a", "/do/0/w"]
    outputs = {result.reference: result.output for result in one.commits}
    assert outputs[f"{inside}/before/0/b"] == "w"
    assert outputs[f"{inside}/after/0/a"] == {"n": 3}


@pytest.mark.parametrize(
    ("word", "extended_names"),
    [("all", "defgsw"), ("composite", "df"), ("for", "g"), ("set", "sw"), ("wait", ""), ("call", "")],
)
def test_a_word_stands_for_the_tasks_of_a_kind(plan, engine, word, extended_names):
    do = """
- d: {do: [{s: {set: {n: 1}}}]}
- f: {fork: {branches: [{w: {set: {n: 1}}}]}}
- g: {for: {in: '[1]'}, do: [{e: {emit: {event: {with: {type: t, source: 'https://plant.example'}}}}}]}
"""
    text = f"use: {{extensions: [{{x: {{extend: {word}, before: [{{b: {{set: {{n: 0}}}}}}]}}}}]}}\ndo:{do}"
    _, committed = references(engine, plan(text))
    before = {each.partition("/extensions/")[0].rpartition("/")[2] for each in committed if "/extensions/" in each}
    assert before == set(extended_names)


def test_exit_bypasses_the_task_and_gives_its_output(plan, engine, reply):
    post = "{call: http, with: {method: post, endpoint: 'https://a.example'}, output: {as: .n}, then: end}"
    do = f"[{{p: {post}}}, {{z: {{set: {{}}}}}}]"
    one, _ = references(engine, plan(extended(SAFE, do)), answers={"https://a.example": reply({"n": 1})})
    assert (one.output, one.calls) == (7, [])


def test_a_condition_that_does_not_hold_leaves_the_task_as_it_is(plan, engine, reply):
    do = "[{g: {call: http, with: {method: get, endpoint: 'https://a.example'}}}]"
    one, committed = references(engine, plan(extended(SAFE, do)), answers={"https://a.example": reply({"n": 1})})
    assert (one.output, committed) == ({"n": 1}, ["/do/0/g"])


def test_a_condition_that_fails_faults_the_task(fault_of):
    error = fault_of(extended("- x: {extend: set, when: 'error(\"no\")'}", "[{s: {set: {n: 1}}}]"))
    assert (error.type.rpartition("/")[2], error.instance) == ("expression", "/do/0/s")


def test_the_first_extension_is_outermost(plan, engine):
    two = LOG.replace("log", "outer") + LOG.replace("log", "inner")
    _, committed = references(engine, plan(extended(two, "[{w: {set: {n: 1}}}]")))
    assert [each.removeprefix("/do/0/w/") for each in committed] == [
        "extensions/0/outer/before/0/b",
        "extensions/1/inner/before/0/b",
        "extended",
        "extensions/1/inner/after/0/a",
        "extensions/0/outer/after/0/a",
        "/do/0/w",
    ]


def test_what_is_outside_of_an_exit_still_comes_after(plan, engine):
    text = extended(
        LOG + SAFE.replace("call, when: '${ $task.with.method == \"post\" }'", "set"), "[{w: {set: {n: 1}}}]"
    )
    one, committed = references(engine, plan(text))
    assert one.output == {"n": 7}
    assert "/do/0/w/extensions/0/log/after/0/a" in committed
    assert "/do/0/w/extended" not in committed


@pytest.mark.parametrize("place", ["before", "after"])
def test_an_end_ends_the_workflow(run, place):
    text = extended(
        f"- x: {{extend: emit, {place}: [{{l: {{set: {{n: 9}}, then: end}}}}]}}",
        "[{e: {emit: {event: {with: {type: t, source: 'https://p.example'}}}}}, {z: {set: {n: 1}}}]",
    )
    assert run(text) == {"n": 9}


def test_a_task_that_is_skipped_is_not_extended(plan, engine):
    _, committed = references(engine, plan(extended(LOG, "[{w: {if: 'false', set: {n: 1}}}]")))
    assert committed == ["/do/0/w"]


def test_the_task_of_a_function_is_extended_and_an_extension_may_use_the_function(plan, engine):
    text = extended("- x: {extend: set, before: [{c: {call: f}}]}", "[{w: {call: f}}]", "{f: {set: {n: 1}}}")
    one, committed = references(engine, plan(text))
    assert one.output == {"n": 1}
    assert "/do/0/w/call/extensions/0/x/before/0/c/call" in committed


def test_what_an_extension_exports_is_kept(run):
    text = extended(
        "- x: {extend: set, before: [{b: {wait: PT0S, export: {as: '{lot: 5}'}}}]}", "[{w: {set: '${ $context.lot }'}}]"
    )
    assert run(text) == 5


def test_a_walk_goes_on_wherever_it_was_stopped(plan, engine, reply):
    loop = "[{l: {for: {in: '[1, 2]'}, do: [{w: {call: http, with: {method: get, endpoint: 'https://a.example'}}}]}}]"
    the_plan = plan(extended(LOG, loop))
    whole, committed = references(engine, the_plan, answers={"https://a.example": reply({"n": 1})})
    for stop in range(1, len(committed)):
        first = engine(stop_after=stop, answers={"https://a.example": reply({"n": 1})})
        assert not first.runs_to_its_end(the_plan)
        second, rest = references(engine, the_plan, history=first.past, answers={"https://a.example": reply({"n": 1})})
        assert second.output == whole.output
        assert [each.reference for each in first.commits] + rest == committed
        assert len(first.calls) + len(second.calls) == 2


def test_a_watched_fault_leaves_what_is_extended_and_then_the_task(plan, engine):
    one = engine(is_watched=True)
    with pytest.raises(Exception, match="broken"):
        one.run(plan(extended(LOG, "[{r: {raise: {error: {type: 'https://p.example', status: 500, title: broken}}}}]")))
    assert [reference for reference, _ in one.failed] == ["/do/0/r/extended", "/do/0/r"]


def test_results_count_only_with_the_same_extensions(plan, engine):
    text = extended(LOG, "[{w: {set: {n: 1}}}, {v: {wait: PT1S}}]")
    one = engine(stop_after=4)
    one.runs_to_its_end(plan(text))
    assert compare(plan(text), plan(text), one.past).is_compatible
    other = compare(plan(text), plan(text.replace("$task.name", "$task.reference")), one.past)
    assert [(each.reference, each.hindrance.value) for each in other.obstacles] == [("/do/0/w", "CHANGED")]


def test_a_task_that_is_not_over_must_keep_its_extensions(plan, engine):
    text = "do: [{d: {do: [{w: {set: {n: 1}}}, {v: {wait: PT1S}}]}}]"
    one = engine(stop_after=1)
    one.runs_to_its_end(plan(text))
    found = compare(plan(text), plan("use: {extensions: [{x: {extend: composite}}]}\n" + text), one.past).obstacles
    assert [(each.hindrance.value, each.pointer) for each in found] == [("SURROUNDINGS_CHANGED", "/do/0/d")]


@pytest.mark.parametrize("stop", [2, 4])
def test_a_task_is_undone_once_whether_what_comes_after_it_is_over_or_not(plan, engine, stop):
    text = extended(
        LOG.replace("all", "emit"),
        "[{e: {emit: {event: {with: {type: t, source: 's://p'}}}, metadata: {undo: u}}}, {z: {wait: PT1S}}]",
        "{u: {set: {back: true}}}",
    )
    one = engine(stop_after=stop)
    assert not one.runs_to_its_end(plan(text))
    two = engine(history=one.past)
    two.drive(walk_undo(plan(text), None, two.history, two.identity))
    assert [each.reference for each in two.commits] == ["/do/0/e/metadata/undo"]
