from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain.definition import Change, diff, parse


def step(value):
    return {"set": {"a": value}}


def tasks(*names):
    return [{name: step(name)} for name in names]


def test_equal_definitions_do_not_differ(written):
    definition = parse(written(tasks("a", "b")))
    assert diff(definition, definition) == ()


def test_a_changed_leaf_is_told_with_both_values(written):
    before = parse(written([{"a": {"do": [{"b": step(1)}]}}]))
    after = parse(written([{"a": {"do": [{"b": step(2)}]}}]))
    assert diff(before, after) == (Change("changed", "/do/0/a/do/0/b/set/a", 1, 2),)


def test_a_number_and_a_boolean_are_not_the_same(written):
    before, after = parse(written([{"a": step(1)}])), parse(written([{"a": step(True)}]))
    assert [change.kind for change in diff(before, after)] == ["changed"]


def test_keys_and_items_come_and_go(written):
    before = parse(written([{"a": step([1, 2, 3])}], input={"from": "."}))
    after = parse(written([{"a": step([1, 5])}], output={"as": "."}))
    assert diff(before, after) == (
        Change("changed", "/do/0/a/set/a/1", 2, 5),
        Change("removed", "/do/0/a/set/a/2", 3, None),
        Change("removed", "/input", {"from": "."}, None),
        Change("added", "/output", None, {"as": "."}),
    )


def test_a_task_added_in_front_moves_no_other(written):
    before, after = parse(written(tasks("a", "b"))), parse(written(tasks("new", "a", "b")))
    assert diff(before, after) == (Change("added", "/do/0/new", None, step("new")),)


def test_a_removed_task_is_told_where_it_was(written):
    before, after = parse(written(tasks("a", "b", "c"))), parse(written(tasks("b", "c")))
    assert diff(before, after) == (Change("removed", "/do/0/a", step("a"), None),)


def test_moving_a_task_is_one_change(written):
    before, after = parse(written(tasks("a", "b", "c", "d"))), parse(written(tasks("b", "c", "d", "a")))
    assert diff(before, after) == (Change("moved", "/do/3/a", "/do/0/a", "/do/3/a"),)


def test_what_changed_in_a_task_that_moved_is_told_too(written):
    before = parse(written([{"a": step(1)}, {"b": step(1)}, {"c": step(1)}]))
    after = parse(written([{"b": step(1)}, {"c": step(1)}, {"a": step(2)}]))
    assert diff(before, after) == (
        Change("moved", "/do/2/a", "/do/0/a", "/do/2/a"),
        Change("changed", "/do/2/a/set/a", 1, 2),
    )


def test_cases_of_a_switch_are_matched_by_name(written):
    one, two = {"hot": {"when": ".t > 9", "then": "end"}}, {"cold": {"then": "exit"}}
    before = parse(written([{"a": {"switch": [two]}}]))
    after = parse(written([{"a": {"switch": [one, two]}}]))
    assert diff(before, after) == (Change("added", "/do/0/a/switch/0/hot", None, one["hot"]),)


@given(st.permutations(["a", "b", "c", "d", "e"]), st.permutations(["a", "b", "c", "d", "e"]))
def test_reordering_tasks_only_moves_them_and_never_all(written, before, after):
    changes = diff(parse(written(tasks(*before))), parse(written(tasks(*after))))
    assert {change.kind for change in changes} <= {"moved"}
    assert len(changes) < len(before)
    assert (changes == ()) == (before == after)
