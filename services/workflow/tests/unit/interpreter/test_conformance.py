"""Schemas of inputs, outputs and exports."""

import pytest

SCHEMA = "schema: {document: {type: object, required: [lot]}}"


@pytest.mark.parametrize(
    ("text", "instance"),
    [
        (f"do: [{{a: {{input: {{{SCHEMA}, from: '{{lot: 1}}'}}, set: {{n: 1}}}}}}]", "/do/0/a/input"),
        (f"do: [{{a: {{output: {{{SCHEMA}}}, set: {{n: 1}}}}}}]", "/do/0/a/output"),
        (f"do: [{{a: {{export: {{{SCHEMA}, as: '{{n: 1}}'}}, set: {{lot: 1}}}}}}]", "/do/0/a/export"),
        (f"input: {{{SCHEMA}, from: '{{lot: 1}}'}}\ndo: [{{a: {{set: {{lot: 1}}}}}}]", "/input"),
        (f"output: {{{SCHEMA}}}\ndo: [{{a: {{set: {{n: 1}}}}}}]", "/output"),
    ],
)
def test_data_that_does_not_conform_is_a_validation_error_that_names_the_place(fault_of, text, instance):
    error = fault_of(text, {"n": 1})
    assert (error.type.rsplit("/", 1)[1], error.status, error.instance) == ("validation", 400, instance)


def test_input_is_held_to_its_schema_as_it_comes_and_output_as_it_goes(plan, engine):
    one = engine()
    text = f"do: [{{a: {{input: {{{SCHEMA}, from: .lot}}, set: '${{ . }}', output: {{{SCHEMA}, as: '{{lot: .}}'}}}}}}]"
    assert one.run(plan(text), {"lot": 7}) == {"lot": 7}
    assert [check.data for check in one.validations] == [{"lot": 7}, {"lot": 7}]


def test_a_schema_may_live_elsewhere(plan, engine):
    one = engine(documents={"http://schemas.example/lot": {"required": ["lot"]}})
    schema = "schema: {resource: {endpoint: 'http://schemas.example/{name}'}}"
    one.run(
        plan(f"input: {{{schema}}}\ndo: [{{a: {{input: {{{schema}}}, set: {{n: 1}}}}}}]"), {"lot": 1, "name": "lot"}
    )
    assert [check.schema for check in one.validations] == [{"required": ["lot"]}] * 2


def test_an_export_that_does_not_conform_leaves_the_context_as_it_was(run):
    task = f"{{a: {{export: {{{SCHEMA}, as: '{{n: 1}}'}}, set: {{n: 1}}}}}}"
    text = f"do: [{{t: {{try: [{task}], catch: {{do: [{{c: {{set: '${{ $context }}'}}}}]}}}}}}]"
    assert run(text, {"lot": 7}) == {"lot": 7}


def test_other_formats_are_refused_before_anything_runs(plan):
    with pytest.raises(Exception, match="JSON Schemas"):
        plan("do: [{a: {input: {schema: {format: avro, document: {}}}, set: {n: 1}}}]")
