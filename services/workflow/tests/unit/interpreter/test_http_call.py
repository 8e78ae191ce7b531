"""The `call: http` task."""

import base64

import pytest
from millwright_workflow.domain.interpreter import WorkflowFault
from millwright_workflow.domain.interpreter.resource import expand


def call(arguments, extra=""):
    return f"do: [{{ask: {{call: http, with: {{method: get, {arguments}}}{extra}}}}}]"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://mes.example/parts/{id}",
        "{uri: 'http://mes.example/parts/{id}'}",
        "'${ \"http://mes.example/parts/\\(.id)\" }'",
        "{uri: '${ \"http://mes.example/parts/\\(.id)\" }'}",
    ],
)
def test_an_endpoint_is_a_uri_a_template_an_expression_or_an_object_of_one(run, reply, endpoint):
    endpoint = f"'{endpoint}'" if endpoint.startswith("http") else endpoint
    answers = {"http://mes.example/parts/7": reply({"name": "bolt"})}
    assert run(call(f"endpoint: {endpoint}", ", output: {as: .name}"), {"id": 7}, answers=answers) == "bolt"


def test_a_template_escapes_values_and_gives_nothing_for_missing_ones():
    data = {"name": "a/b c?", "yes": True, "none": None, "n": 1.5}
    assert expand("http://h/{name}/{yes}/{none}/{gone}/{n}", data, "/do/0/a") == "http://h/a%2Fb%20c%3F/true///1.5"
    assert expand("http://h/{name}", "text", "/do/0/a") == "http://h/"
    assert expand("http://h/{part.id}", {"part.id": 3, "part": {"id": 4}}, "/do/0/a") == "http://h/3"


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
def test_a_template_refuses_objects_and_arrays(value):
    with pytest.raises(WorkflowFault, match="must be text") as caught:
        expand("http://h/{x}", {"x": value}, "/do/0/a")
    assert (caught.value.error.status, caught.value.error.instance) == (400, "/do/0/a")


def test_headers_query_and_body_are_evaluated(plan, engine, reply):
    text = """
do:
- send:
    call: http
    with:
      method: post
      endpoint: http://mes.example/orders
      headers: {x-line: '${ .line }', x-gone: '${ .gone }'}
      query: {dry: '${ .dry }', tag: '${ .tags }'}
      body: {parts: '${ .tags | length }', fixed: true}
"""
    one = engine(answers={"http://mes.example/orders": reply({})})
    one.run(plan(text), {"line": 3, "dry": True, "tags": ["a", "b"]})
    (sent,) = one.calls
    assert (sent.method, sent.headers, sent.query) == ("POST", {"x-line": "3"}, {"dry": "true", "tag": ["a", "b"]})
    assert sent.body == {"parts": 2, "fixed": True}
    assert str(sent.reference) == "/do/0/send"


def test_headers_and_query_may_each_be_one_expression(plan, engine, reply):
    one = engine(answers={"http://h.example": reply({})})
    one.run(
        plan(call("endpoint: http://h.example, headers: '${ .h }', query: '${ .q }'")), {"h": {"a": "1"}, "q": None}
    )
    assert (one.calls[0].headers, one.calls[0].query) == ({"a": "1"}, {})


@pytest.mark.parametrize("part", ["headers: '${ 5 }'", "query: {a: '${ {} }'}", "headers: {a: '${ [] }'}"])
def test_what_cannot_be_sent_faults(fault_of, part):
    assert fault_of(call(f"endpoint: http://h.example, {part}")).type.endswith("/expression")


def test_the_output_is_content_raw_or_the_whole_response(run, reply):
    answers = {"http://h.example": reply({"n": 1})}
    encoded = base64.b64encode(b'{"n": 1}').decode()
    assert run(call("endpoint: http://h.example"), answers=answers) == {"n": 1}
    assert run(call("endpoint: http://h.example, output: raw"), answers=answers) == encoded
    assert run(call("endpoint: http://h.example, output: response"), answers=answers) == {
        "request": {"method": "GET", "uri": "http://h.example", "headers": {}},
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "content": {"n": 1},
    }


@pytest.mark.parametrize(
    ("body", "content_type", "content"),
    [
        (b'{"a": 1}', "application/problem+json; charset=utf-8", {"a": 1}),
        ("größe".encode("latin-1"), "text/plain; charset=ISO-8859-1", "größe"),
        ("größe".encode(), "text/plain; charset=nonsense", "größe"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"\x00\xff", "application/octet-stream", "AP8="),
        (b"hm", "", "aG0="),
        (b"", "application/json", None),
    ],
)
def test_content_is_read_by_its_type(run, reply, body, content_type, content):
    answers = {"http://h.example": reply(body, content_type=content_type)}
    assert run(call("endpoint: http://h.example"), answers=answers) == content


@pytest.mark.parametrize("body", [b"{", b"NaN", b"1e999", b"\xff", b"[" * 100_000])
def test_json_that_is_none_is_a_communication_error(fault_of, reply, body):
    error = fault_of(call("endpoint: http://h.example"), answers={"http://h.example": reply(body)})
    assert (error.type.rsplit("/", 1)[1], error.status) == ("communication", 500)


@pytest.mark.parametrize(
    ("redirect", "status", "is_error"),
    [(False, 204, False), (False, 302, True), (True, 302, False), (True, 404, True), (False, 599, True)],
)
def test_a_status_outside_of_success_is_a_communication_error_with_that_status(
    plan, engine, reply, redirect, status, is_error
):
    one = engine(answers={"http://h.example?key=secret": reply(status=status)})
    text = call(f"endpoint: 'http://h.example?key=secret', redirect: {str(redirect).lower()}")
    if not is_error:
        one.run(plan(text))
    else:
        with pytest.raises(WorkflowFault) as caught:
            one.run(plan(text))
        error = caught.value.error
        assert (error.type.rsplit("/", 1)[1], error.status, error.instance) == ("communication", status, "/do/0/ask")
        assert "secret" not in error.detail
    assert one.calls[0].follow_redirects is redirect
