"""How data flows through workflows and tasks, and what expressions see on the way."""

from datetime import datetime, timedelta, timezone

from millwright_workflow.domain.interpreter.visit import describe_time

START = {"iso8601": "2026-03-02T08:30:00.250Z", "epoch": {"seconds": 1772440200, "milliseconds": 1772440200250}}


def test_input_from_gives_a_task_only_what_it_asks_for(run):
    text = "do: [{pick: {input: {from: .order.part}, set: {part: '${ . }'}}}]"
    assert run(text, {"order": {"part": "M8"}}) == {"part": "M8"}


def test_input_from_may_be_an_object_with_expressions_inside(run):
    text = "do: [{pick: {input: {from: {part: '${ .order.part }', unit: piece}}, set: '${ . }'}}]"
    assert run(text, {"order": {"part": "M8"}}) == {"part": "M8", "unit": "piece"}


def test_output_as_decides_what_the_next_task_takes(run):
    text = "do: [{a: {set: {n: 4}, output: {as: .n}}}, {b: {set: {twice: '${ . * 2 }'}}}]"
    assert run(text) == {"twice": 8}


def test_the_input_of_a_task_need_not_be_an_object(run):
    text = "do: [{a: {set: {n: 1}, output: {as: .n}}}, {b: {set: {n: 2}, output: {as: '{both: [$input, .n]}'}}}]"
    assert run(text) == {"both": [1, 2]}


def test_the_workflow_transforms_what_it_takes_and_what_it_gives(run):
    text = "input: {from: .order}\ndo: [{a: {set: {n: '${ .n + 1 }'}}}]\noutput: {as: '{n, raw: $workflow.input}'}"
    raw = {"order": {"n": 1}}
    assert run(text, raw) == {"n": 2, "raw": raw}


def test_the_context_begins_as_the_transformed_workflow_input(run):
    assert run("input: {from: .order}\ndo: [{a: {set: '${ $context }'}}]", {"order": {"n": 1}}) == {"n": 1}


def test_export_replaces_the_context_for_every_later_task(run):
    text = """
do:
- measure: {set: {mm: 12}, export: {as: '$context + {measured: .mm}'}}
- other: {set: {x: 1}}
- report: {set: '${ $context }'}
"""
    assert run(text, {"line": 3}) == {"line": 3, "measured": 12}


def test_an_identity_export_makes_the_output_the_context(run):
    assert run("do: [{a: {set: {n: 1}, export: {as: .}}}, {b: {set: '${ $context }'}}]", {"n": 0}) == {"n": 1}


def test_export_sees_the_output_before_and_after_its_transformation(run):
    text = """
do:
- a:
    set: {n: 1}
    output: {as: .n}
    export: {as: '{raw: $task.output, now: $output, dot: .}'}
- b: {set: '${ $context }'}
"""
    assert run(text) == {"raw": {"n": 1}, "now": 1, "dot": 1}


def test_a_task_knows_itself_its_workflow_and_its_runtime(run):
    text = """
do:
- wake: {wait: {seconds: 2}}
- look:
    metadata: {owner: line-3}
    input: {from: .order}
    set:
      task: ${ $task }
      workflow: '${ $workflow | {id, input, startedAt, name: .definition.document.name} }'
      runtime: ${ $runtime }
      input: ${ $input }
"""
    seen = run(text, {"order": 5})
    assert seen["task"]["name"] == "look"
    assert seen["task"]["reference"] == "/do/1/look"
    assert seen["task"]["definition"]["metadata"] == {"owner": "line-3"}
    assert seen["task"]["input"] == {"order": 5}
    assert seen["task"]["startedAt"]["epoch"]["milliseconds"] == START["epoch"]["milliseconds"] + 2000
    assert seen["workflow"] == {"id": "i-7", "input": {"order": 5}, "startedAt": START, "name": "line-check"}
    assert seen["runtime"] == {"name": "millwright", "version": "0.1.0", "metadata": {}}
    assert seen["input"] == 5


def test_a_condition_sees_the_raw_input_and_a_task_that_has_not_started(run):
    text = "do: [{a: {if: '$task.startedAt == null and $input == null and .n == 1', set: {ran: true}}}]"
    assert run(text, {"n": 1}) == {"ran": True}


def test_a_time_is_described_in_utc_whatever_its_zone():
    seoul = datetime(2026, 3, 2, 17, 30, 0, 250_900, tzinfo=timezone(timedelta(hours=9)))
    assert describe_time(seoul) == START


def test_an_expression_that_fails_faults_the_task_it_stands_in(fault_of):
    error = fault_of("do: [{sum: {set: {n: '${ 1 + {} }'}}}]")
    assert (error.type.rsplit("/", 1)[1], error.status, error.instance) == ("expression", 400, "/do/0/sum")


def test_a_failing_workflow_transformation_names_itself(fault_of):
    assert fault_of("input: {from: '1 + {}'}\ndo: [{a: {set: {n: 1}}}]").instance == "/input/from"
    assert fault_of("do: [{a: {set: {n: 1}}}]\noutput: {as: '1 + {}'}").instance == "/output/as"


def test_the_context_stays_the_same_object_until_something_is_exported(plan, engine):
    one = engine()
    one.run(plan("do: [{a: {set: {n: 1}}}, {b: {set: {n: 2}, export: {as: .}}}, {c: {set: {n: 3}}}]"), {"n": 0})
    first, second, third = (result.context for result in one.commits)
    assert first == {"n": 0}
    assert second == {"n": 2}
    assert third is second
