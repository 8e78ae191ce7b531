import json

import pytest
from millwright_workflow.domain.definition import parse

SET = {"set": {"a": 1}}


def named(task):
    return [{"weld": task}]


def test_every_fault_is_told_at_once(faults_of):
    source = """
    document: {dsl: 1.0.3, namespace: plant, name: Bad Name, version: one, colour: red}
    use: {retries: {slow: {delay: fast}}}
    do:
      - a: {set: {x: 1}, foo: 1, then: nowhere}
      - a: {wait: {minutes: "5"}}
      - b: {raise: {error: burnt}}
      - c: {if: env, set: {x: '${ input }'}}
    """
    assert sorted(faults_of(source)) == [
        ("DUPLICATE_TASK_NAME", "/do/1/a"),
        ("EXPRESSION_FORBIDDEN", "/do/3/c/if"),
        ("EXPRESSION_FORBIDDEN", "/do/3/c/set/x"),
        ("INVALID_VALUE", "/document/name"),
        ("INVALID_VALUE", "/document/version"),
        ("INVALID_VALUE", "/use/retries/slow/delay"),
        ("UNKNOWN_FLOW_TARGET", "/do/0/a/then"),
        ("UNKNOWN_KEY", "/do/0/a/foo"),
        ("UNKNOWN_KEY", "/document/colour"),
        ("UNKNOWN_REFERENCE", "/do/2/b/raise/error"),
        ("WRONG_TYPE", "/do/1/a/wait/minutes"),
    ]


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        ({}, ("AMBIGUOUS_TASK", "")),
        ({"sett": {"a": 1}}, ("AMBIGUOUS_TASK", "")),
        ({"set": {"a": 1}, "wait": "PT1S"}, ("AMBIGUOUS_TASK", "")),
        ("set", ("AMBIGUOUS_TASK", "")),
        (None, ("AMBIGUOUS_TASK", "")),
        ({"set": {"a": 1}, "colour": 1}, ("UNKNOWN_KEY", "/colour")),
        ({"set": {"a": 1}, "if_": ".a"}, ("UNKNOWN_KEY", "/if_")),
        ({"set": 5}, ("WRONG_TYPE", "/set")),
        ({"set": {"a": 1}, "if": True}, ("WRONG_TYPE", "/if")),
        ({"set": {"a": 1}, "then": 5}, ("WRONG_TYPE", "/then")),
        ({"do": {"a": SET}}, ("WRONG_TYPE", "/do")),
        ({"do": [5]}, ("WRONG_TYPE", "/do/0")),
        ({"do": [{"a": SET, "b": SET}]}, ("AMBIGUOUS_TASK", "/do/0")),
        ({"for": {"each": "x"}, "do": []}, ("MISSING_KEY", "/for")),
        ({"for": {"in": ".a"}}, ("MISSING_KEY", "")),
        ({"for": {"in": ".a"}, "do": [{"a": {"x": 1}}]}, ("AMBIGUOUS_TASK", "/do/0/a")),
        ({"try": []}, ("MISSING_KEY", "")),
        ({"try": [], "catch": {"retry": {"backoff": {}}}}, ("INVALID_VALUE", "/catch/retry/backoff")),
        (
            {"try": [], "catch": {"retry": {"limit": {"attempt": {"count": "5"}}}}},
            ("WRONG_TYPE", "/catch/retry/limit/attempt/count"),
        ),
        ({"switch": []}, ("INVALID_VALUE", "/switch")),
        ({"switch": [{"a": {"when": ".x"}}]}, ("MISSING_KEY", "/switch/0/a")),
        ({"switch": [{"a": {"then": "end"}, "b": {"then": "end"}}]}, ("INVALID_VALUE", "/switch/0")),
        ({"wait": "5 minutes"}, ("INVALID_VALUE", "/wait")),
        ({"wait": {}}, ("INVALID_VALUE", "/wait")),
        ({"wait": {"seconds": -1}}, ("INVALID_VALUE", "/wait/seconds")),
        ({"wait": {"seconds": 1.5}}, ("WRONG_TYPE", "/wait/seconds")),
        ({"wait": {"seconds": True}}, ("WRONG_TYPE", "/wait/seconds")),
        ({"raise": {"error": {"type": "about", "status": 500}}}, ("INVALID_VALUE", "/raise/error/type")),
        ({"raise": {"error": {"type": "a://b", "status": "500"}}}, ("WRONG_TYPE", "/raise/error/status")),
        ({"call": "http"}, ("MISSING_KEY", "")),
        ({"call": 5}, ("WRONG_TYPE", "/call")),
        ({"call": "http", "with": {"method": "get", "endpoint": "seals"}}, ("INVALID_VALUE", "/with/endpoint")),
        (
            {"call": "http", "with": {"method": "get", "endpoint": {"url": "a://b", "uri": "a://b"}}},
            ("UNKNOWN_KEY", "/with/endpoint/url"),
        ),
        (
            {"call": "http", "with": {"method": "get", "endpoint": "a://b", "headers": {"n": 1}}},
            ("WRONG_TYPE", "/with/headers/n"),
        ),
        (
            {"call": "http", "with": {"method": "get", "endpoint": "a://b", "query": ".q"}},
            ("INVALID_VALUE", "/with/query"),
        ),
        (
            {"call": "http", "with": {"method": "get", "endpoint": "a://b", "output": "all"}},
            ("INVALID_VALUE", "/with/output"),
        ),
        (
            {"call": "grpc", "with": {"service": {"name": "a", "host": "b", "port": 99999}}},
            ("INVALID_VALUE", "/with/service/port"),
        ),
        ({"call": "asyncapi", "with": {"document": {"endpoint": "a://b"}}}, ("INVALID_VALUE", "/with")),
        ({"call": "mcp", "with": {"method": "tools/list", "transport": {}}}, ("INVALID_VALUE", "/with/transport")),
        (
            {"listen": {"to": {"any": [], "until": {"any": [], "until": ".a"}}}},
            ("UNKNOWN_KEY", "/listen/to/until/until"),
        ),
        ({"listen": {"to": {}}}, ("INVALID_VALUE", "/listen/to")),
        ({"emit": {"event": {"with": {"type": "a"}}}}, ("MISSING_KEY", "/emit/event/with")),
        ({"run": {"shell": {"command": "ls"}, "workflow": {}}}, ("INVALID_VALUE", "/run")),
        (
            {"run": {"container": {"image": "a", "lifetime": {"cleanup": "eventually"}}}},
            ("INVALID_VALUE", "/run/container/lifetime"),
        ),
    ],
)
def test_a_task_that_the_dsl_does_not_allow_is_told_at_its_place(task, fault, written, faults_of):
    reason, below = fault
    assert (reason, f"/do/0/weld{below}") in faults_of(written(named(task)))


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"documents": {}}, ("UNKNOWN_KEY", "/documents")),
        ({"document": {"dsl": "1.0.0", "namespace": "a", "name": "b"}}, ("MISSING_KEY", "/document")),
        (
            {"document": {"dsl": 1.0, "namespace": "a", "name": "b", "version": "1.0.0"}},
            ("WRONG_TYPE", "/document/dsl"),
        ),
        ({"input": {"form": "."}}, ("UNKNOWN_KEY", "/input/form")),
        ({"input": {"schema": {"document": {}, "resource": {}}}}, ("INVALID_VALUE", "/input/schema")),
        ({"timeout": 5}, ("WRONG_TYPE", "/timeout")),
        ({"timeout": {"after": 5}}, ("WRONG_TYPE", "/timeout/after")),
        ({"evaluate": {"mode": "lose"}}, ("INVALID_VALUE", "/evaluate/mode")),
        ({"use": {"functions": {"f": {}}}}, ("AMBIGUOUS_TASK", "/use/functions/f")),
        (
            {"use": {"authentications": {"a": {"basic": {"username": "u"}}}}},
            ("MISSING_KEY", "/use/authentications/a/basic"),
        ),
        ({"use": {"authentications": {"a": {}}}}, ("INVALID_VALUE", "/use/authentications/a")),
        ({"do": {}}, ("WRONG_TYPE", "/do")),
    ],
)
def test_a_section_that_the_dsl_does_not_allow_is_told_at_its_place(sections, fault, written, faults_of):
    assert fault in faults_of(written(**sections))


@pytest.mark.parametrize("dsl", ["0.9.0", "1.1.0", "2.0.0", "1.0.0.0-x", "10.0.1"])
def test_other_versions_of_the_dsl_are_refused(dsl, faults_of):
    source = json.dumps({"document": {"dsl": dsl, "namespace": "a", "name": "b", "version": "1.0.0"}, "do": []})
    assert faults_of(source)[0][1] == "/document/dsl"


@pytest.mark.parametrize("dsl", ["1.0.0", "1.0.3", "1.0.0-alpha5", "1.0.1-rc.1+build"])
def test_every_version_1_0_is_accepted(dsl):
    source = {"document": {"dsl": dsl, "namespace": "a", "name": "b", "version": "1.0.0"}, "do": []}
    assert parse(json.dumps(source)).document.document.dsl == dsl


def test_an_unsupported_version_has_its_own_reason(faults_of):
    source = {"document": {"dsl": "1.1.0", "namespace": "a", "name": "b", "version": "1.0.0"}, "do": []}
    assert faults_of(json.dumps(source)) == [("UNSUPPORTED_DSL_VERSION", "/document/dsl")]


@pytest.mark.parametrize("root", ["", "5", "[]", "null", "text"])
def test_a_document_that_is_no_object_is_refused(root, faults_of):
    assert faults_of(root) == [("WRONG_TYPE", "")]


def test_a_broken_task_does_not_hide_what_is_wrong_inside_its_siblings(written, faults_of):
    tasks = [
        {"outer": {"do": [{"broken": {"set": 1}}, {"sound": {"set": {"a": "${ env }"}, "timeout": "long"}}]}},
    ]
    assert sorted(faults_of(written(tasks, extra=1))) == [
        ("EXPRESSION_FORBIDDEN", "/do/0/outer/do/1/sound/set/a"),
        ("UNKNOWN_KEY", "/extra"),
        ("UNKNOWN_REFERENCE", "/do/0/outer/do/1/sound/timeout"),
        ("WRONG_TYPE", "/do/0/outer/do/0/broken/set"),
    ]
