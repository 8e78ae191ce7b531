"""The `run: workflow` task."""

import pytest
from millwright_workflow.domain.interpreter import TaskReference, WorkflowError, WorkflowFault, child_id

CHILD = "workflow: {{namespace: plant, name: grade, version: 1.2.0{}}}"


def run_task(process):
    return f"do: [{{r: {{run: {{{process}}}}}}}]"


def test_the_output_of_the_child_is_the_output(plan, engine):
    one = engine(answers={"grade": {"grade": "A"}})
    text = run_task(CHILD.format(", input: {lot: '${ .lot }'}"))
    assert one.run(plan(text), {"lot": 7, "n": 1}) == {"grade": "A"}
    (asked,) = one.children
    assert (asked.namespace, asked.name, asked.version, asked.input) == ("plant", "grade", "1.2.0", {"lot": 7})
    assert asked.is_awaited


def test_a_child_without_input_takes_that_of_the_task(plan, engine):
    one = engine(answers={"grade": 1})
    one.run(plan(run_task(CHILD.format(""))), {"lot": 7})
    assert one.children[0].input == {"lot": 7}


def test_a_child_that_is_not_awaited_leaves_the_input_as_the_output(plan, engine):
    one = engine()
    assert one.run(plan(run_task(CHILD.format("") + ", await: false")), {"lot": 7}) == {"lot": 7}
    assert not one.children[0].is_awaited


def test_the_fault_of_a_child_can_be_caught(run, fault_of):
    fault = WorkflowFault(WorkflowError("https://x.example/worn", 500, instance="/do/0/r"))
    assert fault_of(run_task(CHILD.format("")), answers={"grade": fault}).type == "https://x.example/worn"


def test_the_id_of_a_child_follows_from_its_parent_and_its_reference():
    first = child_id("p", TaskReference("/do/0/r", (0,)))
    assert first == child_id("p", TaskReference("/do/0/r", (0,)))
    others = [child_id("q", TaskReference("/do/0/r", (0,))), child_id("p", TaskReference("/do/0/r", (1,)))]
    assert first not in others


@pytest.mark.parametrize("process", ["script: {language: js, code: '1'}", "container: {image: a}"])
def test_foreign_code_is_not_planned(plan, process):
    with pytest.raises(WorkflowFault, match="Foreign code"):
        plan(run_task(process))
