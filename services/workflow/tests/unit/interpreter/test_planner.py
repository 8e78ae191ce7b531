"""What cannot be prepared, because publish refuses it."""

import pytest
from millwright_workflow.domain.interpreter import RUNNABLE_KINDS, WorkflowFault


def test_the_runnable_kinds_are_those_of_the_table():
    assert {"do", "for", "call:http", "raise", "set", "switch", "try", "wait"} == RUNNABLE_KINDS


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        ("{fork: {branches: []}}", "/do/0/a"),
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
