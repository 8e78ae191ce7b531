import json

import pytest
from millwright_workflow.domain.definition import parse

USE = {
    "errors": {"burnt": {"type": "https://plant.example/errors/burnt", "status": 500}},
    "retries": {"slow": {"delay": {"seconds": 1}}},
    "timeouts": {"long": {"after": "PT1H"}},
    "functions": {"inspect": {"call": "http", "with": {"method": "get", "endpoint": "https://plant.example"}}},
    "authentications": {"robot": {"bearer": {"use": "key"}}},
    "secrets": ["key"],
    "catalogs": {"shop": {"endpoint": "https://plant.example/catalog"}},
}
ENDPOINT = {"uri": "https://plant.example"}


def call(authentication):
    return {"call": "http", "with": {"method": "get", "endpoint": {**ENDPOINT, "authentication": authentication}}}


REFERENCES = [
    ({"set": {"a": 1}, "timeout": "long"}, "/timeout"),
    ({"raise": {"error": "burnt"}}, "/raise/error"),
    ({"try": [], "catch": {"retry": "slow"}}, "/catch/retry"),
    ({"call": "inspect"}, "/call"),
    ({"call": "inspect:1.0.0@shop"}, "/call"),
    (call({"use": "robot"}), "/with/endpoint/authentication/use"),
    (call({"basic": {"use": "key"}}), "/with/endpoint/authentication/basic/use"),
]


@pytest.mark.parametrize(("task", "_below"), REFERENCES)
def test_a_name_that_use_defines_is_accepted(task, _below, written):
    parse(written([{"weld": task}], use=USE, timeout="long"))


@pytest.mark.parametrize(("task", "below"), REFERENCES)
def test_a_name_that_use_does_not_define_is_told_at_its_place(task, below, written, faults_of):
    assert faults_of(written([{"weld": task}])) == [("UNKNOWN_REFERENCE", f"/do/0/weld{below}")]


def test_the_timeout_of_the_workflow_is_a_reference_too(written, faults_of):
    assert faults_of(written(timeout="long")) == [("UNKNOWN_REFERENCE", "/timeout")]


@pytest.mark.parametrize("function", ["https://plant.example/f.yaml", "judge:1.0.0@default", "judge"])
def test_a_function_may_live_elsewhere(function, written):
    parse(written([{"weld": {"call": function}}]))


@pytest.mark.parametrize("function", ["log:1.0.0@default", "log"])
def test_a_function_that_is_neither_defined_nor_built_in_is_told_at_its_place(function, written, faults_of):
    assert faults_of(written([{"weld": {"call": function}}])) == [("UNKNOWN_REFERENCE", "/do/0/weld/call")]


def test_a_catalogue_of_ones_own_may_stand_in_for_the_default_one(written):
    use = {"catalogs": {"default": {"endpoint": "https://plant.example/catalog"}}}
    parse(written([{"weld": {"call": "log:1.0.0@default"}}], use=use))


def test_what_undoes_a_task_is_a_function_of_the_workflow(written, faults_of):
    task = {"set": {"a": 1}, "metadata": {"undo": "inspect"}}
    parse(written([{"weld": task}], use=USE))
    assert faults_of(written([{"weld": task}])) == [("UNKNOWN_REFERENCE", "/do/0/weld/metadata/undo")]


def test_when_to_compensate_is_said_in_the_one_word_there_is(faults_of):
    def with_metadata(**metadata):
        document = {"dsl": "1.0.1", "namespace": "plant", "name": "line", "version": "1.0.0", "metadata": metadata}
        return json.dumps({"document": document, "do": [{"a": {"set": {"n": 1}}}]})

    parse(with_metadata(compensate="on-fault"))
    assert faults_of(with_metadata(compensate="always")) == [("INVALID_VALUE", "/document/metadata/compensate")]
