"""The `call: openapi` task, and what operations come to."""

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault
from millwright_workflow.domain.interpreter.openapi import build_request

THREE = {
    "openapi": "3.0.3",
    "servers": [{"url": "/v{version}", "variables": {"version": {"default": "2"}}}],
    "components": {"parameters": {"Line": {"name": "X-Line", "in": "header"}}},
    "paths": {
        "/lots/{lot}/parts": {
            "parameters": [{"name": "lot", "in": "path", "required": True}],
            "get": {
                "operationId": "listParts",
                "parameters": [
                    {"name": "kind", "in": "query"},
                    {"name": "ids", "in": "query", "explode": False},
                    {"name": "limit", "in": "query", "required": True, "schema": {"default": 20}},
                    {"$ref": "#/components/parameters/Line"},
                    {"name": "session", "in": "cookie"},
                ],
            },
            "post": {
                "operationId": "addPart",
                "requestBody": {"required": True, "content": {"application/json": {}}},
            },
            "put": {
                "operationId": "formPart",
                "servers": [{"url": "https://forms.example/"}],
                "requestBody": {"content": {"application/x-www-form-urlencoded": {}}},
            },
        }
    },
}
TWO = {
    "swagger": "2.0",
    "host": "mes.example",
    "basePath": "/v1",
    "schemes": ["http", "https"],
    "paths": {
        "/lots": {
            "get": {
                "operationId": "findLots",
                "parameters": [{"name": "state", "in": "query", "collectionFormat": "multi"}],
            },
            "post": {"operationId": "addLot", "parameters": [{"name": "lot", "in": "body", "required": True}]},
        }
    },
}
WHERE = "http://mes.example/openapi.json"


def build(document, operation, **parameters):
    return build_request(document, WHERE, operation, parameters, "/do/0/o")


def test_parameters_go_where_the_document_says():
    values = {"lot": "A/7", "kind": ["nut", "bolt"], "ids": [1, 2], "X-Line": 3, "session": "s t"}
    request = build(THREE, "listParts", **values)
    assert (request.method, request.uri) == ("GET", "http://mes.example/v2/lots/A%2F7/parts")
    assert request.query == {"kind": ["nut", "bolt"], "ids": "1,2", "limit": "20"}
    assert request.headers == {"X-Line": "3", "cookie": "session=s%20t"}


def test_the_body_is_the_parameter_of_that_name():
    assert build(THREE, "addPart", lot="7", body={"n": 1}).body == {"n": 1}


def test_a_form_is_encoded_as_one_and_an_operation_may_have_a_server_of_its_own():
    request = build(THREE, "formPart", lot="7", body={"n": 1, "name": "a b"})
    assert (request.uri, request.body) == ("https://forms.example/lots/7/parts", "n=1&name=a+b")
    assert request.headers == {"content-type": "application/x-www-form-urlencoded"}


def test_version_2_is_understood_too():
    request = build(TWO, "findLots", state=["open", "held"])
    assert (request.uri, request.query) == ("https://mes.example/v1/lots", {"state": ["open", "held"]})
    assert build(TWO, "addLot", lot={"n": 1}).body == {"n": 1}


@pytest.mark.parametrize(
    ("document", "operation", "parameters", "kind"),
    [
        (THREE, "none", {}, "configuration"),
        ([], "listParts", {}, "configuration"),
        ({"paths": {"/a": {"$ref": "http://elsewhere.example"}}}, "x", {}, "configuration"),
        ({"paths": {"/a": {"$ref": "#/paths/~1a"}}}, "x", {}, "configuration"),
        ({"paths": {"/a": 5, "/b": {"get": []}}}, "x", {}, "configuration"),
        (THREE, "listParts", {}, "expression"),
        (THREE, "listParts", {"lot": 1, "colour": "red"}, "expression"),
        (THREE, "addPart", {"lot": 1}, "expression"),
    ],
)
def test_what_does_not_fit_is_told(document, operation, parameters, kind):
    with pytest.raises(WorkflowFault) as caught:
        build(document, operation, **parameters)
    assert caught.value.error.type.endswith(f"/{kind}")


def test_the_operation_is_called_as_the_document_describes_it(plan, engine, reply):
    uri = "http://mes.example/v2/lots/7/parts"
    one = engine(documents={WHERE: THREE}, answers={uri: reply({"parts": 2})})
    text = f"do: [{{o: {{call: openapi, with: {{document: {{endpoint: '{WHERE}'}}, operationId: listParts, "
    text += "parameters: {lot: '${ .lot }'}, authentication: {basic: {username: u, password: p}}} }}]"
    assert one.run(plan(text), {"lot": 7}) == {"parts": 2}
    assert one.calls[0].authentication.settings == {"username": "u", "password": "p"}
    assert [fetch.uri for fetch in one.fetches] == [WHERE]
