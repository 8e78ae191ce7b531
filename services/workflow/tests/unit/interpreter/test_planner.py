"""What cannot be prepared, because publish refuses it."""

import pytest
from millwright_workflow.domain.definition import TaskBase, support
from millwright_workflow.domain.interpreter import RUNNABLE_KINDS, WorkflowFault


def test_every_kind_of_task_that_cannot_run_is_refused_by_publish():
    refused = {model.kind for model in support.UNSUPPORTED if issubclass(model, TaskBase)}
    assert {model.kind for model in TaskBase.__subclasses__()} - RUNNABLE_KINDS <= refused


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ("{call: mcp, with: {method: tools/list, transport: {stdio: {command: x}}}}", "/do/0/a"),
        ("{run: {shell: {command: ls}}}", "/do/0/a"),
        ("{do: [{b: {call: anything}}]}", "/do/0/a/do/0/b"),
        ("{raise: {error: unknown}}", "/do/0/a"),
        ("{set: {n: 1}, timeout: unknown}", "/do/0/a"),
        ("{try: [], catch: {retry: unknown}}", "/do/0/a"),
        (
            "{call: http, with: {method: get, endpoint: {uri: http://h.example, authentication: {use: x}}}}",
            "/do/0/a",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(plan, task, pointer):
    with pytest.raises(WorkflowFault) as caught:
        plan(f"do: [{{a: {task}}}]")
    assert caught.value.error.type.endswith("/configuration")
    assert caught.value.error.instance == pointer
