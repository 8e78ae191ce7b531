"""What is told of a workflow's course before it runs."""

import pytest
from millwright_workflow.domain.interpreter import outline

FORK = """
do:
- both:
    fork:
      branches:
      - one: {set: {n: 1}}
      - two: {do: [{x: {set: {n: 1}}}]}
- last: {set: {n: 1}}
"""


def test_the_tasks_come_as_they_are_written_a_task_before_those_inside_it(plan):
    found = outline(plan(FORK))
    assert [(task.pointer, task.name, task.kind) for task in found.tasks] == [
        ("/do/0/both", "both", "fork"),
        ("/do/0/both/fork/branches/0/one", "one", "set"),
        ("/do/0/both/fork/branches/1/two", "two", "do"),
        ("/do/0/both/fork/branches/1/two/do/0/x", "x", "set"),
        ("/do/1/last", "last", "set"),
    ]
    assert found.count == 5


def test_the_tasks_of_a_function_lie_inside_the_task_that_calls_it(plan):
    found = outline(plan("{use: {functions: {f: {do: [{x: {set: {n: 1}}}]}}}, do: [{a: {call: f}}, {b: {call: f}}]}"))
    calls = [task.pointer for task in found.tasks if task.kind == "call:function"]
    assert calls == ["/do/0/a", "/do/1/b"]
    assert all(task.pointer.startswith(tuple(calls)) for task in found.tasks)
    assert sum(task.name == "x" for task in found.tasks) == 2


@pytest.mark.parametrize(
    "task",
    [
        "{for: {in: '${ .rows }'}, do: [{x: {set: {n: 1}}}]}",
        "{try: [{x: {set: {n: 1}}}], catch: {}}",
        "{switch: [{y: {then: end}}]}",
        "{set: {n: 1}, if: '${ .ready }'}",
        "{set: {n: 1}, then: end}",
        "{fork: {compete: true, branches: [{x: {set: {n: 1}}}]}}",
        "{listen: {to: {any: [{with: {type: t}}]}}, foreach: {do: [{x: {set: {n: 1}}}]}}",
    ],
)
def test_where_data_decides_how_many_tasks_finish_nothing_is_counted(plan, task):
    assert outline(plan(f"do: [{{a: {task}}}]")).count is None
