"""The `emit` task."""

import pytest


def emit(attributes):
    return f"do: [{{e: {{emit: {{event: {{with: {{{attributes}}}}}}}}}}}]"


def test_the_event_is_emitted_with_its_expressions_evaluated_and_is_the_output(plan, engine):
    one = engine()
    attributes = "source: 'https://line.example/${ 1 }', type: line.sealed, data: {lot: '${ .lot }'}, lineid: '${ .n }'"
    text = emit(attributes.replace("'https://line.example/${ 1 }'", "'${ \"https://line.example/\\(.n)\" }'"))
    output = one.run(plan(text), {"lot": "A7", "n": 3})
    assert one.emitted == [output]
    expected = {"source": "https://line.example/3", "type": "line.sealed", "data": {"lot": "A7"}, "lineid": 3}
    assert {name: output[name] for name in expected} == expected
    assert {"id", "time", "specversion"} <= output.keys()


def test_an_attribute_that_comes_to_nothing_is_left_out_but_data_may_be_null(plan, engine):
    one = engine()
    one.run(plan(emit("source: 'a://b', type: c, subject: '${ .none }', data: '${ .none }'")), {})
    assert "subject" not in one.emitted[0]
    assert one.emitted[0]["data"] is None


@pytest.mark.parametrize(
    "attributes",
    [
        "source: 'a://b', type: '${ null }'",
        "source: '${ 5 }', type: c",
        "source: 'a://b', type: c, subject: '${ 5 }'",
        "source: 'a://b', type: c, lineid: '${ [] }'",
        "source: 'a://b', type: c, lineid: '${ 1.5 }'",
    ],
)
def test_what_no_event_can_have_is_an_expression_error(fault_of, attributes):
    assert fault_of(emit(attributes)).type.endswith("/expression")
