"""What watchers are told of tasks."""

from millwright_workflow.domain.interpreter import Begin, Commit, TaskReference, TaskResult
from millwright_workflow.domain.interpreter.lifecycle import Lifecycle

BAD = "{bad: {raise: {error: {type: 'https://x.example/e', status: 500}}}}"


def test_a_watched_walk_tells_of_every_task_that_fails_the_innermost_first(plan, engine):
    one = engine(is_watched=True)
    one.run(plan(f"do: [{{t: {{try: [{{d: {{do: [{BAD}]}}}}], catch: {{do: []}}}}}}]"))
    assert [reference for reference, _ in one.failed] == ["/do/0/t/try/0/d/do/0/bad@0", "/do/0/t/try/0/d@0"]
    assert {error.instance for _, error in one.failed} == {"/do/0/t/try/0/d/do/0/bad"}


def test_a_walk_that_nobody_watches_tells_of_none(plan, engine):
    one = engine()
    one.run(plan(f"do: [{{t: {{try: [{BAD}], catch: {{do: []}}}}}}]"))
    assert one.failed == []


def changes(changes):
    return [(change.reference, change.change.value) for change in changes]


def open_tasks(lifecycle, *references):
    for reference in references:
        lifecycle.observe(Begin(reference, "x", "do"))


def test_beginning_and_finishing_are_told_and_skipping_is_not():
    one = Lifecycle(begun=frozenset({"/do/1/b"}))
    started = one.observe(Begin(TaskReference("/do/0/a"), "a", "set"))
    resumed = one.observe(Begin(TaskReference("/do/1/b"), "b", "set"))
    finished = one.observe(Commit(TaskResult("/do/0/a", b"", None, None, "continue")))
    assert one.observe(Commit(TaskResult("/do/2/c", b"", None, None, "continue", is_skipped=True))) is None
    assert changes([started, resumed, finished]) == [
        ("/do/0/a", "started"),
        ("/do/1/b", "resumed"),
        ("/do/0/a", "completed"),
    ]
    assert changes(one.suspend()) == [("/do/1/b", "suspended")]


def test_closing_a_part_cancels_what_is_open_in_it_and_nothing_else():
    one = Lifecycle()
    outer, inner = TaskReference("/do/0/a", (1,)), TaskReference("/do/0/a/do/0/b", (1,))
    other = TaskReference("/do/0/a/do/0/b", (2,))
    open_tasks(one, outer, inner, other)
    assert changes(one.cancel(outer)) == [(str(inner), "cancelled")]
    open_tasks(one, inner)
    assert changes(one.cancel(outer, is_whole=True)) == [(str(inner), "cancelled"), (str(outer), "cancelled")]
    assert changes(one.cancel()) == [(str(other), "cancelled")]
