"""The `raise` task."""

from millwright_workflow.domain.interpreter import WorkflowError


def test_an_inline_error_faults_the_workflow_with_the_task_as_its_instance(fault_of):
    text = """
do:
- refuse:
    raise:
      error: {status: 409, type: https://plant.example/errors/locked, title: Line locked, instance: /elsewhere}
"""
    assert fault_of(text) == WorkflowError(
        "https://plant.example/errors/locked", 409, "Line locked", None, "/do/0/refuse"
    )


def test_a_reusable_error_is_raised_by_name_with_its_expressions_evaluated(fault_of):
    text = """
use:
  errors:
    worn: {status: 500, type: https://plant.example/errors/worn, title: '${ .tool + " worn" }', detail: '${ .hours }'}
do:
- check: {raise: {error: worn}}
"""
    error = fault_of(text, {"tool": "drill", "hours": 12})
    assert (error.title, error.detail) == ("drill worn", "12")


def test_an_instance_of_a_task_with_an_odd_name_is_a_json_pointer(fault_of):
    assert (
        fault_of("do: [{a/b~c: {raise: {error: {status: 400, type: https://x.example/e}}}}]").instance
        == "/do/0/a~1b~0c"
    )
