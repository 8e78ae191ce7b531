import pytest
from millwright_workflow.domain.definition import Reason, parse, unsupported

EVENT = {"source": "https://plant.example", "type": "example.plant.sealed"}
RESOURCE = {"endpoint": "https://plant.example/api"}
HTTP = {"method": "get", "endpoint": "https://plant.example/{id}"}


def found(source):
    return [(fault.reason, fault.pointer) for fault in unsupported(parse(source).document)]


def test_what_is_run_is_supported(written):
    tasks = [
        {"a": {"if": ".x", "input": {"from": "."}, "output": {"as": {"k": 1}}, "export": {"as": "."}, "set": {"a": 1}}},
        {"b": {"call": "http", "with": {**HTTP, "headers": {"a": "b"}, "query": {"c": "d"}, "redirect": True}}},
        {"c": {"for": {"in": ".x"}, "do": [{"d": {"wait": "PT1S"}}], "timeout": "long"}},
        {"e": {"try": [], "catch": {"errors": {"with": {"status": 500}}, "retry": "slow", "do": []}}},
        {"f": {"switch": [{"else": {"then": "g"}}]}},
        {"g": {"raise": {"error": "burnt"}}},
        {"h": {"call": "grpc", "with": {"proto": RESOURCE, "service": {"name": "a", "host": "b"}, "method": "c"}}},
        {"i": {"call": "openapi", "with": {"document": RESOURCE, "operationId": "a"}}},
        {"j": {"set": {"a": 1}, "input": {"schema": {"document": {}}}}},
        {"k": {"call": "task", "with": {"queue": "inspect"}}},
    ]
    use = {
        "authentications": {"key": {"bearer": {"token": "${ $secrets.key }"}}},
        "secrets": ["key"],
        "errors": {"burnt": {"type": "https://plant.example/burnt", "status": 500}},
        "retries": {"slow": {"delay": "PT1S", "backoff": {"linear": {}}}},
        "timeouts": {"long": {"after": {"hours": 1}}},
        "extensions": [{"log": {"extend": "all", "when": ".x", "before": [{"l": {"set": {"a": 1}}}]}}],
    }
    sections = {"timeout": {"after": "P1D"}, "evaluate": {"mode": "strict"}, "schedule": {"cron": "0 6 * * *"}}
    assert found(written(tasks, use=use, **sections)) == []


@pytest.mark.parametrize(
    ("task", "below"),
    [
        ({"call": "https://plant.example/f.yaml"}, ""),
        ({"call": "asyncapi", "with": {"document": RESOURCE, "channel": "a", "message": {}}}, ""),
        ({"call": "mcp", "with": {"method": "tools/list", "transport": {"stdio": {"command": "a"}}}}, ""),
        ({"call": "a2a", "with": {"method": "tasks/get"}}, ""),
    ],
)
def test_a_task_that_is_not_run_is_named(task, below, written):
    assert found(written([{"weld": task}])) == [(Reason.UNSUPPORTED_CONSTRUCT, f"/do/0/weld{below}")]


@pytest.mark.parametrize(
    ("sections", "pointer"),
    [
        ({"evaluate": {"mode": "loose"}}, "/evaluate/mode"),
        ({"evaluate": {"language": "js"}}, "/evaluate/language"),
        ({"use": {"catalogs": {"shop": RESOURCE}}}, "/use/catalogs/shop"),
    ],
)
def test_a_section_that_is_not_run_is_named(sections, pointer, written):
    assert found(written(**sections)) == [(Reason.UNSUPPORTED_CONSTRUCT, pointer)]


@pytest.mark.parametrize(
    "process",
    [
        {"shell": {"command": "ls"}},
        {"script": {"language": "python", "code": "print(1)"}},
        {"container": {"image": "busybox"}},
    ],
)
def test_foreign_code_is_forbidden_at_any_depth(process, written):
    (name,) = process
    pointer = f"/do/0/a/do/0/b/run/{name}"
    assert found(written([{"a": {"do": [{"b": {"run": process}}]}}])) == [(Reason.CONSTRUCT_FORBIDDEN, pointer)]


def test_every_construct_is_told_at_once(written):
    tasks = [{"a": {"call": "a2a", "with": {"method": "tasks/get"}}}, {"b": {"run": {"shell": {"command": "ls"}}}}]
    assert len(found(written(tasks, evaluate={"mode": "loose"}))) == 3
