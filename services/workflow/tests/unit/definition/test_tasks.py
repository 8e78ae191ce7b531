import pytest
from millwright_workflow.domain.definition import (
    DoTask,
    NamedTask,
    SetTask,
    TryTask,
    parse,
    walk_tasks,
)

RESOURCE = {"endpoint": "https://plant.example/api"}
INNER = [{"inner": {"set": {"a": 1}}}]


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ({"call": "http", "with": {"method": "get", "endpoint": "https://plant.example"}}, "call:http"),
        (
            {"call": "grpc", "with": {"proto": RESOURCE, "service": {"name": "a", "host": "b"}, "method": "c"}},
            "call:grpc",
        ),
        ({"call": "openapi", "with": {"document": RESOURCE, "operationId": "a"}}, "call:openapi"),
        ({"call": "asyncapi", "with": {"document": RESOURCE, "channel": "a", "message": {}}}, "call:asyncapi"),
        ({"call": "mcp", "with": {"method": "tools/list", "transport": {"http": RESOURCE}}}, "call:mcp"),
        ({"call": "a2a", "with": {"method": "tasks/get"}}, "call:a2a"),
        ({"call": "https://plant.example/f.yaml"}, "call:function"),
        ({"do": INNER}, "do"),
        ({"emit": {"event": {"with": {"source": "a://b", "type": "c"}}}}, "emit"),
        ({"for": {"in": ".a"}, "do": INNER}, "for"),
        ({"fork": {"branches": INNER}}, "fork"),
        ({"listen": {"to": {"all": []}}}, "listen"),
        ({"raise": {"error": {"type": "a://b", "status": 500}}}, "raise"),
        ({"run": {"workflow": {"namespace": "a", "name": "b", "version": "1.0.0"}}}, "run"),
        ({"set": {"a": 1}}, "set"),
        ({"switch": [{"else": {"then": "end"}}]}, "switch"),
        ({"try": INNER, "catch": {}}, "try"),
        ({"wait": "PT1S"}, "wait"),
    ],
)
def test_a_task_is_of_the_kind_that_its_key_says(task, kind, written):
    assert parse(written([{"weld": task}])).document.do[0].task.kind == kind


@pytest.mark.parametrize(
    ("task", "list_at"),
    [
        ({"do": INNER}, "do"),
        ({"for": {"in": ".a"}, "do": INNER}, "do"),
        ({"fork": {"branches": INNER}}, "fork/branches"),
        ({"try": INNER, "catch": {}}, "try"),
        ({"try": [], "catch": {"do": INNER}}, "catch/do"),
        ({"listen": {"to": {"all": []}}, "foreach": {"do": INNER}}, "foreach/do"),
        (
            {
                "call": "asyncapi",
                "with": {
                    "document": RESOURCE,
                    "channel": "a",
                    "subscription": {"consume": {"amount": 1}, "foreach": {"do": INNER}},
                },
            },
            "with/subscription/foreach/do",
        ),
    ],
)
def test_the_walk_and_the_hashes_reach_the_tasks_inside(task, list_at, written):
    definition = parse(written([{"a/b": task}], use={"functions": {"f": task}}))
    below = f"{list_at}/0/inner"
    pointers = ["/do/0/a~1b", f"/do/0/a~1b/{below}", "/use/functions/f", f"/use/functions/f/{below}"]
    assert [pointer for pointer, _, _ in walk_tasks(definition.document)] == pointers
    assert set(definition.task_hashes) == set(pointers)


def test_what_is_left_out_has_the_default_of_the_specification(written):
    tasks = parse(written([{"a": {"for": {"in": ".x"}, "do": []}}, {"b": {"try": [], "catch": {}}}])).document.do
    assert (tasks[0].task.for_.each, tasks[0].task.for_.at, tasks[0].task.then) == ("item", "index", "continue")
    assert isinstance(tasks[1].task, TryTask)
    assert tasks[1].task.catch.as_ == "error"


def test_models_can_be_built_by_their_python_names():
    inner = NamedTask("a", SetTask(set={"x": 1}, if_=".y"))
    assert DoTask(do=(inner,)).do == (inner,)
