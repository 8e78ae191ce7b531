import pytest
from millwright_workflow.domain.definition import InvalidDefinition, parse


def step(then=None, **more):
    return {"set": {"a": 1}, **({"then": then} if then else {}), **more}


def choice(*targets, default=None):
    cases = [{f"case{index}": {"when": ".a", "then": target}} for index, target in enumerate(targets)]
    return {"switch": [*cases, *([{"else": {"then": default}}] if default else [])]}


@pytest.mark.parametrize("target", ["continue", "exit", "end", "b", "a"])
def test_the_flow_may_go_to_a_directive_or_a_sibling(target, written):
    parse(written([{"a": step(**{"if": ".x"}, then=target)}, {"b": step()}]))


def test_the_flow_may_not_go_to_a_task_of_another_list(written, faults_of):
    inner = {"do": [{"c": step("b")}, {"d": choice("outside")}]}
    assert faults_of(written([{"a": inner}, {"b": step("c")}])) == [
        ("UNKNOWN_FLOW_TARGET", "/do/0/a/do/0/c/then"),
        ("UNKNOWN_FLOW_TARGET", "/do/0/a/do/1/d/switch/0/case0/then"),
        ("UNKNOWN_FLOW_TARGET", "/do/1/b/then"),
    ]


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ({"for": {"in": ".x"}, "do": [{"i": step("z")}]}, "/do/0/i/then"),
        ({"try": [{"i": step("z")}], "catch": {}}, "/try/0/i/then"),
        ({"try": [], "catch": {"do": [{"i": step("z")}]}}, "/catch/do/0/i/then"),
        ({"fork": {"branches": [{"i": step("z")}]}}, "/fork/branches/0/i/then"),
        ({"listen": {"to": {"any": []}}, "foreach": {"do": [{"i": step("z")}]}}, "/foreach/do/0/i/then"),
    ],
)
def test_targets_are_checked_in_every_list_at_every_depth(task, pointer, written, faults_of):
    assert faults_of(written([{"z": task}])) == [("UNKNOWN_FLOW_TARGET", f"/do/0/z{pointer}")]


def test_a_name_stands_once_in_a_list_and_may_stand_again_in_another(written, faults_of):
    assert faults_of(written([{"a": step()}, {"a": step()}])) == [("DUPLICATE_TASK_NAME", "/do/1/a")]
    parse(written([{"a": {"do": [{"a": step()}]}}]))


@pytest.mark.parametrize(
    ("tasks", "cycle"),
    [
        ([{"a": step("a")}], "a → a"),
        ([{"a": step("c")}, {"b": step()}, {"c": step("b")}], "c → b → c"),
        ([{"a": step()}, {"b": step("a")}], "a → b → a"),
        ([{"a": step()}, {"b": choice("a", default="b")}], "b → a → b"),
        ([{"a": step("end")}, {"b": step("c")}, {"c": step("b")}], "b → c → b"),
    ],
)
def test_a_cycle_that_nothing_can_leave_is_told_with_its_tasks(tasks, cycle, written):
    with pytest.raises(InvalidDefinition) as caught:
        parse(written(tasks))
    (fault,) = caught.value.faults
    assert fault.reason == "FLOW_CYCLE"
    names = cycle.split(" → ")[:-1]
    assert any(" → ".join([*names[at:], *names[:at], names[at]]) in fault.message for at in range(len(names)))


@pytest.mark.parametrize(
    "tasks",
    [
        [{"a": step()}, {"b": choice("a")}],
        [{"a": step()}, {"b": choice("end", default="a")}],
        [{"a": step("a", **{"if": ".x"})}],
        [{"a": {"raise": {"error": {"type": "a://b", "status": 1}}, "then": "a"}}],
        [{"a": {"do": [{"i": choice("end")}], "then": "a"}}],
    ],
)
def test_a_loop_that_something_can_leave_is_no_fault(tasks, written):
    parse(written(tasks))


def test_a_long_cycle_is_found_in_time_linear_in_its_length(written, faults_of):
    tasks = [{f"t{index}": step(f"t{(index + 1) % 3_000}")} for index in range(3_000)]
    assert [reason for reason, _ in faults_of(written(tasks))] == ["FLOW_CYCLE"]
